// Times the ops that a generation with the built-in model spends its time in, and the multiply-add
// peak of this processor to compare with.
//
//   bench_ops [threads] [isa] [linear|conv|attention|rows]
//
// Prints the best of several runs: on a shared machine only the least disturbed run means anything.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/isa/kernels.h"
#include "base/thread_pool.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

// Processor time with one thread, which other processes disturb less, else wall time.
bool use_cpu_time = false;

double seconds() {
  timespec t{};
  clock_gettime(use_cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Repeats for at least a third of a second and three times; the best time of one call.
double best_time(const std::function<void()>& run) {
  run();
  double best = 1e9;
  double total = 0;
  for (int i = 0; i < 5 || (total < 0.35 && i < 2000); ++i) {
    const double start = seconds();
    run();
    const double time = seconds() - start;
    best = std::min(best, time);
    total += time;
  }
  return best;
}

std::size_t u(std::int64_t i) { return static_cast<std::size_t>(i); }

// Memory of the tensors of one measurement.
class Memory {
 public:
  Tensor tensor(DType dtype, std::initializer_list<std::int64_t> dims) {
    Tensor t = make_tensor(nullptr, dtype, dims);
    buffers_.push_back(allocate_host(t.bytes()));
    t.data = buffers_.back().data();
    std::mt19937 random(static_cast<unsigned>(buffers_.size()));
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::vector<float> values(u(t.numel()));
    for (float& v : values) v = uniform(random);
    encode_from_f32(dtype, values.data(), t.data, values.size());
    return t;
  }

 private:
  std::vector<Buffer> buffers_;
};

HostWeight make_weight(DType dtype, std::vector<std::int64_t> dims) {
  HostWeight w;
  w.name = "bench";
  w.dtype = dtype;
  w.dims = std::move(dims);
  std::size_t count = 1;
  for (const std::int64_t d : w.dims) count *= u(d);
  std::vector<float> values(count);
  std::mt19937 random(5);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (float& v : values) v = uniform(random);
  w.data.resize(count * size_of(dtype));
  encode_from_f32(dtype, values.data(), w.data.data(), count);
  if (is_fp8(dtype)) {
    w.scale_kind = ScaleKind::kRow;
    w.scale.assign(u(w.dims[0]), 0.5f);
  }
  w.bias.assign(u(w.dims[0]), 0.1f);
  return w;
}

class Report {
 public:
  explicit Report(double peak) : peak_(peak) {}
  void row(const std::string& name, double flops, double time) const {
    std::printf("%-52s %9.3f ms %8.1f GFLOP/s %5.1f %%\n", name.c_str(), time * 1e3,
                flops / time / 1e9, 100 * flops / time / 1e9 / peak_);
    std::fflush(stdout);
  }
  void row(const std::string& name, double time) const {
    std::printf("%-52s %9.3f ms\n", name.c_str(), time * 1e3);
    std::fflush(stdout);
  }

 private:
  double peak_;  // GFLOP/s
};

// The tile kernel on operands that stay in the first-level cache, on all threads: as close to the
// peak of the multiply-add units as this code can come; that of BF16 pairs where they exist.
double measure_peak(CpuIsa isa, int threads) {
  const cpu::Kernels& k = isa == CpuIsa::kAvx512Bf16 ? cpu::avx512bf16_kernels()
                          : isa == CpuIsa::kAvx512   ? cpu::avx512_kernels()
                          : isa == CpuIsa::kAvx2     ? cpu::avx2_kernels()
                                                     : cpu::generic_kernels();
  const bool pairs = k.gemm_pairs != nullptr;
  const auto gemm = pairs ? k.gemm_pairs : k.gemm_tile;
  ThreadPool pool(threads);
  constexpr std::int64_t kDepth = 1 << 16;
  const auto run = [&] {
    pool.parallel_for(pool.threads(), [&](std::int64_t, int) {
      alignas(64) float a[cpu::kMaxTileRows * 16] = {};
      alignas(64) float b[cpu::kMaxPanel] = {};
      alignas(64) float c[cpu::kMaxTileRows * cpu::kMaxPanel] = {};
      gemm({.a = a,
            .lda = 16,
            .outer = 1,
            .outer_step = 0,
            .inner = kDepth / 16,
            .inner_step = 0,
            .length = 16,
            .b = b,
            .ldb = 0,
            .c = c,
            .ldc = k.panel,
            .rows = k.tile_rows,
            .columns = k.panel,
            .accumulate = false});
    });
  };
  const double flops =
      (pairs ? 4.0 : 2.0) * k.tile_rows * k.panel * static_cast<double>(kDepth) * pool.threads();
  return flops / best_time(run) / 1e9;
}

void bench_linear(Backend& backend, const Report& report) {
  struct Shape {
    const char* what;
    std::int64_t m, k, n;
    Act act;
  };
  const Shape shapes[] = {{"qkv", 512, 320, 960, Act::kNone},
                          {"attention out", 512, 320, 320, Act::kNone},
                          {"mlp up, gelu", 512, 320, 1280, Act::kGeluTanh},
                          {"mlp down", 512, 1280, 320, Act::kNone},
                          {"text qkv", 128, 320, 960, Act::kNone},
                          {"text mlp down", 128, 1280, 320, Act::kNone},
                          {"modulation, 40 rows", 40, 320, 1920, Act::kNone},
                          {"modulation, 2 rows", 2, 320, 1920, Act::kNone},
                          {"wide", 1024, 1536, 6144, Act::kNone}};
  const std::pair<Compute, DType> kinds[] = {{Compute::kF32, DType::kF32},
                                             {Compute::kBF16, DType::kF16},
                                             {Compute::kW8A16, DType::kF8E4M3},
                                             {Compute::kFP8, DType::kF8E4M3}};
  for (const Shape& s : shapes) {
    for (const auto& [compute, stored] : kinds) {
      Memory memory;
      const Weight w = backend.prepare(make_weight(stored, {s.n, s.k}), compute);
      LinearArgs a;
      a.x = memory.tensor(w.input, {s.m, s.k});
      if (is_fp8(w.input)) a.x.scale = memory.tensor(DType::kF32, {s.m});
      a.dst = memory.tensor(DType::kF32, {s.m, s.n});
      a.weight = &w;
      a.act = s.act;
      const double time = best_time([&] { backend.linear(a); });
      report.row("linear " + std::string(s.what) + " " + std::to_string(s.m) + "x" +
                     std::to_string(s.k) + "x" + std::to_string(s.n) + " " + name_of(compute),
                 2.0 * static_cast<double>(s.m * s.k * s.n), time);
    }
  }
}

void bench_conv(Backend& backend, const Report& report) {
  struct Shape {
    std::int64_t size, in, out;
    bool upsample;
  };
  const Shape shapes[] = {{32, 16, 128, false},  {32, 128, 128, false}, {32, 128, 128, true},
                          {64, 128, 128, false}, {128, 64, 64, false},  {128, 128, 64, false},
                          {128, 64, 64, true},   {256, 64, 32, false},  {256, 32, 32, false},
                          {256, 32, 3, false}};
  for (const Shape& s : shapes) {
    Memory memory;
    const Weight w = backend.prepare(make_weight(DType::kF16, {s.out, s.in, 3, 3}), Compute::kBF16);
    Conv2dArgs a;
    const std::int64_t out = s.upsample ? 2 * s.size : s.size;
    a.x = memory.tensor(w.input, {1, s.size, s.size, s.in});
    a.dst = memory.tensor(DType::kF32, {1, out, out, s.out});
    a.weight = &w;
    a.pad_before = a.pad_after = 1;
    a.upsample = s.upsample;
    const double time = best_time([&] { backend.conv2d(a); });
    report.row("conv2d " + std::to_string(s.size) + "^2 " + std::to_string(s.in) + " to " +
                   std::to_string(s.out) + (s.upsample ? " upsampled" : "") + " bf16",
               2.0 * 9 * static_cast<double>(out * out * s.in * s.out), time);
  }
}

void bench_attention(Backend& backend, const Report& report) {
  struct Shape {
    std::int64_t batch, tokens, heads, size;
  };
  for (const Shape& s : {Shape{2, 320, 5, 64}, Shape{1, 1024, 1, 128}, Shape{1, 1024, 1, 512},
                         Shape{2, 4250, 2, 64}}) {
    Memory memory;
    const Tensor qkv = memory.tensor(DType::kF32, {s.batch, s.tokens, 3 * s.heads, s.size});
    AttentionArgs a;
    a.dst = memory.tensor(DType::kF32, {s.batch, s.tokens, s.heads * s.size});
    a.q = slice(qkv, 2, 0, s.heads);
    a.k = slice(qkv, 2, s.heads, 2 * s.heads);
    a.v = slice(qkv, 2, 2 * s.heads, 3 * s.heads);
    a.scale = 0.125f;
    const double time = best_time([&] { backend.attention(a); });
    report.row("attention " + std::to_string(s.batch) + "x" + std::to_string(s.tokens) + " heads " +
                   std::to_string(s.heads) + "x" + std::to_string(s.size),
               4.0 * static_cast<double>(s.batch * s.heads * s.tokens * s.tokens * s.size), time);
  }
}

void bench_rows(Backend& backend, const Report& report) {
  Memory memory;
  const Tensor x = memory.tensor(DType::kF32, {2, 256, 320});
  const Tensor y = memory.tensor(DType::kBF16, {2, 256, 320});
  const Tensor vectors = memory.tensor(DType::kF32, {2, 960});
  LayerNormModulateArgs norm;
  norm.dst = y;
  norm.x = x;
  norm.shift = slice(vectors, 1, 0, 320);
  norm.scale = slice(vectors, 1, 320, 640);
  norm.branches[0] = {memory.tensor(DType::kF32, {2, 256, 320}), slice(vectors, 1, 640, 960)};
  report.row("layer_norm_modulate 512x320 with a branch",
             best_time([&] { backend.layer_norm_modulate(norm); }));
  const Tensor qkv = memory.tensor(DType::kF32, {2, 320, 15, 64});
  const Tensor weight = memory.tensor(DType::kF32, {64});
  report.row("qk_norm 640x5x64",
             best_time([&] { backend.qk_norm({.x = slice(qkv, 2, 0, 5), .weight = weight}); }));
  for (const std::int64_t c : {32, 64}) {
    const Tensor image = memory.tensor(DType::kF32, {1, 256, 256, c});
    const Tensor out = memory.tensor(DType::kBF16, {1, 256, 256, c});
    const Tensor w = memory.tensor(DType::kF32, {c});
    report.row("group_norm, silu 256^2 " + std::to_string(c), best_time([&] {
                 backend.group_norm({.dst = out,
                                     .x = image,
                                     .weight = w,
                                     .bias = w,
                                     .groups = 32,
                                     .eps = 1e-6f,
                                     .silu = true});
               }));
  }
  const Tensor wide = memory.tensor(DType::kF32, {512, 1280});
  const Tensor narrow = memory.tensor(DType::kBF16, {512, 1280});
  report.row("copy 512x1280 f32 to bf16",
             best_time([&] { backend.copy({.dst = narrow, .src = wide}); }));
  const Tensor codes = memory.tensor(DType::kF8E4M3, {512, 1280});
  const Tensor scales = memory.tensor(DType::kF32, {512});
  report.row("quantize_fp8 512x1280", best_time([&] {
               backend.quantize_fp8({.dst = {codes, scales}, .src = wide});
             }));
  ThreadPool pool(backend.info().threads);
  report.row("parallel_for, empty tasks", best_time([&] {
                                            for (int i = 0; i < 100; ++i)
                                              pool.parallel_for(2, [](std::int64_t, int) {});
                                          }) / 100);
}

int run(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 0;
  const char* only = argc > 3 ? argv[3] : "";
  use_cpu_time = threads == 1;
  CpuIsa isa = supported_isas().back();
  for (const CpuIsa candidate : supported_isas()) {
    if (argc > 2 && std::strcmp(argv[2], name_of(candidate)) == 0) isa = candidate;
  }
  const auto backend = make_cpu_backend({.threads = threads, .isa = isa});
  const DeviceInfo info = backend->info();
  const double peak = measure_peak(isa, info.threads);
  std::printf("%s, %s, %d threads; tile kernel in first-level cache: %.1f GFLOP/s\n",
              info.name.c_str(), info.capabilities.c_str(), info.threads, peak);
  const Report report(peak);
  const std::pair<const char*, void (*)(Backend&, const Report&)> parts[] = {
      {"linear", bench_linear},
      {"conv", bench_conv},
      {"attention", bench_attention},
      {"rows", bench_rows}};
  for (const auto& [name, part] : parts) {
    if (*only == 0 || std::strcmp(only, name) == 0) part(*backend, report);
  }
  return 0;
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) { return octet::run(argc, argv); }
