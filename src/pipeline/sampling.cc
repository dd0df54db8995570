#include "pipeline/sampling.h"

#include <algorithm>

#include "backend/ops_checked.h"
#include "base/check.h"

namespace octet {
namespace {

// Copies row 0 of `src` into every row of `dst`.
void broadcast(Ctx ctx, const Tensor& dst, const Tensor& src) {
  for (std::int64_t b = 0; b < dst.dim(0); ++b) {
    ops::copy(ctx, {.dst = select(dst, 0, b), .src = select(src, 0, 0)});
  }
}

Tensor like(Ctx ctx, const Tensor& t) { return ctx.arena.tensor(t.dtype, t.rank, t.dims); }

/// A prompt's side of the run: its text for every row, its modulation for every step.
class Branch {
 public:
  Branch(Ctx ctx, const Mmdit& mmdit, const EncodedPrompt& prompt, std::span<const float> timesteps,
         std::int64_t batch)
      : text_(ctx.arena.tensor(DType::kF32, {batch, prompt.text.dim(1), prompt.text.dim(2)})) {
    const auto steps = static_cast<std::int64_t>(timesteps.size());
    steps_ = ctx.arena.tensor(DType::kF32, {steps, mmdit.modulation_width()});
    broadcast(ctx, text_, prompt.text);
    const Arena::Scope scope(ctx.arena);
    const Tensor t = ctx.arena.tensor(DType::kF32, {steps});
    ctx.backend.upload(t, std::as_bytes(timesteps));
    const Tensor pooled = ctx.arena.tensor(DType::kF32, {steps, prompt.pooled.dim(1)});
    broadcast(ctx, pooled, prompt.pooled);
    mmdit.modulation(ctx, steps_, t, pooled);
  }

  [[nodiscard]] const Tensor& text() const { return text_; }
  /// The modulation vectors of one step, for each row of dst.
  void modulation(Ctx ctx, const Tensor& dst, int step) const {
    broadcast(ctx, dst, slice(steps_, 0, step, step + 1));
  }

 private:
  Tensor text_;   // [B, L, text_width]
  Tensor steps_;  // [steps, modulation_width]
};

/// Runs the network for one or several branches, in one batch where their texts are equally long.
class Network {
 public:
  Network(const Mmdit& mmdit, const Tensor& latents) : mmdit_(mmdit), latents_(latents) {}

  /// One recording per way in which a step calls the network.
  enum Call : std::uint8_t { kCond, kUncond, kBoth, kSkipped, kCalls };

  void predict(Ctx ctx, const Tensor& dst, const Branch& branch, int step, Call call,
               std::span<const int> skip_layers = {}) {
    const Arena::Scope scope(ctx.arena);
    const Tensor modulation =
        ctx.arena.tensor(DType::kF32, {latents_.dim(0), mmdit_.modulation_width()});
    branch.modulation(ctx, modulation, step);
    run(ctx, call, dst,
        {.latents = latents_,
         .text = branch.text(),
         .modulation = modulation,
         .skip_layers = skip_layers});
  }

  /// dst [2B, C, H, W]: uncond rows, then cond rows, as diffusers orders them.
  void predict_both(Ctx ctx, const Tensor& dst, const Branch& uncond, const Branch& cond,
                    int step) {
    const std::int64_t b = latents_.dim(0);
    if (uncond.text().dim(1) != cond.text().dim(1)) {
      predict(ctx, slice(dst, 0, 0, b), uncond, step, kUncond);
      predict(ctx, slice(dst, 0, b, 2 * b), cond, step, kCond);
      return;
    }
    const Arena::Scope scope(ctx.arena);
    const Tensor latents = like(ctx, dst);
    const Tensor text =
        ctx.arena.tensor(DType::kF32, {2 * b, cond.text().dim(1), cond.text().dim(2)});
    const Tensor modulation = ctx.arena.tensor(DType::kF32, {2 * b, mmdit_.modulation_width()});
    const auto half = [&](const Branch& branch, std::int64_t begin) {
      ops::copy(ctx, {.dst = slice(latents, 0, begin, begin + b), .src = latents_});
      ops::copy(ctx, {.dst = slice(text, 0, begin, begin + b), .src = branch.text()});
      branch.modulation(ctx, slice(modulation, 0, begin, begin + b), step);
    };
    half(uncond, 0);
    half(cond, b);
    run(ctx, kBoth, dst, {.latents = latents, .text = text, .modulation = modulation});
  }

 private:
  // The arena hands out the same places at every step, so a backend may record the first and
  // replay.
  void run(Ctx ctx, Call call, const Tensor& dst, const MmditInput& in) {
    if (ctx.observer != nullptr) {  // who looks at values cannot be recorded
      mmdit_.forward(ctx, dst, in);
      return;
    }
    ctx.backend.repeat(recordings_[call], [&] { mmdit_.forward(ctx, dst, in); });
  }

