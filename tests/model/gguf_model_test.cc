// Models from GGUF files: the `gguf` package wrote and decoded them, diffusers computed with the
// decoded values in FP32 (data/gguf/make_gguf.py).
#include <gtest/gtest.h>

#include "checkpoint/gguf.h"
#include "pipeline/golden_forward.h"
#include "support/errors.h"
#include "support/tensors.h"

namespace octet::test {
namespace {

const std::string kArch = "sd35-medium";
const std::string kData = std::string(OCTET_TEST_DATA) + "/model/data/gguf/";

std::vector<float> floats(const TensorFile& file, const std::string& name) {
  const Bytes bytes = file.read(file.tensors().at(name));
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// Another file's tensors under a prefix, as stable-diffusion.cpp names them.
class PrefixedFile final : public TensorFile {
 public:
  PrefixedFile(std::shared_ptr<const TensorFile> file, const std::string& prefix)
      : file_(std::move(file)), cut_(prefix.size()) {
    for (auto [name, info] : file_->tensors()) {
      info.name = prefix + name;
      tensors_[info.name] = info;
    }
  }
  const std::string& name() const override { return file_->name(); }
  const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }
  const std::map<std::string, std::string>& metadata() const override { return file_->metadata(); }
  void read_rows(const TensorInfo& tensor, RowRange rows,
                 std::span<std::byte> destination) const override {
    TensorInfo own = tensor;
    own.name = tensor.name.substr(cut_);
    file_->read_rows(own, rows, destination);
  }

 private:
  std::shared_ptr<const TensorFile> file_;
  std::size_t cut_;
  std::map<std::string, TensorInfo> tensors_;
};

std::vector<float> forward_of(const GoldenModel& golden, std::shared_ptr<const TensorFile> file,
                              const std::string& prefix, Compute compute) {
  WeightReader reader({.name = "transformer", .family = Family::kMmdit, .prefix = prefix},
                      {std::move(file)});
  const Mmdit model(Loader(reader, *golden.backend, compute));
  reader.finish();
  return forward(golden, model, {});
}

TEST(GgufModel, TransformerIsWhatDiffusersComputesFromTheDecodedValues) {
  const GoldenModel golden(kArch, "f32", {});
  const auto file = open_tensor_file(open_file(kData + "transformer.gguf"));
  const auto expected = floats(SafetensorsFile(open_file(kData + "expected.safetensors")), "mmdit");
  EXPECT_LE(relative_l2(forward_of(golden, file, "", Compute::kF32), expected), 1e-5);
  const std::string prefix = "model.diffusion_model.";
  const auto prefixed = std::make_shared<PrefixedFile>(file, prefix);
  EXPECT_EQ(forward_of(golden, prefixed, prefix, Compute::kF32),
            forward_of(golden, file, "", Compute::kF32));
  EXPECT_LE(relative_l2(forward_of(golden, file, "", Compute::kBF16), expected), 2e-2);
}

TEST(GgufModel, T5UnderTheNamesOfLlamaCpp) {
  const SafetensorsFile expected(open_file(kData + "expected.safetensors"));
  WeightReader reader({.name = "text_encoder_3", .family = Family::kT5},
                      {open_tensor_file(open_file(kData + "t5.gguf"))});
  int compared = 0;
  for (const auto& [name, info] : expected.tensors()) {
    if (!name.starts_with("t5.")) continue;
    const std::string own = name.substr(3);
    ASSERT_TRUE(reader.has(own)) << own;
    const HostTensor t = reader.table(own, info.dims);
    std::vector<float> values(floats(expected, name).size());
    decode_to_f32(t.dtype, t.data.data(), values.data(), values.size());
    EXPECT_EQ(values, floats(expected, name)) << own;
    ++compared;
  }
  EXPECT_GT(compared, 10);
  EXPECT_NO_THROW(reader.finish());
}

TEST(GgufModel, StoredTypesAreReportedAsTheyAre) {
  WeightReader reader({.name = "transformer", .family = Family::kMmdit},
                      {open_tensor_file(open_file(kData + "transformer.gguf"))});
  std::map<std::string, std::uint64_t> bytes;
  for (const auto& [dtype, count] : reader.dtype_bytes()) bytes[dtype] = count;
  for (const char* type : {"F32", "F16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"}) {
    EXPECT_GT(bytes[type], 0u) << type;
  }
}

}  // namespace
}  // namespace octet::test
