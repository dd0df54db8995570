// Comparison: every field that may differ is told with both values.
#include "lock/model_lock.h"

#include <gtest/gtest.h>

#include <functional>

#include "lock/sample_lock.h"

namespace octet {
namespace {

using test::sample_lock;
using Lines = std::vector<std::string>;

Lines after(const std::function<void(ModelLock&)>& change) {
  ModelLock found = sample_lock();
  change(found);
  return differences(sample_lock(), found);
}

TEST(ModelLock, EqualLocksDoNotDiffer) {
  EXPECT_EQ(after([](ModelLock&) {}), Lines{});
  EXPECT_EQ(after([](ModelLock& l) { std::swap(l.files[0], l.files[2]); }), Lines{})
      << "the order of files says nothing";
}

TEST(ModelLock, TheWholeNamesBothValues) {
  EXPECT_EQ(after([](ModelLock& l) { l.engine = std::string("0.2.0"); }),
            Lines{"engine version: locked 0.1.0, found 0.2.0"});
  EXPECT_EQ(after([](ModelLock& l) { l.numerics = 4; }),
            Lines{"numerics version: locked 3, found 4"});
  EXPECT_EQ(after([](ModelLock& l) { l.layout = std::string("single file"); }),
            Lines{"layout: locked diffusers folder, found single file"});
  EXPECT_EQ(after([](ModelLock& l) { l.variant.clear(); }),
            Lines{"variant: locked fp8, found (none)"});
}

TEST(ModelLock, FilesNameBothValues) {
  const std::string two(64, '2'), x(64, 'x');
  const std::string weights = "file transformer/w.safetensors: ";
  EXPECT_EQ(after([](ModelLock& l) { l.files[2].size = 7; }),
            Lines{weights + "size: locked 4611686018427387905, found 7"});
  EXPECT_EQ(after([&](ModelLock& l) { l.files[2].header_sha256 = x; }),
            Lines{weights + "header sha256: locked " + two + ", found " + x});
  EXPECT_EQ(after([&](ModelLock& l) { l.files[2].sha256 = x; }).size(), 1u);
  EXPECT_EQ(after([](ModelLock& l) { l.files[2].dtypes[0].tensors = 1; }),
            Lines{weights + "dtypes: locked BF16 2 tensors 8 bytes, F8_E4M3 3 tensors 700 bytes, "
                            "found BF16 1 tensors 8 bytes, F8_E4M3 3 tensors 700 bytes"});
  EXPECT_EQ(after([](ModelLock& l) { l.files[2].problem = std::string("cut off"); }),
            Lines{"file transformer/w.safetensors: locked a readable file, found cut off"});
}

TEST(ModelLock, PartsNameBothValues) {
  const std::string part = "component transformer: ";
  EXPECT_EQ(after([](ModelLock& l) { l.components[0].variant.clear(); }),
            Lines{part + "variant: locked fp8, found (none)"});
  EXPECT_EQ(after([](ModelLock& l) { l.components[0].dtypes = std::string("F16"); }),
            Lines{part + "dtypes: locked F8_E4M3, BF16, found F16"});
  EXPECT_EQ(after([](ModelLock& l) { l.components[0].scales = std::string("none"); }),
            Lines{part + "scales: locked per row (3 weights), found none"});
  EXPECT_EQ(after([](ModelLock& l) { l.components[0].tensors = 6; }),
            Lines{part + "tensors: locked 5, found 6"});
  EXPECT_EQ(after([](ModelLock& l) { l.components[0].bytes = 709; }),
            Lines{part + "bytes: locked 708, found 709"});
  EXPECT_EQ(after([](ModelLock& l) { l.tokenizers[0].sha256 = std::string("x"); }),
            Lines{"tokenizer tokenizer: sha256: locked " + std::string(64, 'c') + ", found x"});
}

TEST(ModelLock, LorasNameBothWeights) {
  EXPECT_EQ(after([](ModelLock& l) { l.loras[0].weight += "5"; }),
            Lines{"lora/1/style.safetensors: weight: locked 0.8, found 0.85"});
  EXPECT_EQ(after([](ModelLock& l) { l.loras.clear(); }),
            Lines{"LoRA lora/1/style.safetensors: locked present, found missing"});
}

TEST(ModelLock, MissingAndExtra) {
  EXPECT_EQ(after([](ModelLock& l) { l.files.erase(l.files.begin()); }),
            Lines{"file model_index.json: locked present, found missing"});
  EXPECT_EQ(after([](ModelLock& l) { l.files.push_back({.name = "new.json"}); }),
            Lines{"file new.json: locked absent, found present"});
  EXPECT_EQ(after([](ModelLock& l) { l.components.clear(); }),
            Lines{"component transformer: locked present, found missing"});
  EXPECT_EQ(after([](ModelLock& l) { l.tokenizers.push_back({.name = "tokenizer_2"}); }),
            Lines{"tokenizer tokenizer_2: locked absent, found present"});
}

TEST(ModelLock, ADigestThatWasNotComputedIsNotCompared) {
  EXPECT_EQ(after([](ModelLock& l) { l.files[2].sha256.clear(); }), Lines{});
  EXPECT_EQ(after([](ModelLock& l) { l.files[2].header_sha256.clear(); }).size(), 1u)
      << "a header is always looked at";
}

TEST(ModelLock, HostileNamesStayOnTheirLine) {
  const Lines lines = after([](ModelLock& l) { l.files.push_back({.name = "a\nb\x1b[31m"}); });
  EXPECT_EQ(lines, Lines{"file a?b?[31m: locked absent, found present"});
}

}  // namespace
}  // namespace octet