  const Mmdit& mmdit_;
  Tensor latents_;
  std::array<std::unique_ptr<Recording>, kCalls> recordings_;
};

/// The guided prediction of a step: out = u*uncond + c*cond + s*skipped.
struct Predictor {
  Network& network;
  const Guidance& guidance;
  const Branch& cond;
  const Branch* uncond;  // null without guidance

  void operator()(Ctx ctx, const Tensor& dst, int step) const {
    if (uncond == nullptr) {
      network.predict(ctx, dst, cond, step, Network::kCond);
      return;
    }
    const Arena::Scope scope(ctx.arena);
    const std::int64_t b = dst.dim(0);
    const Tensor both = ctx.arena.tensor(DType::kF32, {2 * b, dst.dim(1), dst.dim(2), dst.dim(3)});
    network.predict_both(ctx, both, *uncond, cond, step);
    const std::vector<GuidanceCoefficients> rows(static_cast<std::size_t>(b),
                                                 guidance.coefficients(step));
    const BatchGuidance g = gather_guidance(rows);
    LinearCombinationArgs args{.dst = dst,
                               .terms = {LinearTerm{slice(both, 0, 0, b), g.uncond},
                                         LinearTerm{slice(both, 0, b, 2 * b), g.cond}}};
    if (guidance.uses_skipped(step)) {
      const Tensor skipped = like(ctx, dst);
      network.predict(ctx, skipped, cond, step, Network::kSkipped, guidance.skip_layers());
      args.terms[2] = {skipped, g.skipped};
    }
    ops::linear_combination(ctx, args);
  }
};

/// Latents, velocity and the history that second-order samplers need.
class Stepper {
 public:
  Stepper(Ctx ctx, const Tensor& latents, bool history) : x_(latents), v_(like(ctx, latents)) {
    if (!history) return;
    x0_ = like(ctx, latents);
    x0_previous_ = like(ctx, latents);
    ops::fill(ctx, {.dst = x0_previous_});
  }
  [[nodiscard]] const Tensor& velocity() const { return v_; }

  void advance(Ctx ctx, std::vector<Row>& rows) {
    std::vector<const Row*> pointers;
    for (const Row& row : rows) pointers.push_back(&row);
    const BatchStep s = gather_step(pointers);
    LinearCombinationArgs next{.dst = x_, .terms = {LinearTerm{x_, s.x}, LinearTerm{v_, s.v}}};
    if (s.uses_history) {
      ops::linear_combination(
          ctx, {.dst = x0_, .terms = {LinearTerm{x_, s.one}, LinearTerm{v_, s.minus_sigma}}});
      next.terms[2] = {x0_previous_, s.previous};
    }
    ops::linear_combination(ctx, next);
    std::swap(x0_, x0_previous_);
    for (Row& row : rows) row.advance();
  }

 private:
  Tensor x_, v_, x0_, x0_previous_;
};

// Timesteps of a run, from a row before its first step.
std::vector<float> timesteps_of(Row row) {
  std::vector<float> t;
  for (; !row.done(); row.advance()) t.push_back(row.timestep());
  return t;
}

}  // namespace

void sample(Ctx ctx, SamplingArgs& args) {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t batch = args.latents.dim(0);
  OCTET_CHECK(static_cast<std::int64_t>(args.rows.size()) == batch, "rows of the batch");
  const std::vector<float> timesteps = timesteps_of(args.rows.front());
  const Branch cond(ctx, args.mmdit, args.cond, timesteps, batch);
  std::optional<Branch> uncond;
  if (args.guidance.uses_uncond()) {
    uncond.emplace(ctx, args.mmdit, args.uncond, timesteps, batch);
  }
  if (args.on_modulation) args.on_modulation();
  const bool history = std::any_of(args.rows.begin(), args.rows.end(),
                                   [](const Row& row) { return row.uses_history(); });
  Stepper stepper(ctx, args.latents, history);
  Network network(args.mmdit, args.latents);
  const Predictor predict{network, args.guidance, cond, uncond ? &*uncond : nullptr};
  // Steps are reported when the device has finished them, not when they were handed to it.
  int reported = 0;
  const auto report_until = [&](int end) {
    for (; reported < end; ++reported) {
      if (args.on_step) args.on_step(reported);
    }
  };
  const auto steps = static_cast<int>(timesteps.size());
  for (int step = 0; step < steps; ++step) {
    predict(ctx, stepper.velocity(), step);
    stepper.advance(ctx, args.rows);
    int running = ctx.backend.finish_unit();
    if (args.on_step_reads_latents || step + 1 == steps) {
      ctx.backend.synchronize();
      running = 0;
    }
    report_until(step + 1 - running);
  }
}

}  // namespace octet
