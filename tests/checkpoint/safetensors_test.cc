// The reader against files that are right, and against every way of being wrong that we thought of.
#include "checkpoint/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "base/format.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "support/tensors.h"

namespace octet {
namespace {

using test::Bytes;
using test::bytes_of;
using test::error_of;
using test::expect_error;
using test::safetensors_with_header;

SafetensorsFile open_bytes(const Bytes& bytes) {
  return SafetensorsFile(test::source_of("model.safetensors", bytes));
}

// The error of a file with this header: always kCorruptFile, always naming the file.
std::string refusal(const std::string& header, std::size_t data_bytes = 0) {
  const Error error =
      error_of([&] { (void)open_bytes(safetensors_with_header(header, data_bytes)); });
  EXPECT_EQ(error.code(), Code::kCorruptFile) << error.what() << " for " << header;
  EXPECT_TRUE(std::string(error.what()).starts_with("model.safetensors: ")) << error.what();
  return error.what();
}

void expect_refusal(const std::string& part, const std::string& header,
                    std::size_t data_bytes = 0) {
  const std::string text = refusal(header, data_bytes);
  EXPECT_NE(text.find(part), std::string::npos) << "expected \"" << part << "\" in: " << text;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return format(R"("%s":{"dtype":"%s","shape":%s,"data_offsets":%s})", name.c_str(), dtype.c_str(),
                shape.c_str(), offsets.c_str());
}
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{" + entry("blocks.0", dtype, shape, offsets) + "}";
}

test::TensorMap two_tensors() {
  test::TensorMap map;
  map["b.weight"] = test::tensor_of({2, 3}, {1, 2, 3, 4, 5, 6});
  map["a"] = test::tensor_of({3}, {-1, 0, 1}, DType::kF8E4M3);
  return map;
}

TEST(Safetensors, ReadsWhatWasWritten) {
  const auto file = open_bytes(test::safetensors_of(two_tensors()));
  ASSERT_EQ(file.tensors().size(), 2u);
  const TensorInfo& b = file.tensors().at("b.weight");
  EXPECT_EQ(b.dtype, DType::kF32);
  EXPECT_EQ(b.dims, (std::vector<std::int64_t>{2, 3}));
  const Bytes bytes = file.read(b);
  ASSERT_EQ(bytes.size(), 24u);
  float last = 0;
  std::memcpy(&last, bytes.data() + 20, 4);
  EXPECT_EQ(last, 6);
  EXPECT_EQ(file.read(file.tensors().at("a")),
            (Bytes{std::byte{0xB8}, std::byte{0x00}, std::byte{0x38}}));
  EXPECT_EQ(file.name(), "model.safetensors");
}

TEST(Safetensors, DataIsFoundByOffsetNotByOrder) {
  const std::string header = "{" + entry("first", "U8", "[1]", "[2,3]") + "," +
                             entry("second", "U8", "[2]", "[0,2]") + "}   ";
  Bytes bytes = safetensors_with_header(header, 3);
  bytes[bytes.size() - 1] = std::byte{9};
  const auto file = open_bytes(bytes);
  EXPECT_EQ(file.read(file.tensors().at("first")), Bytes{std::byte{9}});
}

TEST(Safetensors, MetadataIsKept) {
  const auto file = open_bytes(safetensors_with_header(
      R"({"__metadata__":{"format":"pt","dtype":"x"},)" + entry("t", "F16", "[]", "[0,2]") + "}",
      2));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.metadata().at("dtype"), "x");
  EXPECT_EQ(file.tensors().size(), 1u);
}

TEST(Safetensors, EmptyFilesOfTheFormat) {
  EXPECT_TRUE(open_bytes(safetensors_with_header("{}", 0)).tensors().empty());
  const auto empty = open_bytes(safetensors_with_header(one("F32", "[0,7]", "[0,0]"), 0));
  EXPECT_EQ(empty.read(empty.tensors().at("blocks.0")), Bytes{});
}

TEST(Safetensors, ForeignDtypesAreKeptByName) {
  const auto file = open_bytes(safetensors_with_header(one("F8_E8M0", "[3]", "[0,3]"), 3));
  const TensorInfo& t = file.tensors().at("blocks.0");
  EXPECT_EQ(t.dtype, std::nullopt);
  EXPECT_EQ(t.dtype_name, "F8_E8M0");
}

