// Times configurations of the Hopper attention kernel: bench_attention [batch heads queries keys].
// Prints median and best milliseconds and TFLOPS of 4 batch heads queries keys 64 operations.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "backend/cuda/attention/launch.cuh"

namespace {

using namespace octet::cuda;
using namespace octet::cuda::attention;

struct Shape {
  std::int64_t batch, heads, queries, keys;
};

// Roughly normal numbers (sums of four uniform ones), deviation 1.
__global__ void fill(__nv_bfloat16* data, std::size_t count, unsigned seed) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    unsigned x = static_cast<unsigned>(i) * 2654435761u + seed;
    float sum = 0;
    for (int k = 0; k < 4; ++k) {
      x ^= x >> 16;
      x *= 0x7feb352du;
      x ^= x >> 15;
      x *= 0x846ca68bu;
      x ^= x >> 16;
      sum += static_cast<float>(x) * 0x1p-32f - 0.5f;
    }
    data[i] = __float2bfloat16(sum * 1.7320508f);
  }
}

template <class Launch>
void time_launch(const char* name, const Shape& shape, Launch launch) {
  constexpr int kRuns = 60;
  std::vector<cudaEvent_t> events(kRuns + 1);
  for (cudaEvent_t& e : events) require(cudaEventCreate(&e), "event");
  for (int i = 0; i < 5; ++i) launch();
  require(cudaEventRecord(events[0]), "record");
  for (int i = 0; i < kRuns; ++i) {
    launch();
    require(cudaEventRecord(events[static_cast<std::size_t>(i) + 1]), "record");
  }
  require(cudaDeviceSynchronize(), name);
  std::vector<float> times;
  for (std::size_t i = 0; i < kRuns; ++i) {
    float ms = 0;
    require(cudaEventElapsedTime(&ms, events[i], events[i + 1]), "elapsed");
    times.push_back(ms);
  }
  std::sort(times.begin(), times.end());
  for (cudaEvent_t& e : events) cudaEventDestroy(e);
  const double work = 4.0 * static_cast<double>(shape.batch * shape.heads * shape.queries) *
                      static_cast<double>(shape.keys) * kHead;
  const double median = times[kRuns / 2];
  std::printf("%-28s B%lld H%lld %lldx%lld  median %.4f ms  best %.4f ms  %.1f TFLOPS\n", name,
              static_cast<long long>(shape.batch), static_cast<long long>(shape.heads),
              static_cast<long long>(shape.queries), static_cast<long long>(shape.keys), median,
              static_cast<double>(times[0]), work / median * 1e-9);
  std::fflush(stdout);
}

template <class C>
void run(const char* name, const Shape& shape, const AttentionDesc& d, int processors) {
  time_launch(name, shape, [&] { launch_as<C>(d, processors, nullptr); });
}

void bench(const Shape& shape, int processors) {
  const std::int64_t width = shape.heads * kHead;
  const std::int64_t tokens = std::max(shape.queries, shape.keys);
  __nv_bfloat16* qkv = nullptr;
  __nv_bfloat16* out = nullptr;
  const auto count = static_cast<std::size_t>(shape.batch * tokens * 3 * width);
  require(cudaMalloc(&qkv, count * sizeof(*qkv)), "memory");
  require(cudaMalloc(&out, count * sizeof(*out)), "memory");
  fill<<<1024, 256>>>(qkv, count, 1);
  const auto part = [&](std::int64_t i) {
    return AttentionInput{.data = qkv + i * width,
                          .batch_stride = tokens * 3 * width,
                          .token_stride = 3 * width,
                          .head_stride = kHead};
  };
  const AttentionDesc d{.q = part(0),
                        .k = part(1),
                        .v = part(2),
                        .out = {{.data = out,
                                 .tokens = shape.queries,
                                 .batch_stride = shape.queries * width,
                                 .token_stride = width}},
                        .batch = shape.batch,
                        .heads = shape.heads,
                        .keys = shape.keys,
                        .scale = 0.125f};
  time_launch("chosen", shape, [&] { attention_launch(d, nullptr); });
  run<Config<3, 5, 0>>("3 groups, 5 stages", shape, d, processors);
  run<Config<3, 3, 0>>("3 groups, 3 stages", shape, d, processors);
  run<Config<3, 5, 1>>("3 groups, 1/8 polynomial", shape, d, processors);
  run<Config<3, 5, 2>>("3 groups, 2/8 polynomial", shape, d, processors);
  run<Config<3, 5, 8>>("3 groups, all polynomial", shape, d, processors);
  run<Config<3, 5, 3>>("3 groups, 3/8 polynomial", shape, d, processors);
  run<Config<2, 5, 0>>("2 groups", shape, d, processors);
  run<Config<2, 5, 1>>("2 groups, 1/8 polynomial", shape, d, processors);
  run<Config<2, 5, 2>>("2 groups, 2/8 polynomial", shape, d, processors);
  require(cudaFree(qkv), "free");
  require(cudaFree(out), "free");
}

}  // namespace

int main(int argc, char** argv) {
  int processors = 0;
  require(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0), "processors");
  if (argc == 5) {
    bench({std::atoll(argv[1]), std::atoll(argv[2]), std::atoll(argv[3]), std::atoll(argv[4])},
          processors);
    return 0;
  }
  for (const Shape& shape : {Shape{2, 38, 4429, 4429}, Shape{2, 24, 4429, 4429},
                             Shape{8, 38, 4429, 4429}, Shape{2, 38, 1357, 1357}}) {
    bench(shape, processors);
  }
  return 0;
}
