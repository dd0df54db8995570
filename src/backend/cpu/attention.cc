// attention(): a task is one head of one batch row and a range of its query rows. Keys and values
// are visited in blocks of kKeyBlock with a running softmax, so scores are never stored whole.
#include <algorithm>
#include <cstring>

#include "backend/cpu/cpu_ops.h"
#include "base/check.h"

namespace octet::cpu {
namespace {

constexpr std::int64_t kStateFloats = 64 * 1024;      // output rows of a task
constexpr std::int64_t kFp8Floats = 2 * 1024 * 1024;  // FP32 rows waiting to become FP8

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t n, std::int64_t to) { return ceil_div(n, to) * to; }

const void* element(const Tensor& t, std::int64_t b, std::int64_t s, std::int64_t h) {
  const std::int64_t at = b * t.strides[0] + s * t.strides[1] + h * t.strides[2];
  return t.as<const char>() + at * static_cast<std::int64_t>(size_of(t.dtype));
}

}  // namespace

// Query rows [begin, end) of one head; dst row 0 is query row dst_begin.
struct HeadRows {
  std::int64_t batch, head, begin, end, dst_begin;
};

void CpuBackend::attention_rows(const AttentionArgs& a, const Tensor& dst, const HeadRows& part,
                                int worker) {
  const std::int64_t size = a.q.dim(3);
  const auto width = static_cast<std::size_t>(size);
  const std::int64_t depth = round_up(size, kGroup);
  const std::int64_t head = round_up(size, kernels_.panel);
  const std::int64_t rows = part.end - part.begin;
  const std::int64_t keys = a.k.dim(1);
  Scratch& memory = scratch(worker);
  float* q = memory.floats(Scratch::kInput, rows * depth);
  float* panels = memory.floats(Scratch::kPanel, kKeyBlock * depth);
  float* values = memory.floats(Scratch::kExtra, kKeyBlock * head);
  float* output = memory.floats(Scratch::kSums, rows * (head + 17));
  float* sum = output + rows * head;
  float* key_rows = memory.floats(Scratch::kRow, kKeyBlock * size);

  for (std::int64_t t = 0; t < rows; t += kernels_.tile_rows) {
    const std::int64_t tile = std::min<std::int64_t>(kernels_.tile_rows, rows - t);
    for (std::int64_t r = 0; r < tile; ++r) {
      kernels_.pack_row(a.q.dtype, element(a.q, part.batch, part.begin + t + r, part.head), width,
                        q + t * depth + r * kGroup, tile * kGroup);
    }
  }
  AttentionStep step{};
  std::memset(values, 0, static_cast<std::size_t>(kKeyBlock * head) * sizeof(float));
  const std::int64_t visible_end = a.causal ? std::min(keys, part.end) : keys;
  for (std::int64_t k0 = 0; k0 < visible_end; k0 += kKeyBlock) {
    const std::int64_t valid = std::min(kKeyBlock, keys - k0);
    for (std::int64_t j = 0; j < valid; ++j) {
      kernels_.to_f32(a.v.dtype, element(a.v, part.batch, k0 + j, part.head), values + j * head,
                      width);
      if (a.k.dtype != DType::kF32) {
        kernels_.to_f32(a.k.dtype, element(a.k, part.batch, k0 + j, part.head), key_rows + j * size,
                        width);
      }
    }
    for (std::int64_t j = valid; j < kKeyBlock; ++j) {  // zero weight times old numbers is not zero
      std::memset(values + j * head, 0, width * sizeof(float));
    }
    const bool direct = a.k.dtype == DType::kF32;
    kernels_.pack_keys(
        direct ? static_cast<const float*>(element(a.k, part.batch, k0, part.head)) : key_rows,
        direct ? a.k.strides[1] : size, static_cast<std::size_t>(valid), width,
        static_cast<std::size_t>(depth), panels);
    step.q = q;
    step.depth = depth;
    step.keys = panels;
    step.values = values;
    step.head = head;
    step.rows = rows;
    step.valid = valid;
    step.scale = a.scale;
    if (a.bias) {
      step.bias = a.bias.as<const float>() + part.head * a.bias.strides[0] +
                  part.begin * a.bias.strides[1] + k0;
      step.bias_step = a.bias.strides[1];
    }
    step.causal_limit = a.causal ? part.begin - k0 : kKeyBlock;
    step.first = k0 == 0;
    step.maximum = sum + rows * 16;
    step.sum = sum;
    step.output = output;
    kernels_.attention_step(step);
  }
  kernels_.attention_finish(step);
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* row = output + r * head;
    const std::int64_t s = part.begin + r - part.dst_begin;
    const std::int64_t at = part.batch * dst.strides[0] + s * dst.strides[1] + part.head * size;
    kernels_.from_f32(dst.dtype, row,
                      dst.as<char>() + at * static_cast<std::int64_t>(size_of(dst.dtype)), width);
  }
}

