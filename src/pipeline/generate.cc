#include "pipeline/generate.h"

#include <algorithm>

#include "backend/null/null_backend.h"
#include "base/check.h"
#include "base/stopwatch.h"
#include "diffusion/rng.h"
#include "diffusion/schedule.h"
#include "pipeline/conditioning.h"
#include "pipeline/decoding.h"
#include "pipeline/finite_check.h"
#include "pipeline/init_picture.h"
#include "pipeline/sampling.h"
#include "pipeline/settings.h"

namespace octet {
namespace {

using Timer = Stopwatch;

void report(const GenerateHooks& hooks, const Progress& progress) {
  if (hooks.progress && !hooks.progress(progress)) {
    throw Error(Code::kCancelled, "interrupted");
  }
}

FloatArray download(Ctx ctx, const Tensor& t) {
  FloatArray a;
  for (int i = 0; i < t.rank; ++i) a.dims.push_back(t.dim(i));
  a.values.resize(static_cast<std::size_t>(t.numel()));
  ctx.backend.download(std::as_writable_bytes(std::span(a.values)), t);
  return a;
}

/// One generation: its context, request and what has been made so far.
class Generation {
 public:
  Generation(Ctx ctx, const Models& models, const GenerateRequest& request,
             const UsedSettings& settings, const GenerateHooks& hooks)
      : ctx_(ctx), m_(models), request_(request), settings_(settings), hooks_(hooks) {
    result_.used = settings;
  }

  GenerateResult run() {
    const Arena::Scope scope(ctx_.arena);
    const Guidance guidance = make_guidance();
    if (request_.init) encode_init();
    const Timer timer;
    encode_text(guidance.uses_uncond());
    const Tensor latents = draw_noise();  // while a device is at work on the text
    check_text(timer);
    denoise(latents, guidance);
    decode(latents);
    result_.activation_peak_bytes = ctx_.arena.peak();
    return std::move(result_);
  }

 private:
  [[nodiscard]] Guidance make_guidance() const {
    return Guidance({.scale = settings_.guidance,
                     .skip_layers = request_.skip_layers,
                     .skip_scale = settings_.skip_scale,
                     .skip_start = settings_.skip_start,
                     .skip_end = settings_.skip_end,
                     .first_step = settings_.skipped_steps},
                    static_cast<int>(m_.mmdit.config().depth),
                    settings_.skipped_steps + settings_.run_steps);
  }

  void dump(const std::string& name, const Tensor& t) const {
    if (hooks_.dump) hooks_.dump(name, download(ctx_, t));
  }

  PromptTokens tokenize(const std::string& prompt, const std::string& field) {
    return tokenize_prompt(m_.text, prompt,
                           {.compat = request_.compat, .t5_length = settings_.t5_length}, field,
                           result_.warnings);
  }

  void encode_text(bool with_negative) {
    tokens_ = {tokenize(request_.prompt, "prompt")};
    if (with_negative) tokens_.push_back(tokenize(request_.negative_prompt, "negative prompt"));
    const std::vector<EncodedPrompt> encoded =
        encode_each(ctx_, m_.text, m_.mmdit.config(), tokens_);
    cond_ = encoded.front();
    dump("prompt_embeds", cond_.text);
    dump("pooled_prompt_embeds", cond_.pooled);
    if (!with_negative) return;
    uncond_ = encoded.back();
    dump("negative_prompt_embeds", uncond_.text);
    dump("negative_pooled_prompt_embeds", uncond_.pooled);
  }

  void check_text(const Timer& timer) {
    require_finite_text(ctx_, m_.text, tokens_.front(), cond_, "prompt");
    if (uncond_.text) {
      require_finite_text(ctx_, m_.text, tokens_.back(), uncond_, "negative prompt");
    }
    result_.seconds.text = timer.seconds();
    report(hooks_, {.stage = Stage::kText, .step = 1, .steps = 1, .seconds = timer.seconds()});
  }