TEST(Safetensors, LengthOfTheHeader) {
  const auto with_length = [](std::uint64_t length, std::size_t size) {
    Bytes bytes(size, std::byte{'{'});
    std::memcpy(bytes.data(), &length, 8);
    return bytes;
  };
  const std::uint64_t lengths[] = {0,
                                   1,
                                   93,
                                   std::uint64_t{1} << 32,
                                   std::uint64_t{1} << 63,
                                   ~std::uint64_t{0},
                                   ~std::uint64_t{0} - 7};
  for (const std::uint64_t length : lengths) {
    expect_error(Code::kCorruptFile, "found a length of " + std::to_string(length),
                 [&] { (void)open_bytes(with_length(length, 100)); });
  }
  for (std::size_t size = 0; size < 8; ++size) {
    expect_error(Code::kCorruptFile, "found " + std::to_string(size) + " bytes",
                 [&] { (void)open_bytes(Bytes(size)); });
  }
}

TEST(Safetensors, PointersOfGitLfs) {
  const std::string text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  expect_error(Code::kCorruptFile, "found a Git LFS pointer to one; git lfs pull",
               [&] { (void)open_bytes(Bytes(bytes, bytes + text.size())); });
}

TEST(Safetensors, HeadersThatAreNotJsonObjects) {
  for (const char* header : {"  {}", "[]", "\"a\"", "nonsense", "PK\x03\x04", "<html>"}) {
    expect_refusal("starting with '{'", header);
  }
  for (const char* header : {"{}x", "{ ", "{\"a\":", "{,}", "{'a':1}", "{}{}", "{\"a\xff\":{}}",
                             "{\"\\ud800\":{}}", "{\"a\" {}}"}) {
    expect_refusal("not valid JSON", header);
  }
  refusal(std::string("{}\0", 3));
  refusal(std::string("{}\0not looked at", 16));
}

TEST(Safetensors, EntriesOfAnotherForm) {
  for (const char* header : {"{\"t\":1}",
                             "{\"t\":-1}",
                             "{\"t\":1.5}",
                             "{\"t\":null}",
                             "{\"t\":true}",
                             "{\"t\":\"F32\"}",
                             "{\"t\":[]}",
                             "{\"t\":{\"dtype\":{}}}",
                             "{\"t\":{\"dtype\":[]}}",
                             "{\"t\":{\"shape\":1}}",
                             "{\"t\":{\"shape\":\"1\"}}",
                             "{\"t\":{\"shape\":[\"1\"]}}",
                             "{\"t\":{\"shape\":[[1]]}}",
                             "{\"t\":{\"shape\":[{}]}}",
                             "{\"t\":{\"shape\":[null]}}",
                             "{\"t\":{\"strides\":[1]}}",
                             "{\"t\":{\"dtype\":null}}",
                             "{\"__metadata__\":{\"a\":1}}",
                             "{\"__metadata__\":{\"a\":[]}}",
                             "{\"__metadata__\":{\"a\":{}}}",
                             "{\"__metadata__\":\"a\"}"}) {
    expect_refusal("header entry", header);
  }
  expect_refusal("\"t\"", "{\"t\":1}");
}

TEST(Safetensors, EntriesThatLackSomething) {
  for (const char* header : {
           "{\"t\":{}}",
           "{\"t\":{\"dtype\":\"U8\",\"shape\":[]}}",
           "{\"t\":{\"shape\":[],\"data_offsets\":[0,1]}}",
           "{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}",
           "{\"t\":{\"dtype\":\"\",\"shape\":[],\"data_offsets\":[0,1]}}",
           "{\"t\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[]}}",
           "{\"t\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[1]}}",
           "{\"t\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1,1]}}",
           "{\"t\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[1,0]}}",
       }) {
    expect_refusal("\"t\"", header, 1);
  }
}

TEST(Safetensors, FieldsGivenTwice) {
  expect_refusal("\"t\"", R"({"t":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})",
                 1);
  expect_refusal("\"t\"", R"({"t":{"dtype":"F32","dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                 1);
  expect_refusal(
      "\"t\"", R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"data_offsets":[0,1]}})", 1);
}

