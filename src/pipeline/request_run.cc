#include "pipeline/request_run.h"

#include <algorithm>
#include <map>
#include <utility>

#include "backend/null/null_backend.h"
#include "backend/ops_checked.h"
#include "base/format.h"
#include "pipeline/decoding.h"
#include "pipeline/finite_check.h"
#include "pipeline/sampling.h"
#include "pipeline/settings.h"

namespace octet {

PreparedRequest prepare_request(const Models& models, GenerateRequest request) {
  const UsedSettings s = resolve_settings(request, models);
  PreparedRequest p{.request = {},
                    .settings = s,
                    .tokens = {},
                    .guidance = request_guidance(request, s, models.mmdit),
                    .row = request_row(request, s),
                    .warnings = init_remarks(request, s)};
  p.request = std::move(request);
  const auto tokenize = [&](const std::string& prompt, const char* field) {
    p.tokens.push_back(tokenize_prompt(models.text, prompt,
                                       {.compat = p.request.compat, .t5_length = s.t5_length},
                                       field, p.warnings));
  };
  tokenize(p.request.prompt, "prompt");
  if (p.guidance.uses_uncond()) tokenize(p.request.negative_prompt, "negative prompt");
  return p;
}

namespace {

const char* field(std::size_t prompt) { return prompt == 0 ? "prompt" : "negative prompt"; }

PromptKey key_of(const PreparedRequest& p, std::size_t prompt) {
  const GenerateRequest& r = p.request;
  return {.text = prompt == 0 ? r.prompt : r.negative_prompt,
          .t5_length = p.settings.t5_length,
          .compat = r.compat};
}

void remember(Ctx ctx, PromptCache& cache, const PromptKey& key, const EncodedPrompt& encoded) {
  const auto download = [&](const Tensor& t) {
    std::vector<float> values(static_cast<std::size_t>(t.numel()));
    ctx.backend.download(std::as_writable_bytes(std::span(values)), t);
    return values;
  };
  cache.put(key, {.text = download(encoded.text), .pooled = download(encoded.pooled)});
}

}  // namespace

Prompts missing_prompts(std::span<const PreparedRequest* const> requests, PromptCache& cache) {
  Prompts missing;
  for (const PreparedRequest* request : requests) {
    for (std::size_t i = 0; i < request->tokens.size(); ++i) {
      const PromptKey key = key_of(*request, i);
      if (cache.find(key) == nullptr) missing[key] = {&request->tokens[i], field(i)};
    }
  }
  return missing;
}

void encode_ahead(Ctx ctx, const Models& models, Prompts missing, PromptCache* cache) {
  while (!missing.empty()) {
    const Arena::Scope scope(ctx.arena);
    const PromptTokens& first = *missing.begin()->second.first;
    std::vector<Prompts::iterator> alike;
    std::vector<PromptTokens> tokens;
    for (auto each = missing.begin(); each != missing.end(); ++each) {
      if (!same_lengths(*each->second.first, first)) continue;
      alike.push_back(each);
      tokens.push_back(*each->second.first);
    }
    const std::vector<EncodedPrompt> encoded =
        encode_each(ctx, models.text, models.mmdit.config(), tokens);
    for (std::size_t i = 0; i < alike.size(); ++i) {
      require_finite_text(ctx, models.text, tokens[i], encoded[i], alike[i]->second.second);
      if (cache != nullptr) remember(ctx, *cache, alike[i]->first, encoded[i]);
    }
    for (const auto& each : alike) missing.erase(each);
  }
}

RequestRun::RequestRun(const PreparedRequest& prepared, const Models& models, Backend& backend,
                       Arena keep)
    : prepared_(prepared), m_(models), keep_(std::move(keep)) {
  const MmditConfig& c = m_.mmdit.config();
  for (const PromptTokens& tokens : prepared_.tokens) {
    prompts_.push_back({.text = keep_.tensor(DType::kF32, {1, text_rows(tokens), c.text_width}),
                        .pooled = keep_.tensor(DType::kF32, {1, c.pooled_width})});
    conditioning_.push_back(make_conditioning(keep_, m_.mmdit, prompts_.back(),
                                              static_cast<std::size_t>(prepared_.row.steps())));
  }
  start_ = make_start(keep_, m_, prepared_.request, prepared_.settings);
  estimates_ = keep_.tensor(DType::kF32, start_.latents.rank, start_.latents.dims);
  for (std::int64_t i = 0; i < start_.latents.dim(0); ++i) {
    tracks_.push_back(make_track({backend, keep_},
                                 {.row = prepared_.row,
                                  .guidance = &prepared_.guidance,
                                  .cond = conditioning_.data(),
                                  .uncond = conditioning_.size() > 1 ? &conditioning_[1] : nullptr,
                                  .latents = slice(start_.latents, 0, i, i + 1)}));
    if (!start_.known.empty()) tracks_.back().known = start_.known[static_cast<std::size_t>(i)];
  }
}

void RequestRun::encode(Ctx ctx, PromptCache* cache) {
  const Arena::Scope scope(ctx.arena);
  std::vector<std::size_t> missing;
  std::vector<PromptTokens> tokens;
  for (std::size_t i = 0; i < prompts_.size(); ++i) {
    if (const PromptValues* known =
            cache != nullptr ? cache->find(key_of(prepared_, i)) : nullptr) {
      ctx.backend.upload(prompts_[i].text, std::as_bytes(std::span(known->text)));
      ctx.backend.upload(prompts_[i].pooled, std::as_bytes(std::span(known->pooled)));
      continue;
    }
    missing.push_back(i);
    tokens.push_back(prepared_.tokens[i]);
  }
  if (missing.empty()) return;
  const std::vector<EncodedPrompt> encoded = encode_each(ctx, m_.text, m_.mmdit.config(), tokens);
  for (std::size_t j = 0; j < missing.size(); ++j) {
    const std::size_t i = missing[j];
    require_finite_text(ctx, m_.text, tokens[j], encoded[j], field(i));
    ops::copy(ctx, {.dst = prompts_[i].text, .src = encoded[j].text});
    ops::copy(ctx, {.dst = prompts_[i].pooled, .src = encoded[j].pooled});
    if (cache != nullptr) remember(ctx, *cache, key_of(prepared_, i), prompts_[i]);
  }
}

void RequestRun::modulate(Ctx ctx) {
  octet::modulate(ctx, m_.mmdit, conditioning_, prompts_, timesteps_of(prepared_.row));
}

void RequestRun::encode_init(Ctx ctx) {
  const GenerateRequest& r = prepared_.request;
  const UsedSettings& s = prepared_.settings;
  if (r.init) encoded_.emplace(ctx, m_.vae, *r.init, s.width, s.height);
}

void RequestRun::begin(Ctx ctx) const {
  write_start(ctx, start_, prepared_.request, prepared_.settings, encoded_ ? &*encoded_ : nullptr);
}

void RequestRun::want_estimates(bool wanted) {
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    const auto b = static_cast<std::int64_t>(i);
    tracks_[i].estimate = wanted ? slice(estimates_, 0, b, b + 1) : Tensor{};
  }
}