void CpuBackend::attention(const AttentionArgs& a) {
  if (a.norm_q[0]) return attention(with_normalised_queries(*this, a));
  if (a.rest.data) {  // two results: one after the other
    const std::int64_t first = a.dst.data.dim(1);
    AttentionArgs part = a;
    part.rest = {};
    part.q = slice(a.q, 1, 0, first);
    attention(part);
    part.dst = a.rest;
    part.q = slice(a.q, 1, first, a.q.dim(1));
    return attention(part);
  }
  const std::int64_t heads = a.q.dim(2);
  const std::int64_t tokens = a.q.dim(1);
  const std::int64_t width = heads * a.q.dim(3);
  const std::int64_t padded = round_up(a.q.dim(3), kernels_.panel);
  // Runs query rows [begin, end) of batch rows [first, last) into dst, whose row 0 is `begin`.
  const auto run = [&](const Tensor& dst, std::int64_t first, std::int64_t last, std::int64_t begin,
                       std::int64_t end) {
    const std::int64_t wanted = ceil_div(2 * pool_.threads(), (last - first) * heads);
    const std::int64_t most = std::max<std::int64_t>(kStateFloats / padded, 1);
    const std::int64_t rows = end - begin;
    const std::int64_t parts =
        std::max(ceil_div(rows, most), std::min(wanted, ceil_div(rows, kernels_.tile_rows)));
    pool_.parallel_for((last - first) * heads * parts, [&](std::int64_t task, int worker) {
      const std::int64_t part = task % parts;
      const HeadRows range{.batch = first + task / parts / heads,
                           .head = task / parts % heads,
                           .begin = begin + rows * part / parts,
                           .end = begin + rows * (part + 1) / parts,
                           .dst_begin = begin};
      if (range.begin < range.end) attention_rows(a, dst, range, worker);
    });
  };
  if (!is_fp8(a.dst.data.dtype)) return run(a.dst.data, 0, a.q.dim(0), 0, tokens);
  const std::int64_t chunk = std::max<std::int64_t>(1, kFp8Floats / width);
  for (std::int64_t b = 0; b < a.q.dim(0); ++b) {
    for (std::int64_t begin = 0; begin < tokens; begin += chunk) {
      const std::int64_t count = std::min(chunk, tokens - begin);
      float* rows = shared_.floats(Scratch::kRow, count * width);
      Tensor view = make_tensor(rows, DType::kF32, {1, count, width});
      view.strides[0] = 0;  // every batch row writes to the same place, one after the other
      run(view, b, b + 1, begin, begin + count);
      for_rows(count, width, [&](std::int64_t from, std::int64_t to, int) {
        RowWriter writer(kernels_, a.dst, nullptr);
        for (std::int64_t r = from; r < to; ++r) {
          writer.store(b * tokens + begin + r, rows + r * width);
        }
      });
    }
  }
}

}  // namespace octet::cpu