TEST(Safetensors, NamesGivenTwice) {
  const std::string t = entry("same", "U8", "[1]", "[0,1]");
  expect_refusal("\"same\"", "{" + t + "," + t + "}", 1);
  expect_refusal("\"same\"", "{" + t + "," + entry("same", "U8", "[1]", "[1,2]") + "}", 2);
}

TEST(Safetensors, MetadataGivenTwice) {
  expect_refusal("__metadata__", R"({"__metadata__":{"a":"1","a":"2"}})");
  expect_refusal("a second one", R"({"__metadata__":{"a":"1"},"__metadata__":{"b":"2"}})");
  expect_refusal("a second one", R"({"__metadata__":{},"__metadata__":{}})");
}

TEST(Safetensors, NamesThatCannotBe) {
  const auto named = [](const std::string& name) {
    return format("{%s}", entry(name, "U8", "[0]", "[0,0]").c_str());
  };
  EXPECT_NO_THROW((void)open_bytes(safetensors_with_header(named(std::string(512, 'n')), 0)));
  expect_refusal("longer than 512 bytes", named(std::string(513, 'n')));
  expect_refusal("a NUL in the name", named("a\\u0000b"));
  for (const char* bytes : {"\xff", "\xc0\x80", "\xed\xa0\x80", "a\xc3"}) {
    expect_refusal("not valid JSON", named(bytes));  // no UTF-8
  }
  EXPECT_NO_THROW((void)open_bytes(safetensors_with_header(named(""), 0)));
}

TEST(Safetensors, TooManyTensors) {
  std::string header = "{";
  for (int i = 0; i < 200000; ++i) {
    if (i > 0) header += ",";
    header += entry(format("t%d", i), "U8", "[0]", "[0,0]");
  }
  EXPECT_EQ(open_bytes(safetensors_with_header(header + "}", 0)).tensors().size(), 200000u);
  expect_refusal("more than 200000", header + "," + entry("last", "U8", "[0]", "[0,0]") + "}");
}

TEST(Safetensors, DtypesThatAreNone) {
  for (const char* dtype : {"F33", "f32", "float32", "F8", "E4M3", "F32 "}) {
    expect_refusal("the dtype " + std::string(dtype), one(dtype, "[0]", "[0,0]"));
  }
}

// Also of types that Octet does not compute with.
TEST(Safetensors, BytesOfEveryType) {
  const std::pair<const char*, int> types[] = {
      {"BOOL", 8},    {"U8", 8},          {"I8", 8},          {"F8_E4M3", 8}, {"F8_E5M2", 8},
      {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},
      {"F16", 16},    {"BF16", 16},       {"I32", 32},        {"U32", 32},    {"F32", 32},
      {"I64", 64},    {"U64", 64},        {"F64", 64},        {"C64", 64},    {"F4", 4},
      {"F6_E2M3", 6}, {"F6_E3M2", 6}};
  for (const auto& [dtype, bits] : types) {
    const auto bytes = static_cast<std::size_t>(4 * bits / 8);
    const std::string right = one(dtype, "[2,2]", format("[0,%zu]", bytes));
    EXPECT_NO_THROW((void)open_bytes(safetensors_with_header(right, bytes))) << dtype;
    expect_refusal("\"blocks.0\"", one(dtype, "[2,3]", format("[0,%zu]", bytes)), bytes);
  }
  expect_refusal("\"blocks.0\"", one("F4", "[3]", "[0,1]"), 1);
  expect_refusal("\"blocks.0\"", one("F4", "[3]", "[0,2]"), 2);
}