std::vector<Picture> RequestRun::previews(Ctx ctx, const PreviewProjection& projection) const {
  std::vector<float> values(static_cast<std::size_t>(estimates_.numel()));
  ctx.backend.download(std::as_writable_bytes(std::span(values)), estimates_);
  const std::size_t each = values.size() / tracks_.size();
  std::vector<Picture> pictures;
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    pictures.push_back(projection.apply(std::span(values).subspan(i * each, each),
                                        static_cast<int>(estimates_.dim(3)),
                                        static_cast<int>(estimates_.dim(2))));
    pictures.back().seed = prepared_.settings.seed + i;
  }
  return pictures;
}

void RequestRun::check(Ctx ctx) {
  std::string stage = "denoising";
  require_finite(ctx, {start_.latents}, stage, [&](Ctx again) { repeat_steps(again, stage); });
}

void RequestRun::repeat_steps(Ctx ctx, std::string& stage) {
  begin(ctx);
  want_estimates(false);
  std::vector<Track*> all;
  for (Track& track : tracks_) {
    track.row = prepared_.row;
    if (track.x0_previous) ops::fill(ctx, {.dst = track.x0_previous});
    all.push_back(&track);
  }
  Denoiser denoiser(m_.mmdit);
  for (int step = 1; !tracks_.front().row.done(); ++step) {
    stage = format("denoising, step %d", step);
    denoiser.step(ctx, all);
    (*ctx.observer)("output layer", start_.latents);
  }
}

Picture RequestRun::decode(Ctx ctx, std::size_t picture) const {
  return decode_picture(ctx, {.vae = m_.vae,
                              .latents = tracks_[picture].latents,
                              .compat = prepared_.request.compat,
                              .seed = prepared_.settings.seed + picture,
                              .look = {}});
}

std::size_t plan_alone(const Models& models, Backend& null, RequestRun& run) {
  Arena scratch(null.allocate(kNullArenaBytes));
  const Ctx ctx{null, scratch};
  run.encode_init(ctx);
  run.encode(ctx, nullptr);
  run.modulate(ctx);
  (void)run.decode(ctx, 0);
  const std::span<Track> tracks = run.tracks();
  return std::max(scratch.peak(), plan_step(models, null, {tracks.begin(), tracks.end()}));
}

std::size_t plan_step(const Models& models, Backend& null, std::vector<Track> tracks) {
  Arena scratch(null.allocate(kNullArenaBytes));
  // Whoever skips layers at some step has one row more there.
  const std::size_t count = tracks.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (!tracks[i].guidance->uses_skipped()) continue;
    tracks.push_back(tracks[i]);
    tracks.back().uncond = nullptr;
  }
  std::vector<Track*> all;
  for (Track& track : tracks) all.push_back(&track);
  Denoiser(models.mmdit).step({null, scratch}, all);
  return scratch.peak();
}

}  // namespace octet
