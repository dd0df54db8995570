#include "pipeline/denoiser.h"

#include <algorithm>

#include "backend/ops_checked.h"
#include "base/check.h"

namespace octet {
namespace {

Tensor like(Ctx ctx, const Tensor& t) { return ctx.arena.tensor(t.dtype, t.rank, t.dims); }

std::span<const float> one(const float& value) { return {&value, 1}; }

// out = u*uncond + c*cond + s*skipped; predictions that guidance does not need are empty.
struct Predictions {
  Tensor uncond, cond, skipped;
};

// The guided prediction of a track, in the place of the one with its prompt.
Tensor guide(Ctx ctx, const Track& track, const Predictions& p) {
  if (!p.uncond) return p.cond;
  const GuidanceCoefficients g = track.guidance->coefficients(track.row.step());
  LinearCombinationArgs args{
      .dst = p.cond,
      .terms = {LinearTerm{p.uncond, one(g.uncond)}, LinearTerm{p.cond, one(g.cond)}}};
  if (p.skipped) args.terms[2] = {p.skipped, one(g.skipped)};
  ops::linear_combination(ctx, args);
  return p.cond;
}

// What the velocity v says of the picture without noise.
void estimate_x0(Ctx ctx, const Tensor& dst, const Track& track, const Tensor& v) {
  const float same = 1, minus_sigma = -track.row.sigma();
  ops::linear_combination(
      ctx, {.dst = dst,
            .terms = {LinearTerm{track.latents, one(same)}, LinearTerm{v, one(minus_sigma)}}});
}

// The sampler's step along the velocity v.
void advance(Ctx ctx, Track& track, const Tensor& v) {
  const StepCoefficients c = track.row.coefficients();
  const Tensor& x = track.latents;
  LinearCombinationArgs next{.dst = x, .terms = {LinearTerm{x, one(c.x)}, LinearTerm{v, one(c.v)}}};
  if (track.estimate) estimate_x0(ctx, track.estimate, track, v);
  if (track.x0) {
    estimate_x0(ctx, track.x0, track, v);
    next.terms[2] = {track.x0_previous, one(c.previous)};
  }
  ops::linear_combination(ctx, next);
  std::swap(track.x0, track.x0_previous);
  track.row.advance();
  if (track.known.kept) restore_kept(ctx, x, track.known, track.row.sigma());
}

}  // namespace

/// One prediction: of which track, with which prompt, to where.
struct Denoiser::NetworkRow {
  const Track* track;
  const Conditioning* prompt;
  std::span<const int> skip_layers;
  Tensor* velocity;

  [[nodiscard]] std::int64_t text_length() const { return prompt->text.dim(1); }
  // Rows that are alike in this share a batch.
  [[nodiscard]] bool fits(const NetworkRow& other) const {
    return text_length() == other.text_length() &&
           std::ranges::equal(skip_layers, other.skip_layers);
  }
  [[nodiscard]] bool before(const NetworkRow& other) const {
    if (!std::ranges::equal(skip_layers, other.skip_layers)) {
      return std::ranges::lexicographical_compare(skip_layers, other.skip_layers);
    }
    return text_length() < other.text_length();
  }
};

Conditioning make_conditioning(Arena& arena, const Mmdit& mmdit, const EncodedPrompt& prompt,
                               std::size_t steps) {
  return {.text = prompt.text,
          .modulation = arena.tensor(DType::kF32,
                                     {static_cast<std::int64_t>(steps), mmdit.modulation_width()})};
}

void modulate(Ctx ctx, const Mmdit& mmdit, std::span<const Conditioning> conditioning,
              std::span<const EncodedPrompt> prompts, std::span<const float> timesteps) {
  const Arena::Scope scope(ctx.arena);
  const auto steps = static_cast<std::int64_t>(timesteps.size());
  const Tensor t = ctx.arena.tensor(DType::kF32, {steps});
  ctx.backend.upload(t, std::as_bytes(timesteps));
  std::vector<ModulationRows> rows;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const Tensor pooled = ctx.arena.tensor(DType::kF32, {steps, prompts[i].pooled.dim(1)});
    for (std::int64_t step = 0; step < steps; ++step) {
      ops::copy(ctx, {.dst = select(pooled, 0, step), .src = select(prompts[i].pooled, 0, 0)});
    }
    rows.push_back({.dst = conditioning[i].modulation, .pooled = pooled});
  }
  mmdit.modulation(ctx, rows, t);
}

