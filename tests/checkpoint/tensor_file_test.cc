// What every format shares: ranges of rows, scalars, and telling formats apart.
#include "checkpoint/tensor_file.h"

#include <gtest/gtest.h>

#include "checkpoint/pickle.h"
#include "support/errors.h"
#include "support/tensors.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

std::vector<float> rows_of(const TensorFile& file, const std::string& name, RowRange rows) {
  const TensorInfo& info = file.tensors().at(name);
  std::vector<std::byte> bytes(static_cast<std::size_t>(rows.count) * row_bytes(info));
  file.read_rows(info, rows, bytes);
  std::vector<float> values(bytes.size() / size_of(*info.dtype));
  decode_to_f32(*info.dtype, bytes.data(), values.data(), values.size());
  return values;
}

std::shared_ptr<const TensorFile> sample() {
  test::TensorMap map;
  map["a"] = test::tensor_of({3, 2}, {1, 2, 3, 4, 5, 6}, DType::kBF16);
  map["b"] = test::tensor_of({}, {7});
  map["c"] = {.dtype = "F64", .dims = {2, 2}, .data = test::Bytes(32)};
  map["d"] = {.dtype = "F4", .dims = {2, 3}, .data = test::Bytes(3)};
  return open_tensor_file(test::source_of("file", test::safetensors_of(map)));
}

TEST(TensorFile, RangesOfRows) {
  const auto file = sample();
  EXPECT_EQ(rows_of(*file, "a", {.first = 1, .count = 2}), (std::vector<float>{3, 4, 5, 6}));
  EXPECT_EQ(rows_of(*file, "a", {.first = 0, .count = 1}), (std::vector<float>{1, 2}));
  EXPECT_EQ(rows_of(*file, "b", all_rows(file->tensors().at("b"))), (std::vector<float>{7}));
  EXPECT_EQ(file->read(file->tensors().at("a")).size(), 12u);
  EXPECT_EQ(file->read(file->tensors().at("c")).size(), 32u) << "types that Octet cannot decode";
  EXPECT_EQ(file->read(file->tensors().at("d")).size(), 3u) << "half a byte each";
}

TEST(TensorFile, DestinationsOfAnotherSizeAreABug) {
  const auto file = sample();
  std::vector<std::byte> bytes(5);
  test::expect_error(Code::kInternal, "destination", [&] {
    file->read_rows(file->tensors().at("a"), {.first = 0, .count = 1}, bytes);
  });
}

TEST(TensorFile, PicklesAreRefusedByWhatTheyHold) {
  const auto open = [](const std::string& start) {
    test::Bytes bytes = test::bytes_of(start);
    bytes.resize(300, std::byte{'}'});
    return open_tensor_file(test::source_of("w.safetensors", bytes));
  };
  for (const char* pickle :
       {"PK\x03\x04zip of torch", "\x80\x02}q\x01", "\x80\x04\x95\x10", "\x80\x05."}) {
    test::expect_error(Code::kUnsupported, "Python pickle", [&] { (void)open(pickle); });
    test::expect_error(Code::kUnsupported, "save_file", [&] { (void)open(pickle); });
  }
  // 0x280 bytes of header: begins with the same two bytes as a pickle.
  const std::string header = "{}" + std::string(0x280 - 2, ' ');
  const test::Bytes sound = test::safetensors_with_header(header, 0);
  ASSERT_EQ(sound[0], std::byte{0x80});
  ASSERT_EQ(sound[1], std::byte{2});
  EXPECT_NO_THROW((void)open_tensor_file(test::source_of("f", sound)));
}

TEST(TensorFile, NamesOfPickles) {
  for (const char* name : {"a.bin", "x/model.ckpt", "b.pt", "c.pth", "d.pkl"}) {
    EXPECT_TRUE(is_pickle_name(name)) << name;
  }
  for (const char* name : {"a.safetensors", "bin", "a.gguf", "pt"}) {
    EXPECT_FALSE(is_pickle_name(name)) << name;
  }
}

}  // namespace
}  // namespace octet