  [[nodiscard]] Tensor new_latents() const {
    const std::int64_t factor = m_.vae.spatial_factor();
    return ctx_.arena.tensor(DType::kF32, {request_.batch, m_.mmdit.config().in_channels,
                                           settings_.height / factor, settings_.width / factor});
  }

  void encode_init() {
    const Timer timer;
    encoded_.emplace(ctx_, m_.vae, *request_.init, settings_.width, settings_.height);
    result_.seconds.init = timer.seconds();
    report(hooks_, {.stage = Stage::kInit, .step = 1, .steps = 1, .seconds = timer.seconds()});
  }

  // Drawn on the host in PyTorch's order: the picture does not depend on the device.
  Tensor draw_noise() {
    const Tensor latents = new_latents();
    noise_ = encoded_ ? new_latents() : latents;
    if (encoded_) z_ = new_latents();
    KnownLatents all{.z = {}, .noise = {}, .kept = {}, .drawn = {}};
    if (request_.mask) upload_mask(all);
    for (std::int64_t b = 0; encoded_ && b < request_.batch; ++b) {
      known_.push_back(all);
      known_.back().z = slice(z_, 0, b, b + 1);
      known_.back().noise = slice(noise_, 0, b, b + 1);
    }
    begin(latents);
    dump("noise", noise_);
    if (encoded_) dump("init_latents", z_);
    return latents;
  }

  void upload_mask(KnownLatents& known) const {
    const std::vector<float> drawn = latent_mask(*request_.mask, settings_.width, settings_.height,
                                                 static_cast<int>(m_.vae.spatial_factor()));
    std::vector<float> kept;
    for (const float d : drawn) kept.push_back(1.0f - d);
    const auto upload = [&](const std::vector<float>& values) {
      const Tensor t = ctx_.arena.tensor(DType::kF32, {1, std::ssize(values)});
      ctx_.backend.upload(t, std::as_bytes(std::span(values)));
      return t;
    };
    known.drawn = upload(drawn);
    known.kept = upload(kept);
  }

  // Writes what the first step begins with.
  void begin(const Tensor& latents) const {
    std::vector<float> noise(static_cast<std::size_t>(latents.numel()));
    std::vector<float> z(encoded_ ? noise.size() : 0);
    const std::size_t each = noise.size() / static_cast<std::size_t>(request_.batch);
    for (std::size_t i = 0; i < static_cast<std::size_t>(request_.batch); ++i) {
      TorchGenerator generator(settings_.seed + i);
      const std::span row = std::span(noise).subspan(i * each, each);
      if (encoded_) {
        generator.randn(row);
        encoded_->sample(row, std::span(z).subspan(i * each, each));
      }
      generator.randn(row);
    }
    if (request_.noise) noise = request_.noise->values;
    ctx_.backend.upload(noise_, std::as_bytes(std::span(noise)));
    if (encoded_) ctx_.backend.upload(z_, std::as_bytes(std::span(z)));
    const float sigma = run_sigmas(settings_, request_.compat).front();
    for (std::size_t i = 0; i < known_.size(); ++i) {
      const auto b = static_cast<std::int64_t>(i);
      add_noise(ctx_, slice(latents, 0, b, b + 1), known_[i], sigma);
    }
  }

  [[nodiscard]] SamplingArgs sampling(const Tensor& latents, const Guidance& guidance) const {
    const std::vector<float> sigmas = run_sigmas(settings_, request_.compat);
    return {.mmdit = m_.mmdit,
            .latents = latents,
            .cond = cond_,
            .uncond = uncond_,
            .guidance = guidance,
            .rows = std::vector<Row>(static_cast<std::size_t>(request_.batch),
                                     Row(find_sampler(settings_.sampler), sigmas)),
            .known = known_,
            .on_modulation = {},
            .on_step = {}};
  }