std::vector<float> timesteps_of(Row row) {
  std::vector<float> t;
  for (; !row.done(); row.advance()) t.push_back(row.timestep());
  return t;
}

Track make_track(Ctx ctx, Track track) {
  if (!track.row.uses_history()) return track;
  track.x0 = like(ctx, track.latents);
  track.x0_previous = like(ctx, track.latents);
  ops::fill(ctx, {.dst = track.x0_previous});
  return track;
}

void Denoiser::step(Ctx ctx, std::span<Track* const> tracks) {
  const Arena::Scope scope(ctx.arena);
  std::vector<Predictions> predictions(tracks.size());
  // Rows without the prompt first, as diffusers orders them.
  std::vector<NetworkRow> rows;
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    const Track& t = *tracks[i];
    if (t.uncond != nullptr) rows.push_back({&t, t.uncond, {}, &predictions[i].uncond});
  }
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    const Track& t = *tracks[i];
    rows.push_back({&t, t.cond, {}, &predictions[i].cond});
  }
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    const Track& t = *tracks[i];
    if (t.uncond == nullptr || !t.guidance->uses_skipped(t.row.step())) continue;
    rows.push_back({&t, t.cond, t.guidance->skip_layers(), &predictions[i].skipped});
  }
  predict(ctx, rows);
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    advance(ctx, *tracks[i], guide(ctx, *tracks[i], predictions[i]));
  }
}

void Denoiser::predict(Ctx ctx, std::span<NetworkRow> rows) {
  std::ranges::stable_sort(rows,
                           [](const NetworkRow& a, const NetworkRow& b) { return a.before(b); });
  Dims dims = rows.front().track->latents.dims;
  const auto batch_like = [&](std::size_t n) {
    dims[0] = static_cast<std::int64_t>(n);
    return ctx.arena.tensor(DType::kF32, 4, dims);
  };
  const Tensor velocity = batch_like(rows.size());
  for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    while (end < rows.size() && rows[end].fits(rows[begin])) ++end;
    const Arena::Scope scope(ctx.arena);
    const Tensor& text = rows[begin].prompt->text;
    const auto n = static_cast<std::int64_t>(end - begin);
    const MmditInput in{.latents = batch_like(end - begin),
                        .text = ctx.arena.tensor(DType::kF32, {n, text.dim(1), text.dim(2)}),
                        .modulation = ctx.arena.tensor(DType::kF32, {n, mmdit_.modulation_width()}),
                        .skip_layers = rows[begin].skip_layers};
    for (std::int64_t i = 0; i < n; ++i) {
      const NetworkRow& row = rows[begin + static_cast<std::size_t>(i)];
      const auto fill = [&](const Tensor& dst, const Tensor& src, std::int64_t at) {
        ops::copy(ctx, {.dst = select(dst, 0, i), .src = select(src, 0, at)});
      };
      fill(in.latents, row.track->latents, 0);
      fill(in.text, row.prompt->text, 0);
      fill(in.modulation, row.prompt->modulation, row.track->row.step());
    }
    const auto at = [](std::size_t index) { return static_cast<std::int64_t>(index); };
    run(ctx, slice(velocity, 0, at(begin), at(end)), in);
    for (std::size_t i = begin; i < end; ++i) {
      *rows[i].velocity = slice(velocity, 0, at(i), at(i) + 1);
    }
  }
}

// The arena hands out the same places for the same batch, so a backend may record the first call
// and repeat it.
void Denoiser::run(Ctx ctx, const Tensor& dst, const MmditInput& in) {
  if (ctx.observer != nullptr) {  // who looks at values cannot be recorded
    mmdit_.forward(ctx, dst, in);
    return;
  }
  constexpr std::size_t kMaxRecordings = 64;  // requests choose what is skipped
  const Place place{.dst = dst.data,
                    .modulation = in.modulation.data,
                    .latents = in.latents.dims,
                    .text_length = in.text.dim(1),
                    .skip_layers = {in.skip_layers.begin(), in.skip_layers.end()}};
  if (recordings_.size() >= kMaxRecordings && !recordings_.contains(place)) recordings_.clear();
  ctx.backend.repeat(recordings_[place], [&] { mmdit_.forward(ctx, dst, in); });
}

}  // namespace octet
