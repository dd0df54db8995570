#include "pipeline/generate.h"

#include <algorithm>

#include "backend/null/null_backend.h"
#include "base/check.h"
#include "base/stopwatch.h"
#include "pipeline/conditioning.h"
#include "pipeline/decoding.h"
#include "pipeline/finite_check.h"
#include "pipeline/sampling.h"
#include "pipeline/start_latents.h"

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
    const Guidance guidance = request_guidance(request_, settings_, m_.mmdit);
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

  void encode_init() {
    const Timer timer;
    encoded_.emplace(ctx_, m_.vae, *request_.init, settings_.width, settings_.height);
    result_.warnings = init_remarks(request_, settings_);
    result_.seconds.init = timer.seconds();
    report(hooks_, {.stage = Stage::kInit, .step = 1, .steps = 1, .seconds = timer.seconds()});
  }

  Tensor draw_noise() {
    start_ = make_start(ctx_.arena, m_, request_, settings_);
    begin(ctx_);
    dump("noise", start_.noise);
    if (encoded_) dump("init_latents", start_.z);
    return start_.latents;
  }

  // Writes what the first step begins with.
  void begin(Ctx ctx) const {
    write_start(ctx, start_, request_, settings_, encoded_ ? &*encoded_ : nullptr);
  }

  [[nodiscard]] SamplingArgs sampling(const Tensor& latents, const Guidance& guidance) const {
    return {.mmdit = m_.mmdit,
            .latents = latents,
            .cond = cond_,
            .uncond = uncond_,
            .guidance = guidance,
            .rows = std::vector<Row>(static_cast<std::size_t>(request_.batch),
                                     request_row(request_, settings_)),
            .known = start_.known,
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
      begin(ctx);
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
    result_.pictures.reserve(static_cast<std::size_t>(latents.dim(0)));  // none moves
    for (std::int64_t b = 0; b < latents.dim(0); ++b) {
      args.latents = slice(latents, 0, b, b + 1);
      args.seed = settings_.seed + static_cast<std::uint64_t>(b);
      result_.pictures.push_back(decode_picture(ctx_, args));
      if (hooks_.picture) hooks_.picture(result_.pictures.back(), settings_);
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
  StartLatents start_;
  GenerateResult result_;
};

}  // namespace

GenerateResult run_pipeline(Ctx ctx, const Models& models, const GenerateRequest& request,
                            const UsedSettings& settings, const GenerateHooks& hooks) {
  return Generation(ctx, models, request, settings, hooks).run();
}

std::size_t plan_activations(const Models& models, const GenerateRequest& request,
                             const UsedSettings& settings, DType stream, DeviceScratch* scratch) {
  const auto null = make_null_backend({.stream = stream, .scratch = scratch});
  Arena arena(null->allocate(kNullArenaBytes));
  return run_pipeline({*null, arena}, models, request, settings, {}).activation_peak_bytes;
}

}  // namespace octet
