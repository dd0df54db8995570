// Runs every case of the op suite on every instruction set of this processor, with 1, 2 and 3
// threads, and compares bytes between thread counts, between AVX2 and AVX-512, and between the two
// kinds of AVX-512 for the ops that never multiply BF16 pairs.
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "backend/cpu/cpu_backend.h"
#include "backend/op_case.h"

namespace octet {
namespace {

using Bytes = std::vector<unsigned char>;

Backend& backend_for(CpuIsa isa, int threads) {
  static std::map<std::pair<CpuIsa, int>, std::unique_ptr<Backend>> backends;
  auto& backend = backends[{isa, threads}];
  if (!backend) backend = make_cpu_backend({.threads = threads, .isa = isa});
  return *backend;
}

Bytes run(const OpCase& c, CpuIsa isa, int threads) {
  SCOPED_TRACE(std::string(name_of(isa)) + ", threads " + std::to_string(threads));
  Bench bench(backend_for(isa, threads), std::hash<std::string>()(c.op + c.name));
  c.run(bench);
  return bench.finish();
}

class OpSuite : public testing::TestWithParam<OpCase> {};

TEST_P(OpSuite, AgreesWithReferenceAndWithItself) {
  Bytes avx2;
  Bytes avx512;
  for (const CpuIsa isa : supported_isas()) {
    const Bytes one = run(GetParam(), isa, 1);
    if (HasFatalFailure()) return;
    for (const int threads : {2, 3}) {
      EXPECT_EQ(run(GetParam(), isa, threads) == one, true)
          << name_of(isa) << ": " << threads << " threads give other bytes than one";
    }
    if (isa == CpuIsa::kAvx2) avx2 = one;
    if (isa == CpuIsa::kAvx512) {
      EXPECT_EQ(avx2 == one, true) << "avx2 and avx512 give different bytes";
      avx512 = one;
    }
    const bool product = GetParam().op == "linear" || GetParam().op == "conv2d";
    if (isa == CpuIsa::kAvx512Bf16 && !product) {
      EXPECT_EQ(avx512 == one, true) << "avx512 and avx512bf16 give different bytes";
    }
  }
}

std::string case_name(const testing::TestParamInfo<OpCase>& info) {
  std::string name = std::to_string(info.index) + "_" + info.param.op + "_" + info.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(AllOps, OpSuite, testing::ValuesIn(all_cases()), case_name);

// The list of ops is read from the interface itself, so a new op without a case fails here.
TEST(OpTable, HasACaseForEveryOp) {
  std::ifstream file(std::string(OCTET_TEST_DATA) + "/../src/backend/ops.h");
  std::stringstream text;
  text << file.rdbuf();
  std::set<std::string> covered;
  for (const OpCase& c : all_cases()) covered.insert(c.op);
  const std::string marker = "virtual void ";
  std::size_t ops = 0;
  for (std::size_t at = 0; (at = text.str().find(marker, at)) != std::string::npos; ++ops) {
    at += marker.size();
    const std::string op = text.str().substr(at, text.str().find('(', at) - at);
    EXPECT_EQ(covered.count(op), 1u) << "no case for " << op;
  }
  EXPECT_EQ(ops, covered.size());
  EXPECT_GT(ops, 20u);
}

}  // namespace
}  // namespace octet
