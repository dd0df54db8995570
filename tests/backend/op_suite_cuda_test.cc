// Runs every case of the op suite on the GPU, on memory that both sides see: once with operands
// that are aligned to nothing, once with aligned ones, each twice for equal bytes. Skipped where no
// GPU is usable.
#include "backend/cuda/cuda_backend.h"
#include "backend/op_case.h"
#include "octet/error.h"

namespace octet {
namespace {

Backend* device() {
  static const std::unique_ptr<Backend> backend = []() -> std::unique_ptr<Backend> {
    try {
      return make_cuda_backend();
    } catch (const Error& e) {
      if (e.code() != Code::kDevice) throw;
      return nullptr;
    }
  }();
  return backend.get();
}

// FP32 sums in another order; BF16 results that wait for an activation or a residual; scales that
// are multiplied into BF16 weights; FP8 sums of 14 bits.
Slack slack_of(const Weight& w) {
  switch (w.compute) {
    case Compute::kF32:
      return {.products = 2e-6, .relative = 0};
    case Compute::kBF16:
      return {.products = 4e-6, .relative = 0x1p-8};
    case Compute::kW8A16:
      return {.products = 0x1p-9, .relative = 0x1p-8};
    case Compute::kFP8:
      return {.products = 0x1p-10, .relative = 0x1p-8};
  }
  return {};
}

std::vector<unsigned char> run(const OpCase& c, bool aligned) {
  SCOPED_TRACE(aligned ? "aligned" : "not aligned");
  Bench bench(
      *device(), std::hash<std::string>()(c.op + c.name),
      {.allocate = allocate_pinned, .aligned = aligned, .slack = slack_of, .attention = 4e-3});
  c.run(bench);
  return bench.finish();
}

class OpSuiteCuda : public testing::TestWithParam<OpCase> {};

TEST_P(OpSuiteCuda, AgreesWithReferenceAndWithItself) {
  if (device() == nullptr) GTEST_SKIP() << "no usable GPU";
  for (const bool aligned : {false, true}) {
    const auto once = run(GetParam(), aligned);
    if (HasFatalFailure()) return;
    EXPECT_EQ(run(GetParam(), aligned) == once, true) << "a second run gives other bytes";
  }
}

std::string case_name(const testing::TestParamInfo<OpCase>& info) {
  std::string name = std::to_string(info.index) + "_" + info.param.op + "_" + info.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(AllOps, OpSuiteCuda, testing::ValuesIn(all_cases()), case_name);

}  // namespace
}  // namespace octet
