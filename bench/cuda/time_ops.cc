// Times the CUDA backend's ops at the shapes of a model: one row per op with milliseconds, TFLOP/s
// or TB/s. Run on an otherwise idle GPU: bench_ops_cuda [part of a name]
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/ops_checked.h"
#include "tensor/random_codes.h"

namespace octet {
namespace {

constexpr int kRuns = 20;

class Bench {
 public:
  Bench(Backend& backend, const char* wanted)
      : backend_(backend), wanted_(wanted), arena_(backend.allocate(std::size_t{12} << 30)) {}

  [[nodiscard]] Ctx ctx() { return {backend_, arena_}; }
  [[nodiscard]] Arena& arena() { return arena_; }

  Tensor random(DType dtype, std::initializer_list<std::int64_t> dims, float deviation = 1) {
    const Tensor t = arena_.tensor(dtype, dims);
    std::vector<std::byte> bytes(t.bytes());
    fill_random({.dtype = dtype, .mean = 0, .deviation = deviation, .seed = ++seed_}, 0, bytes);
    backend_.upload(t, bytes);
    return t;
  }
  Weight weight(DType dtype, std::vector<std::int64_t> dims, Compute compute) {
    HostWeight w{.name = "bench", .dtype = dtype, .dims = std::move(dims)};
    std::size_t count = 1;
    for (const std::int64_t d : w.dims) count *= static_cast<std::size_t>(d);
    w.data.resize(count * size_of(dtype));
    const bool fp8 = is_fp8(dtype);
    fill_random({.dtype = dtype, .mean = 0, .deviation = fp8 ? 100.0f : 0.02f, .seed = ++seed_}, 0,
                w.data);
    w.bias.assign(static_cast<std::size_t>(w.dims[0]), 0.5f);
    if (fp8) {
      w.scale_kind = ScaleKind::kRow;
      w.scale.assign(static_cast<std::size_t>(w.dims[0]), 2e-4f);
    }
    return backend_.prepare(w, compute);
  }

  /// flops or bytes of one run.
  void time(const std::string& name, double flops, double bytes, const std::function<void()>& run) {
    run();  // chooses algorithms, grows scratch
    backend_.synchronize();
    double best = 1e9;
    double total = 0;
    for (int round = 0; round < 3; ++round) {
      const auto begin = std::chrono::steady_clock::now();
      for (int i = 0; i < kRuns; ++i) run();
      backend_.synchronize();
      const double each =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / kRuns;
      best = std::min(best, each);
      total += each / 3;
    }
    std::printf("%-58s %8.4f ms (mean %8.4f)", name.c_str(), best * 1e3, total * 1e3);
    if (flops > 0) std::printf("  %7.1f TFLOP/s", flops / best * 1e-12);
    if (bytes > 0) std::printf("  %6.2f TB/s", bytes / best * 1e-12);
    std::printf("\n");
    std::fflush(stdout);
  }
  [[nodiscard]] bool skips(const char* group) const {
    return wanted_ != nullptr && std::strstr(group, wanted_) == nullptr;
  }

