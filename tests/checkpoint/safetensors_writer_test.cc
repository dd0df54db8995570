#include "checkpoint/safetensors_writer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "checkpoint/safetensors.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace octet {
namespace {

TEST(SafetensorsWriter, TheReaderGetsBackEverything) {
  const FloatTensors tensors = {{"noise", {{1, 2, 3}, {0, -1.5f, 2, 3, 4, 1e-30f}}},
                                {"quote\" \n", {{1}, {7}}},
                                {"empty", {{0, 4}, {}}},
                                {"scalar", {{}, {3}}}};
  const SafetensorsFile file(test::source_of("dump", safetensors_bytes(tensors)));
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const auto& [name, expected] : tensors) {
    const TensorInfo& info = file.tensors().at(name);
    EXPECT_EQ(info.dims, expected.dims);
    EXPECT_EQ(info.offset % 4, 0u);
    const test::Bytes bytes = file.read(info);
    ASSERT_EQ(bytes.size(), expected.values.size() * 4);
    if (!bytes.empty()) {
      EXPECT_EQ(std::memcmp(bytes.data(), expected.values.data(), bytes.size()), 0) << name;
    }
  }
}

TEST(SafetensorsWriter, WritesTheSameBytesToDisk) {
  const test::TempFolder folder;
  const FloatTensors tensors = {{"a", {{2}, {1, 2}}}};
  write_safetensors(folder.path() + "/dump", tensors);
  const auto source = open_file(folder.path() + "/dump");
  test::Bytes bytes(source->size());
  source->read(0, bytes);
  EXPECT_EQ(bytes, safetensors_bytes(tensors));
  test::expect_error(Code::kIo, "absent",
                     [&] { write_safetensors(folder.path() + "/absent/dump", tensors); });
}

TEST(SafetensorsWriter, HeaderOfAnyTypeWithMetadataAndRoom) {
  const std::vector<TensorEntry> entries = {{"b", DType::kBF16, {3}},
                                            {"a", DType::kF8E4M3, {2, 1}}};
  const std::map<std::string, std::string> metadata = {{"note", "\"x\"\n"}};
  const std::string tight = safetensors_header(entries, metadata);
  const std::string roomy = safetensors_header(entries, metadata, 500);
  EXPECT_LT(tight.size(), 200u);
  EXPECT_EQ(roomy.size(), 8u + 504);
  for (const std::string& header : {tight, roomy}) {
    const SafetensorsFile file(
        test::source_of("file", test::bytes_of(header + std::string(8, '\0'))));
    EXPECT_EQ(file.metadata(), metadata);
    EXPECT_EQ(file.tensors().at("b").offset, header.size()) << "in the order given";
    EXPECT_EQ(file.tensors().at("a").offset, header.size() + 6);
    EXPECT_EQ(file.tensors().at("a").dtype, DType::kF8E4M3);
  }
}

TEST(SafetensorsWriter, ValuesMustFitTheDimensions) {
  test::expect_error(Code::kInternal, "a", [] { (void)safetensors_bytes({{"a", {{3}, {1}}}}); });
  test::expect_error(Code::kInternal, "a", [] { (void)safetensors_bytes({{"a", {{-1}, {1}}}}); });
}

}  // namespace
}  // namespace octet
