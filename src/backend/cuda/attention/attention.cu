#include "backend/cuda/attention/attention.h"
#include "backend/cuda/attention/largest.cuh"
#include "backend/cuda/attention/launch.cuh"

namespace octet::cuda {
namespace {

using namespace attention;

constexpr std::int64_t kMost = std::int64_t{1} << 31;

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }
// The copy engine counts strides in 16 bytes and takes at most 2^40.
bool fits(std::int64_t stride) { return stride >= 0 && stride % 8 == 0 && stride < kMost; }

bool fits(const AttentionInput& in) {
  return aligned(in.data) && fits(in.batch_stride) && fits(in.token_stride) && fits(in.head_stride);
}
bool fits(const AttentionOutput& out) {
  const auto whole = [&](std::int64_t stride) {
    return fits(stride) && (out.scale == nullptr || stride % 16 == 0);
  };
  return out.tokens == 0 || (out.tokens > 0 && out.tokens < kMost && aligned(out.data) &&
                             whole(out.batch_stride) && whole(out.token_stride));
}
bool measures(const AttentionOutput& out) {
  return out.tokens > 0 && out.scale != nullptr && !out.fixed_scale;
}

int processors() {
  int device = 0;
  int count = 0;
  require(cudaGetDevice(&device), "attention: device");
  require(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device),
          "attention: processors");
  return count;
}

// Rows that the busiest block works through.
std::int64_t longest(const AttentionDesc& d, int rows, int blocks) {
  const std::int64_t tiles = d.batch * d.heads * tiles_per_head(d, rows);
  return (tiles + blocks - 1) / blocks * rows;
}

}  // namespace

bool attention_supports(const AttentionDesc& d, int compute_capability) {
  return compute_capability == 90 && d.batch > 0 && d.heads > 0 && d.keys > 0 && d.keys < kMost &&
         queries(d) > 0 && queries(d) < kMost &&
         d.batch * d.heads * tiles_per_head(d, 2 * kGroupRows) < kMost && fits(d.q) && fits(d.k) &&
         fits(d.v) && fits(d.out[0]) && fits(d.out[1]);
}

void attention_launch(const AttentionDesc& d, cudaStream_t stream) {
  if (measures(d.out[0]) || measures(d.out[1])) launch_largest(d, processors(), stream);
  using Wide = Config<3, 5, 0>;
  using Narrow = Config<2, 5, 0>;
  const int blocks = processors();
  // A row takes the narrow kernel 6/5 of the time: two groups hide less of each other's waiting.
  if (6 * longest(d, Narrow::kRows, blocks) < 5 * longest(d, Wide::kRows, blocks)) {
    launch_as<Narrow>(d, blocks, stream);
  } else {
    launch_as<Wide>(d, blocks, stream);
  }
}

}  // namespace octet::cuda