  void denoise(const Tensor& latents, const Guidance& guidance) {
    const Timer timer;
    SamplingArgs args = sampling(latents, guidance);
    args.on_modulation = [&] {
      ctx_.backend.synchronize();
      result_.seconds.modulation = timer.seconds();
      report(hooks_,
             {.stage = Stage::kModulation, .step = 1, .steps = 1, .seconds = timer.seconds()});
    };
    args.on_step = [&](int step) {
      if (hooks_.dump && request_.dump_steps) dump("latents." + std::to_string(step), latents);
      report(hooks_, {.stage = Stage::kDenoise,
                      .step = step + 1,
                      .steps = settings_.run_steps,
                      .seconds = timer.seconds() - result_.seconds.modulation});
    };
    args.on_step_reads_latents = hooks_.dump && request_.dump_steps;
    sample(ctx_, args);
    std::string stage = "denoising";
    require_finite(ctx_, {latents}, stage, [&](Ctx ctx) {
      begin(latents);
      SamplingArgs again = sampling(latents, guidance);
      again.on_modulation = [&] { stage = "denoising, step 1"; };
      again.on_step = [&](int step) {
        (*ctx.observer)("output layer", latents);
        stage = format("denoising, step %d", step + 2);
      };
      again.on_step_reads_latents = true;
      sample(ctx, again);
    });
    dump("latents", latents);
    result_.seconds.denoise = timer.seconds() - result_.seconds.modulation;
  }

  void decode(const Tensor& latents) {
    const Timer timer;
    FloatArray images{.dims = {latents.dim(0), 3, settings_.height, settings_.width}, .values = {}};
    DecodeArgs args{.vae = m_.vae, .latents = {}, .compat = request_.compat, .seed = 0, .look = {}};
    if (hooks_.dump) {
      args.look = [&](const Tensor& image) { append_planar(images, download(ctx_, image)); };
    }
    for (std::int64_t b = 0; b < latents.dim(0); ++b) {
      args.latents = slice(latents, 0, b, b + 1);
      args.seed = settings_.seed + static_cast<std::uint64_t>(b);
      result_.pictures.push_back(decode_picture(ctx_, args));
    }
    if (hooks_.dump) hooks_.dump("image", std::move(images));
    result_.seconds.decode = timer.seconds();
    report(hooks_, {.stage = Stage::kDecode, .step = 1, .steps = 1, .seconds = timer.seconds()});
  }

  // [1, H, W, 3] in [-1, 1] to [3, H, W] in [0, 1], the form of --dump.
  static void append_planar(FloatArray& images, const FloatArray& image) {
    const std::size_t pixels = image.values.size() / 3;
    for (std::size_t channel = 0; channel < 3; ++channel) {
      for (std::size_t i = 0; i < pixels; ++i) {
        const float value = image.values[3 * i + channel] / 2.0f + 0.5f;
        images.values.push_back(std::min(std::max(value, 0.0f), 1.0f));
      }
    }
  }

  Ctx ctx_;
  const Models& m_;
  const GenerateRequest& request_;
  const UsedSettings& settings_;
  const GenerateHooks& hooks_;
  std::vector<PromptTokens> tokens_;  // of the prompt, and of the negative one if it is used
  EncodedPrompt cond_, uncond_;
  std::optional<EncodedPicture> encoded_;  // the init picture
  Tensor noise_, z_;                       // of all pictures; z_ of the init picture
  std::vector<KnownLatents> known_;        // of each picture, with an init picture
  GenerateResult result_;
};

}  // namespace

GenerateResult run_pipeline(Ctx ctx, const Models& models, const GenerateRequest& request,
                            const UsedSettings& settings, const GenerateHooks& hooks) {
  return Generation(ctx, models, request, settings, hooks).run();
}

std::size_t plan_activations(const Models& models, const GenerateRequest& request,
                             const UsedSettings& settings, DType stream) {
  const auto null = make_null_backend({.stream = stream});
  Arena arena(null->allocate(kNullArenaBytes));
  return run_pipeline({*null, arena}, models, request, settings, {}).activation_peak_bytes;
}

}  // namespace octet
