#include "pipeline/finite_check.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "octet/error.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

bool is_finite(Ctx ctx, const Tensor& t) {
  if (t.dtype == DType::kF32) return ctx.backend.all_finite(t);
  std::vector<std::byte> bytes(t.bytes());
  ctx.backend.download(bytes, t);
  std::vector<float> values(static_cast<std::size_t>(t.numel()));
  decode_to_f32(t.dtype, bytes.data(), values.data(), values.size());
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

[[noreturn]] void refuse(const std::string& where) {
  throw Error(Code::kUnsupported, where + ": expected finite values, found NaN or infinity");
}

}  // namespace

void require_finite(Ctx ctx, std::initializer_list<Tensor> results, const std::string& stage,
                    const std::function<void(Ctx)>& again) {
  const auto finite = [&](const Tensor& t) { return is_finite(ctx, t); };
  if (std::all_of(results.begin(), results.end(), finite)) return;
  const BlockObserver look = [&](const std::string& block, const Tensor& values) {
    if (!finite(values)) refuse(stage + ", " + block);
  };
  again({.backend = ctx.backend, .arena = ctx.arena, .observer = &look});
  refuse(stage);  // behind the last block
}

}  // namespace octet