TEST(Safetensors, NumbersThatCannotBe) {
  for (const char* number : {"-1", "1.0", "1e3", "0.5", "-0", "18446744073709551616",
                             "281474976710657", "99999999999999999999999999"}) {
    expect_refusal("\"blocks.0\"", one("U8", format("[%s]", number), "[0,1]"), 1);
    expect_refusal("\"blocks.0\"", one("U8", "[1]", format("[0,%s]", number)), 1);
  }
  expect_refusal("dimensions", one("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1);
}

TEST(Safetensors, ProductsThatOverflow) {
  // 2^32 * 2^32 = 2^64, which is 0 modulo 2^64: the bytes of an empty tensor.
  for (const char* shape : {"[4294967296,4294967296]", "[281474976710656,281474976710656]",
                            "[4294967296,1073741824]", "[281474976710656,281474976710656,0]",
                            "[281474976710656,281474976710656,281474976710656,281474976710656]"}) {
    expect_refusal("\"blocks.0\"", one("F32", shape, "[0,0]"));
  }
}

TEST(Safetensors, BytesThatDoNotFitTheShape) {
  expect_refusal("\"blocks.0\"", one("F32", "[2]", "[0,4]"), 4);
  expect_refusal("\"blocks.0\"", one("F16", "[2]", "[0,8]"), 8);
  expect_refusal("\"blocks.0\"", one("F8_E4M3", "[0]", "[0,8]"), 8);
  expect_refusal("\"blocks.0\"", one("F32", "[]", "[0,0]"), 0);
}

TEST(Safetensors, GapsAndOverlaps) {
  const auto pair = [](const std::string& first, const std::string& second) {
    return "{" + entry("first", "U8", "[2]", first) + "," + entry("second", "U8", "[2]", second) +
           "}";
  };
  EXPECT_NO_THROW((void)open_bytes(safetensors_with_header(pair("[0,2]", "[2,4]"), 4)));
  expect_refusal("\"second\"", pair("[0,2]", "[3,5]"), 5);
  expect_refusal("\"second\"", pair("[0,2]", "[1,3]"), 3);
  expect_refusal("\"second\"", pair("[0,2]", "[0,2]"), 2);
  expect_refusal("\"first\"", pair("[1,3]", "[3,5]"), 5);
  expect_refusal("truncated", pair("[0,2]", "[2,4]"), 3);
  expect_refusal("found 5", pair("[0,2]", "[2,4]"), 5);
  expect_refusal("truncated", one("U8", "[281474976710656]", "[0,281474976710656]"), 8);
}

// A parser that recursed or kept what it reads would not survive these.
TEST(Safetensors, DeepAndLongHeaders) {
  const std::size_t depth = 2000000;
  refusal("{\"t\":" + std::string(depth, '['));
  refusal("{\"t\":{\"shape\":" + std::string(depth, '['));
  std::string objects;
  for (int i = 0; i < 300000; ++i) objects += "{\"a\":";
  refusal(objects);
  refusal("{\"t\":{\"shape\":[" + std::string(2 * depth, '1') + "]}}");
  refusal("{\"" + std::string(depth, 'n') + "\":1}");
}

TEST(Safetensors, HostileNamesStayOnOneLine) {
  const std::string text = refusal("{\"evil\\n\\u001b[31mname\":1}");
  EXPECT_NE(text.find("evil??[31mname"), std::string::npos) << text;
}

TEST(Safetensors, TruncatedAtEveryByte) {
  const Bytes whole = test::safetensors_of(two_tensors());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    expect_error(Code::kCorruptFile, "model.safetensors", [&] { (void)open_bytes(part); });
  }
  EXPECT_NO_THROW((void)open_bytes(whole));
  Bytes longer = whole;
  longer.push_back({});
  expect_error(Code::kCorruptFile, "model.safetensors", [&] { (void)open_bytes(longer); });
}

// Whatever one flipped byte of the header does, it is a typed error or a readable file.
TEST(Safetensors, EveryDamagedByteIsHandled) {
  const Bytes whole = test::safetensors_of(two_tensors());
  const std::size_t header_end = whole.size() - 27;
  int refused = 0;
  for (std::size_t at = 0; at < header_end; ++at) {
    for (const int change : {0x01, 0x20, 0x80, 0xFF}) {
      Bytes damaged = whole;
      damaged[at] ^= static_cast<std::byte>(change);
      try {
        const auto file = open_bytes(damaged);
        for (const auto& [name, info] : file.tensors()) (void)file.read(info);
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), Code::kCorruptFile) << error.what();
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, static_cast<int>(3 * header_end));
}

TEST(Safetensors, AFileThatShrinksAfterOpening) {
  const test::TempFolder folder;
  const Bytes whole = test::safetensors_of(two_tensors());
  const std::string path = folder.write("shrinking.safetensors", whole);
  const SafetensorsFile file(open_file(path));
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(whole.size() - 4)), 0);
  for (const char* tensor : {"a", "b.weight"}) {
    expect_error(Code::kIo, path, [&] { (void)file.read(file.tensors().at(tensor)); });
  }
}

}  // namespace
}  // namespace octet