 private:
  Backend& backend_;
  const char* wanted_;
  Arena arena_;
  std::uint32_t seed_ = 0;
};

struct LinearSize {
  const char* name;
  std::int64_t rows, out, in;
  Act act = Act::kNone;
  bool to_fp8 = false;
};

void time_linear(Bench& b, const LinearSize& s, Compute compute) {
  const Arena::Scope scope(b.arena());
  const DType stored = compute == Compute::kBF16 ? DType::kBF16 : DType::kF8E4M3;
  const Weight w = b.weight(stored, {s.out, s.in}, compute);
  Activation x = b.random(w.input, {1, s.rows, s.in}, is_fp8(w.input) ? 100.0f : 1.0f);
  if (is_fp8(w.input)) x.scale = b.random(DType::kF32, {1, s.rows}, 1e-3f);
  Activation dst = b.arena().tensor(
      s.to_fp8 && compute == Compute::kFP8 ? DType::kF8E4M3 : DType::kBF16, {1, s.rows, s.out});
  if (is_fp8(dst.data.dtype)) dst.scale = b.arena().tensor(DType::kF32, {1, s.rows});
  const double flops =
      2.0 * static_cast<double>(s.rows) * static_cast<double>(s.out) * static_cast<double>(s.in);
  b.time(std::string("linear ") + s.name + " " + name_of(compute), flops, 0,
         [&] { ops::linear(b.ctx(), {.dst = dst, .x = x, .weight = &w, .act = s.act}); });
}

void time_linears(Bench& b) {
  if (b.skips("linear")) return;
  const LinearSize sizes[] = {
      {"image qkv 8192x7296x2432", 8192, 7296, 2432},
      {"image qkv 4096x7296x2432", 4096, 7296, 2432},
      {"image out 8192x2432x2432", 8192, 2432, 2432},
      {"image up  8192x9728x2432 gelu", 8192, 9728, 2432, Act::kGeluTanh, true},
      {"image up  8192x9728x2432 no gelu", 8192, 9728, 2432},
      {"image down 8192x2432x9728", 8192, 2432, 9728},
      {"text qkv 666x7296x2432", 666, 7296, 2432},
      {"text qkv 333x7296x2432", 333, 7296, 2432},
      {"text out 666x2432x2432", 666, 2432, 2432},
      {"text up 666x9728x2432 gelu", 666, 9728, 2432, Act::kGeluTanh, true},
      {"text down 666x2432x9728", 666, 2432, 9728},
      {"text down 332x2432x9728", 332, 2432, 9728},
      {"text down 333x2432x9728", 333, 2432, 9728},
      {"text down 334x2432x9728", 334, 2432, 9728},
      {"text down 336x2432x9728", 336, 2432, 9728},
      {"text down 352x2432x9728", 352, 2432, 9728},
      {"text out 333x2432x2432", 333, 2432, 2432},
      {"modulation 28x14592x2432", 28, 14592, 2432},
      {"t5 qkv 256x12288x4096", 256, 12288, 4096},
      {"t5 wi 256x20480x4096", 256, 20480, 4096},
      {"t5 wo 256x4096x10240", 256, 4096, 10240},
  };
  for (const LinearSize& s : sizes) {
    for (const Compute c : {Compute::kFP8, Compute::kBF16, Compute::kW8A16}) time_linear(b, s, c);
  }
}

void time_rows(Bench& b) {
  if (b.skips("rows")) return;
  const Arena::Scope scope(b.arena());
  constexpr std::int64_t kTokens = 4096, kWidth = 2432;
  const Tensor x = b.random(DType::kBF16, {2, kTokens, kWidth});
  const Tensor value = b.random(DType::kBF16, {2, kTokens, kWidth});
  const Tensor vectors = b.random(DType::kF32, {2, 3 * kWidth}, 0.1f);
  const auto part = [&](int i) { return slice(vectors, 1, i * kWidth, (i + 1) * kWidth); };
  Activation fp8 = b.arena().tensor(DType::kF8E4M3, {2, kTokens, kWidth});
  fp8.scale = b.arena().tensor(DType::kF32, {2, kTokens});
  const double elements = 2.0 * kTokens * kWidth;
  b.time("modulate + gated branch to fp8", 0, elements * 7, [&] {
    LayerNormModulateArgs a{.dst = fp8, .x = x, .shift = part(0), .scale = part(1)};
    a.branches[0] = {.value = value, .gate = part(2)};
    ops::layer_norm_modulate(b.ctx(), a);
  });
  b.time("modulate to fp8", 0, elements * 3, [&] {
    ops::layer_norm_modulate(b.ctx(), {.dst = fp8, .x = x, .shift = part(0), .scale = part(1)});
  });
  b.time("quantise 8192x2432", 0, elements * 3,
         [&] { ops::quantize_fp8(b.ctx(), {.dst = fp8, .src = x}); });
  const Tensor wide = b.random(DType::kBF16, {2, kTokens, 4 * kWidth});
  Activation wide8 = b.arena().tensor(DType::kF8E4M3, {2, kTokens, 4 * kWidth});
  wide8.scale = b.arena().tensor(DType::kF32, {2, kTokens});
  for (const Act act : {Act::kNone, Act::kGeluTanh}) {
    b.time(act == Act::kNone ? "quantise 8192x9728" : "gelu + quantise 8192x9728", 0, elements * 12,
           [&] { ops::activation(b.ctx(), {.dst = wide8, .x = wide, .act = act}); });
  }
  const Tensor qkv = b.random(DType::kBF16, {2, kTokens, 114, 64});
  const Tensor norm = b.random(DType::kF32, {64});
  b.time("qk_norm of q", 0, elements * 4,
         [&] { ops::qk_norm(b.ctx(), {.x = slice(qkv, 2, 0, 38), .weight = norm}); });
}

void time_attention(Bench& b, const char* name, std::int64_t batch, std::int64_t tokens,
                    std::int64_t heads, std::int64_t size) {
  const Arena::Scope scope(b.arena());
  const Tensor qkv = b.random(DType::kBF16, {batch, tokens, 3 * heads, size});
  const Tensor dst = b.arena().tensor(DType::kBF16, {batch, tokens, heads * size});
  const double flops = 4.0 * static_cast<double>(batch * heads * size) *
                       static_cast<double>(tokens) * static_cast<double>(tokens);
  b.time(name, flops, 0, [&] {
    ops::attention(b.ctx(), {.dst = dst,
                             .q = slice(qkv, 2, 0, heads),
                             .k = slice(qkv, 2, heads, 2 * heads),
                             .v = slice(qkv, 2, 2 * heads, 3 * heads),
                             .scale = 0.125f});
  });
}

struct ConvSize {
  std::int64_t side, in, out;
  bool upsample = false;
};

void time_vae(Bench& b) {
  if (b.skips("conv")) return;
  const ConvSize sizes[] = {{128, 16, 512},   {128, 512, 512},       {128, 512, 512, true},
                            {256, 512, 512},  {256, 512, 512, true}, {512, 512, 256},
                            {512, 256, 256},  {512, 256, 256, true}, {1024, 256, 128},
                            {1024, 128, 128}, {1024, 128, 3}};
  for (const ConvSize& s : sizes) {
    const Arena::Scope scope(b.arena());
    const Weight w = b.weight(DType::kBF16, {s.out, s.in, 3, 3}, Compute::kBF16);
    const std::int64_t out = s.upsample ? 2 * s.side : s.side;
    const Tensor x = b.random(DType::kBF16, {1, s.side, s.side, s.in});
    const Tensor dst = b.arena().tensor(DType::kBF16, {1, out, out, s.out});
    const double flops = 18.0 * static_cast<double>(out * out * s.in * s.out);
    b.time("conv " + std::to_string(s.side) + " " + std::to_string(s.in) + " to " +
               std::to_string(s.out) + (s.upsample ? " up" : ""),
           flops, 0, [&] {
             ops::conv2d(b.ctx(), {.dst = dst,
                                   .x = x,
                                   .weight = &w,
                                   .pad_before = 1,
                                   .pad_after = 1,
                                   .upsample = s.upsample});
           });
  }
  const Arena::Scope scope(b.arena());
  for (const std::int64_t side : {1024, 512}) {
    const Arena::Scope inner(b.arena());
    const std::int64_t channels = 131072 / side;
    const Tensor x = b.random(DType::kBF16, {1, side, side, channels});
    const Tensor w = b.random(DType::kF32, {channels});
    const Tensor dst = b.arena().tensor(DType::kBF16, {1, side, side, channels});
    b.time("group_norm + silu " + std::to_string(side) + "x" + std::to_string(channels), 0,
           6.0 * static_cast<double>(side * side * channels), [&] {
             ops::group_norm(b.ctx(), {.dst = dst, .x = x, .weight = w, .bias = w, .silu = true});
           });
  }
}

int run(const char* wanted) {
  const auto backend = make_cuda_backend();
  const DeviceInfo info = backend->info();
  std::printf("%s, %s\n", info.name.c_str(), info.capabilities.c_str());
  Bench b(*backend, wanted);
  time_linears(b);
  time_rows(b);
  if (!b.skips("attention")) {
    time_attention(b, "attention 2x4429 h38x64", 2, 4429, 38, 64);
    time_attention(b, "attention 2x4480 h38x64", 2, 4480, 38, 64);
    time_attention(b, "attention 1x16384 h1x512 (vae)", 1, 16384, 1, 512);
    time_attention(b, "attention 2x256 h64x64 (t5 size)", 2, 256, 64, 64);
  }
  time_vae(b);
  return 0;
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  try {
    return octet::run(argc > 1 ? argv[1] : nullptr);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_ops_cuda: %s\n", e.what());
    return 1;
  }
}
