#include "engine/profiling.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "backend/null/null_backend.h"
#include "backend/ops_checked.h"
#include "backend/profile/profiling_backend.h"
#include "pipeline/generate.h"

namespace octet {
namespace {

constexpr const char* name_of(Stage stage) {
  switch (stage) {
    case Stage::kText:
      return "text";
    case Stage::kInit:
      return "init";
    case Stage::kModulation:
      return "modulation";
    case Stage::kDenoise:
      return "denoise";
    case Stage::kDecode:
      break;
  }
  return "decode";
}

// A report means that its stage, or a step of it, has ended: the next ops belong to what follows.
Stage after(const Progress& p) {
  if (p.stage == Stage::kInit) return Stage::kText;
  if (p.stage == Stage::kText) return Stage::kModulation;
  if (p.stage == Stage::kModulation || p.step < p.steps) return Stage::kDenoise;
  return Stage::kDecode;
}

GenerateHooks stage_hooks(OpLog& log, const GenerateRequest& request) {
  log.stage = name_of(request.init ? Stage::kInit : Stage::kText);
  return {.progress =
              [&log](const Progress& p) {
                log.stage = name_of(after(p));
                return true;
              },
          .dump = {}};
}

std::vector<OpRow> gather(const OpLog& log) {
  std::vector<OpRow> rows;
  std::map<std::string, std::size_t> index;
  for (const OpCall& call : log.calls) {
    const OpCost& cost = call.cost;
    const auto [it, fresh] =
        index.emplace(call.stage + " " + cost.op + " " + cost.shape + cost.numbers, rows.size());
    if (fresh) {
      rows.push_back(
          {.stage = call.stage, .op = cost.op, .shape = cost.shape, .numbers = cost.numbers});
    }
    OpRow& row = rows[it->second];
    ++row.calls;
    row.seconds += call.seconds;
    row.flops += cost.flops;
    row.bytes += cost.bytes;
  }
  return rows;
}

/// Seconds of one call, the best of several, after one to warm up.
template <typename Call>
double best_seconds(Backend& backend, const Call& call) {
  constexpr int kRuns = 5;
  double best = 0;
  for (int i = 0; i <= kRuns; ++i) {
    const auto clock = backend.make_clock();
    clock->mark();
    call();
    clock->mark();
    const double seconds = clock->seconds().back();
    if (i == 1 || (i > 1 && seconds < best)) best = seconds;
  }
  return best;
}

constexpr double kLongEnough = 2e-3;  // s; shorter measurements grow

double copy_rate(Backend& backend) {
  constexpr std::int64_t kMost = std::int64_t{1} << 27;  // floats
  for (std::int64_t count = std::int64_t{1} << 22;; count *= 4) {
    const auto bytes = static_cast<std::size_t>(count) * sizeof(float);
    Arena arena(backend.allocate(2 * bytes));
    const Tensor a = arena.tensor(DType::kF32, {count});
    const Tensor b = arena.tensor(DType::kF32, {count});
    const Ctx ctx{backend, arena};
    ops::fill(ctx, {.dst = a, .value = 1});
    const double seconds = best_seconds(backend, [&] { ops::copy(ctx, {.dst = b, .src = a}); });
    if (seconds >= kLongEnough || count >= kMost) return 2.0 * static_cast<double>(bytes) / seconds;
  }
}

/// A square weight of random codes.
class RandomBytes final : public DeferredBytes {
 public:
  RandomBytes(std::int64_t side, DType dtype) : side_(side), codes_{.dtype = dtype, .seed = 1} {}
  std::int64_t rows() const override { return side_; }
  std::size_t row_bytes() const override {
    return static_cast<std::size_t>(side_) * size_of(codes_.dtype);
  }
  void read(std::int64_t first, std::int64_t, std::span<std::byte> destination) const override {
    fill_random(codes_, static_cast<std::uint64_t>(first) * row_bytes(), destination);
  }
  const RandomCodes* formula() const override { return &codes_; }

 private:
  std::int64_t side_;
  RandomCodes codes_;
};

double product_rate(Backend& backend, DType dtype, Compute compute) {
  constexpr std::int64_t kMost = 8192;
  for (std::int64_t side = 512;; side *= 2) {
    HostWeight host{.name = "ceiling", .dtype = dtype, .dims = {side, side}};
    host.deferred = {std::make_shared<RandomBytes>(side, dtype)};
    if (is_fp8(dtype)) {
      host.scale_kind = ScaleKind::kRow;
      host.scale.assign(static_cast<std::size_t>(side), 1.0f);
    }
    if (!backend.takes_deferred()) {
      host.data = read_all(host.deferred);
      host.deferred.clear();
    }
    const Weight weight = backend.prepare(host, compute);
    const auto values = static_cast<std::size_t>(side * side);
    std::vector<float> noise(values);
    fill_random({.seed = 2}, 0, std::as_writable_bytes(std::span(noise)));
    Arena arena(backend.allocate(values * 16 + (std::size_t{1} << 20)));
    const Ctx ctx{backend, arena};
    const Tensor source = arena.tensor(DType::kF32, {side, side});
    backend.upload(source, std::as_bytes(std::span(noise)));
    backend.synchronize();
    const Activation x = as_input(ctx, weight, source);
    const Tensor y = arena.tensor(backend.stream_dtype(compute), {side, side});
    const double seconds =
        best_seconds(backend, [&] { ops::linear(ctx, {.dst = y, .x = x, .weight = &weight}); });
    if (seconds >= kLongEnough / 4 || side >= kMost) {
      return 2.0 * static_cast<double>(side) * static_cast<double>(values) / seconds;
    }
  }
}

}  // namespace

Profile count_work(const Models& models, const GenerateRequest& request,
                   const UsedSettings& settings, DType stream) {
  const auto null = make_null_backend({.stream = stream});
  OpLog log;
  const auto counting = make_profiling_backend(*null, log, false);
  Arena arena(null->allocate(kNullArenaBytes));
  (void)run_pipeline({*counting, arena}, models, request, settings, stage_hooks(log, request));
  return {.rows = gather(log), .steps = settings.steps, .ceilings = {}};
}

Profile measure_ops(Ctx ctx, const Models& models, const GenerateRequest& request,
                    const UsedSettings& settings, Compute compute) {
  Profile profile{.rows = {}, .steps = settings.steps, .ceilings = {}};
  profile.ceilings = measure_ceilings(ctx.backend, compute == Compute::kFP8);
  OpLog log;
  const auto timing = make_profiling_backend(ctx.backend, log, true);
  (void)run_pipeline({*timing, ctx.arena}, models, request, settings, stage_hooks(log, request));
  timing->finish();
  profile.rows = gather(log);
  std::stable_sort(profile.rows.begin(), profile.rows.end(),
                   [](const OpRow& a, const OpRow& b) { return a.seconds > b.seconds; });
  return profile;
}

Ceilings measure_ceilings(Backend& backend, bool fp8) {
  Ceilings c;
  c.copy_bytes_per_second = copy_rate(backend);
  c.f32_flops_per_second = product_rate(backend, DType::kF32, Compute::kF32);
  c.bf16_flops_per_second = product_rate(backend, DType::kBF16, Compute::kBF16);
  if (fp8) c.fp8_flops_per_second = product_rate(backend, DType::kF8E4M3, Compute::kFP8);
  return c;
}

}  // namespace octet
