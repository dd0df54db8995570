// The GGUF reader against files of the `gguf` package, whose own decoder is the oracle, and against
// headers that are wrong in one place each.
#include "checkpoint/gguf.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "base/format.h"
#include "checkpoint/gguf_blocks.h"
#include "checkpoint/safetensors.h"
#include "support/errors.h"
#include "support/gguf_bytes.h"
#include "support/temp_folder.h"
#include "support/tensors.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

using test::Bytes;
using test::error_of;
using test::expect_error;
using test::gguf_entry;
using test::gguf_number;
using test::gguf_of;
using test::gguf_text;
using test::GgufInfo;
using test::GgufParts;

constexpr const char* kData = OCTET_TEST_DATA "/checkpoint/data/gguf/";
constexpr std::uint32_t kF32 = 0, kQ4_0 = 2, kQ4_K = 12, kQ2_K = 10;       // element types
constexpr std::uint32_t kUint32 = 4, kInt32 = 5, kString = 8, kArray = 9;  // value types

GgufFile open_bytes(const Bytes& bytes) { return GgufFile(test::source_of("m.gguf", bytes)); }

Bytes load(const std::string& name) {
  const auto source = open_file(kData + name);
  Bytes bytes(source->size());
  source->read(0, bytes);
  return bytes;
}

void expect_corrupt(const std::string& part, const GgufParts& parts) {
  const Error error = error_of([&] { (void)open_bytes(gguf_of(parts)); });
  EXPECT_EQ(error.code(), Code::kCorruptFile) << error.what();
  EXPECT_TRUE(std::string(error.what()).starts_with("m.gguf: ")) << error.what();
  EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
      << "expected \"" << part << "\" in: " << error.what();
}

// Two tensors with room between them: 3 F32 values at 0, two rows of one Q4_0 block at 32.
GgufParts two_tensors() {
  return {.infos = {{"a", {3}, kF32, 0}, {"b", {32, 2}, kQ4_0, 32}}, .data = 96};
}

TEST(Gguf, EveryTypeDecodesAsTheFormatsOwnLibrary) {
  const GgufFile file(open_file(std::string(kData) + "blocks.gguf"));
  const SafetensorsFile expected(open_file(std::string(kData) + "blocks.safetensors"));
  ASSERT_EQ(file.tensors().size(), expected.tensors().size());
  for (const auto& [name, want] : expected.tensors()) {
    SCOPED_TRACE(name);
    ASSERT_EQ(file.tensors().count(name), 1u);
    const TensorInfo& info = file.tensors().at(name);
    EXPECT_EQ(info.dims, want.dims);
    ASSERT_TRUE(info.dtype.has_value());
    const Bytes stored = file.read(info);
    Bytes values(expected.read(want).size());
    ASSERT_EQ(values.size() / sizeof(float), stored.size() / size_of(*info.dtype));
    decode_to_f32(*info.dtype, stored.data(), reinterpret_cast<float*>(values.data()),
                  values.size() / sizeof(float));
    EXPECT_EQ(values, expected.read(want));
  }
  for (const char* type :
       {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"}) {
    EXPECT_TRUE(std::any_of(file.tensors().begin(), file.tensors().end(), [&](const auto& t) {
      return t.second.dtype_name == type;
    })) << type;
  }
}

TEST(Gguf, SaysWhatIsStoredAndWhatComesOut) {
  const GgufFile file(open_file(std::string(kData) + "blocks.gguf"));
  EXPECT_EQ(file.tensors().at("f16").dtype, DType::kF16);
  EXPECT_EQ(file.tensors().at("bf16").dtype, DType::kBF16);
  const TensorInfo& q = file.tensors().at("raw.Q4_K");
  EXPECT_EQ(q.dtype_name, "Q4_K");
  EXPECT_EQ(q.dtype, DType::kF32);
  EXPECT_EQ(q.bytes, 4u * 2 * 144);
  EXPECT_EQ(file.tensors().at("reshaped").dims, (test::Shape{2, 3, 32}));
}

TEST(Gguf, MetadataOfAllTypes) {
  const GgufFile file(open_file(std::string(kData) + "blocks.gguf"));
  const auto& m = file.metadata();
  EXPECT_EQ(m.at("general.architecture"), "sd3");
  EXPECT_EQ(m.at("test.u8"), "200");
  EXPECT_EQ(m.at("test.i8"), "-100");
  EXPECT_EQ(m.at("test.u16"), "60000");
  EXPECT_EQ(m.at("test.i16"), "-30000");
  EXPECT_EQ(m.at("test.u32"), "4000000000");
  EXPECT_EQ(m.at("test.i32"), "-2000000000");
  EXPECT_EQ(m.at("test.f32"), "0.100000001");
  EXPECT_EQ(m.at("test.bool"), "true");
  EXPECT_EQ(m.at("test.string"), "grün");
  EXPECT_EQ(m.at("test.u64"), "18446744073709551615");
  EXPECT_EQ(m.at("test.i64"), "-9223372036854775808");
  EXPECT_EQ(m.at("test.f64"), "0.10000000000000001");
  EXPECT_EQ(m.count("test.strings"), 0u);
}

TEST(Gguf, RowsOfATensorAreThatPartOfIt) {
  const GgufFile file(open_file(std::string(kData) + "blocks.gguf"));
  for (const char* name : {"f16", "Q4_0", "raw.Q6_K", "reshaped", "vector"}) {
    SCOPED_TRACE(name);
    const TensorInfo& info = file.tensors().at(name);
    const Bytes whole = file.read(info);
    const std::size_t row = row_bytes(info);
    for (std::int64_t first = 0; first < info.dims[0]; ++first) {
      for (std::int64_t count = 0; first + count <= info.dims[0]; count += 1 + count / 2) {
        Bytes part(static_cast<std::size_t>(count) * row, std::byte{0xAA});
        file.read_rows(info, {first, count}, part);
        const auto begin = whole.begin() + static_cast<std::ptrdiff_t>(row) * first;
        ASSERT_TRUE(std::equal(part.begin(), part.end(), begin)) << first << " + " << count;
      }
    }
  }
}

// More blocks than are decoded in one piece.
TEST(Gguf, LongTensors) {
  const std::uint64_t blocks = 70000;
  const Bytes bytes = gguf_of({.infos = {{"long", {32 * blocks}, kQ4_0, 0}},
                               .data = static_cast<std::size_t>(18 * blocks)});
  const GgufFile file = open_bytes(bytes);
  const Bytes values = file.read(file.tensors().at("long"));
  ASSERT_EQ(values.size(), 32 * blocks * 4);
  const float each = f16_to_f32(0x0101);  // code 1 and scale 0x0101 everywhere
  for (const std::uint64_t at :
       {std::uint64_t{0}, 32 * blocks / 2, 16 * blocks + 16, 32 * blocks - 17}) {
    float value = 0;
    std::memcpy(&value, values.data() + 4 * at, 4);
    EXPECT_EQ(value, each * (at % 32 < 16 ? -7.0f : -8.0f)) << at;
  }
}

TEST(Gguf, VersionTwoIsTheSame) {
  Bytes bytes = load("blocks.gguf");
  bytes[4] = std::byte{2};
  EXPECT_EQ(open_bytes(bytes).tensors().size(), 18u);
}

TEST(Gguf, TheValidNeighbourOfTheMalformedFiles) {
  const GgufFile file = open_bytes(gguf_of(two_tensors()));
  EXPECT_EQ(file.tensors().at("a").dims, (test::Shape{3}));
  EXPECT_EQ(file.tensors().at("b").dims, (test::Shape{2, 32}));
  EXPECT_EQ(file.read(file.tensors().at("b")).size(), 256u);
  GgufParts unpadded = two_tensors();  // padding after the last tensor may be left out
  unpadded.data = 32 + 36;
  EXPECT_NO_THROW((void)open_bytes(gguf_of(unpadded)));
  EXPECT_TRUE(open_bytes(gguf_of({})).tensors().empty());
}

TEST(Gguf, MagicAndVersion) {
  GgufParts parts = two_tensors();
  parts.magic = 0x46554748;
  expect_corrupt("expected \"GGUF\"", parts);
  for (const std::uint32_t version : {0u, 1u, 4u, 0xFFFFFFFFu}) {
    parts = two_tensors();
    parts.version = version;
    expect_error(Code::kUnsupported, version == 0 ? "big endian" : "expected version 2 or 3",
                 [&] { (void)open_bytes(gguf_of(parts)); });
  }
  parts.version = 0x03000000;
  expect_error(Code::kUnsupported, "big endian", [&] { (void)open_bytes(gguf_of(parts)); });
  EXPECT_TRUE(is_gguf(*test::source_of("m", gguf_of(two_tensors()))));
  EXPECT_FALSE(is_gguf(*test::source_of("m", test::bytes_of("GGU"))));
  EXPECT_FALSE(is_gguf(*test::source_of("m", test::safetensors_of({}))));
  const auto opened = open_tensor_file(test::source_of("m.bin", gguf_of(two_tensors())));
  EXPECT_EQ(opened->tensors().at("b").dtype_name, "Q4_0") << "told by its first bytes";
}

TEST(Gguf, CountsBeyondReason) {
  for (const std::size_t at : {8u, 16u}) {
    for (const std::uint64_t count : {std::uint64_t{65537}, ~std::uint64_t{0}}) {
      Bytes bytes = gguf_of(two_tensors());
      std::memcpy(bytes.data() + at, &count, 8);
      expect_error(Code::kCorruptFile, "expected at most 65536", [&] { (void)open_bytes(bytes); });
    }
  }
}

void expect_bad_entry(const std::string& part, const Bytes& entry) {
  GgufParts parts = two_tensors();
  parts.entries = {entry};
  expect_corrupt(part, parts);
}

Bytes array_of(std::uint32_t type, std::uint64_t length, const Bytes& values) {
  Bytes bytes = gguf_number(type, 4);
  test::put(bytes, length, 8);
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

TEST(Gguf, MetadataThatCannotBe) {
  expect_bad_entry("expected a value type below 13, found 13", gguf_entry("k", 13, {}));
  expect_bad_entry("expected a bool of 0 or 1, found 2", gguf_entry("k", 7, gguf_number(2, 1)));
  expect_bad_entry("expected a string in UTF-8", gguf_entry("k", kString, gguf_text("\xff")));
  expect_bad_entry("expected a key in UTF-8", gguf_entry("k\xc0\x80", kString, gguf_text("v")));
  expect_bad_entry("expected a key in UTF-8",
                   gguf_entry(std::string("k\0", 2), kString, gguf_text("v")));
  expect_bad_entry("expected a key of at most 65535 bytes",
                   gguf_entry(std::string(65536, 'k'), kString, gguf_text("v")));
  expect_bad_entry("expected a string of at most",
                   gguf_entry("k", kString, gguf_number(1u << 25, 8)));
  expect_bad_entry("more bytes", gguf_entry("k", kString, gguf_number(1u << 20, 8)));
  GgufParts twice = two_tensors();
  twice.entries = {gguf_entry("k", kUint32, gguf_number(1, 4)),
                   gguf_entry("k", kUint32, gguf_number(1, 4))};
  expect_corrupt("key \"k\" given twice", twice);
}

TEST(Gguf, ArraysThatCannotBe) {
  expect_bad_entry("expected an array of at most",
                   gguf_entry("k", kArray, array_of(0, std::uint64_t{1} << 60, {})));
  expect_bad_entry("more bytes", gguf_entry("k", kArray, array_of(10, 1u << 24, {})));
  expect_bad_entry("more bytes",
                   gguf_entry("k", kArray, array_of(kString, 1u << 20, gguf_text("x"))));
  expect_bad_entry("more bytes",
                   gguf_entry("k", kArray, array_of(kString, 1, gguf_number(~0ull, 8))));
  expect_bad_entry("expected a value type below 13", gguf_entry("k", kArray, array_of(99, 1, {})));
  Bytes nested = array_of(0, 0, {});
  for (int i = 0; i < 3; ++i) nested = array_of(kArray, 1, nested);
  GgufParts deep = two_tensors();
  deep.entries = {gguf_entry("k", kArray, nested)};
  EXPECT_NO_THROW((void)open_bytes(gguf_of(deep)));
  expect_bad_entry("arrays nested more than 4 deep",
                   gguf_entry("k", kArray, array_of(kArray, 1, nested)));
  Bytes endless;
  for (int i = 0; i < 200000; ++i) {
    const Bytes level = array_of(kArray, 1, {});
    endless.insert(endless.end(), level.begin(), level.end());
  }
  expect_bad_entry("arrays nested more than 4 deep", gguf_entry("k", kArray, endless));
}

TEST(Gguf, Alignment) {
  GgufParts parts{
      .infos = {{"a", {3}, kF32, 0}, {"b", {1}, kF32, 64}}, .alignment = 64, .data = 68};
  parts.entries = {gguf_entry("general.alignment", kUint32, gguf_number(64, 4))};
  EXPECT_EQ(open_bytes(gguf_of(parts)).tensors().at("b").offset % 64, 0u);
  for (const std::uint64_t alignment : {0u, 3u, 48u, 131072u}) {
    expect_bad_entry("expected a power of two",
                     gguf_entry("general.alignment", kUint32, gguf_number(alignment, 4)));
  }
  expect_bad_entry("expected a uint32", gguf_entry("general.alignment", 10, gguf_number(32, 8)));
}

TEST(Gguf, SplitFiles) {
  GgufParts parts = two_tensors();
  parts.entries = {gguf_entry("split.count", 2, gguf_number(3, 2))};
  expect_error(Code::kUnsupported, "a part of 3", [&] { (void)open_bytes(gguf_of(parts)); });
  parts.entries = {gguf_entry("split.count", 2, gguf_number(1, 2))};
  EXPECT_NO_THROW((void)open_bytes(gguf_of(parts)));
}

TEST(Gguf, ShapesThatCannotBe) {
  const auto with = [](std::vector<std::uint64_t> dims, std::uint32_t type) {
    return GgufParts{.infos = {{"t", std::move(dims), type, 0}}, .data = 64};
  };
  expect_corrupt("\"t\": expected at most 4 dimensions, found 5", with({1, 1, 1, 1, 1}, kF32));
  expect_corrupt("expected dimensions from 1", with({3, 0}, kF32));
  expect_corrupt("expected dimensions from 1", with({~0ull}, kF32));
  expect_corrupt("dimensions overflow", with({1ull << 32, 1ull << 32}, kF32));
  expect_corrupt("dimensions overflow", with({1ull << 32, 1ull << 30}, kF32));
  expect_corrupt("dimensions overflow",
                 with({1ull << 48, 1ull << 48, 1ull << 48, 1ull << 48}, kF32));
  expect_corrupt("multiple of 32 for Q4_0, found 33", with({33, 32}, kQ4_0));
  expect_corrupt("multiple of 256 for Q4_K, found 128", with({128, 2}, kQ4_K));
  GgufParts many = with({1}, kF32);
  Bytes bytes = gguf_of(many);
  const std::uint32_t rank = 0xFFFFFFFF;
  std::memcpy(bytes.data() + 24 + 8 + 1, &rank, 4);
  expect_error(Code::kCorruptFile, "dimensions", [&] { (void)open_bytes(bytes); });
}

TEST(Gguf, NamesThatCannotBe) {
  const auto named = [](const std::string& name) {
    return GgufParts{.infos = {{name, {1}, kF32, 0}}, .data = 4};
  };
  expect_corrupt("expected a tensor name in UTF-8", named("\xed\xa0\x80"));
  expect_corrupt("expected a tensor name of at most 1024 bytes", named(std::string(1025, 'n')));
  expect_corrupt("\"same\": given twice",
                 {.infos = {{"same", {8}, kF32, 0}, {"same", {8}, kF32, 32}}, .data = 64});
  const std::string text = error_of([&] {
                             GgufParts parts = named("evil\n\x1b[31mname");
                             parts.infos[0].offset = 7;
                             (void)open_bytes(gguf_of(parts));
                           }).what();
  EXPECT_NE(text.find("evil??[31mname"), std::string::npos) << text;
}

TEST(Gguf, TypesThatAreNotReadAreNamed) {
  const GgufFile file = open_bytes(gguf_of({.infos = {{"t", {256}, kQ2_K, 0}}, .data = 84}));
  const TensorInfo& info = file.tensors().at("t");
  EXPECT_EQ(info.dtype_name, "Q2_K");
  EXPECT_EQ(info.dtype, std::nullopt);
  Bytes one(84);
  expect_error(Code::kUnsupported, "\"t\": expected F32, F16, BF16, Q8_0", [&] {
    file.read_rows(info, {0, 1}, one);
  });
  for (const std::uint32_t number : {4u, 5u, 31u, 36u, 1000u}) {  // retired and unknown numbers
    expect_error(Code::kUnsupported, "\"t\": expected one of the types", [&] {
      (void)open_bytes(gguf_of({.infos = {{"t", {256}, number, 0}}, .data = 84}));
    });
  }
}

TEST(Gguf, TypesHaveOneNameAndOneNumber) {
  for (std::uint32_t id = 0; id < 64; ++id) {
    const GgufType* type = gguf_type(id);
    if (type == nullptr) continue;
    EXPECT_EQ(gguf_type(std::string_view(type->name)), type);
    EXPECT_EQ(type->dtype.has_value() && type->values > 1, type->decode != nullptr) << type->name;
  }
}

TEST(Gguf, GapsOverlapsAndEnds) {
  const auto at = [](std::uint64_t a, std::uint64_t b, std::size_t data) {
    return GgufParts{.infos = {{"a", {3}, kF32, a}, {"b", {4}, kF32, b}}, .data = data};
  };
  EXPECT_NO_THROW((void)open_bytes(gguf_of(at(32, 0, 44))));
  expect_corrupt("\"b\": expected data at offset 32, found 64", at(0, 64, 96));
  expect_corrupt("expected data at offset 32, found 0", at(0, 0, 64));
  expect_corrupt("\"b\": expected data at offset 32, found 12", at(0, 12, 64));
  expect_corrupt("\"a\": expected data at offset 0, found 32", at(32, 64, 96));
  expect_corrupt("\"b\": expected data at offset 32, found 18446744073709551584",
                 at(0, ~31ull, 96));
  expect_corrupt("\"b\": expected 16 bytes of F32", at(0, 32, 47));
  expect_corrupt("truncated", {.infos = {{"a", {1}, kF32, 0}}, .data = 0, .pad_header = false});
  expect_corrupt("found", at(0, 32, 65));
}

TEST(Gguf, OriginalShapes) {
  const auto shaped = [](const std::string& name, std::uint32_t type, const Bytes& dims,
                         std::uint64_t rank) {
    GgufParts parts = two_tensors();
    parts.entries = {
        gguf_entry("comfy.gguf.orig_shape." + name, kArray, array_of(type, rank, dims))};
    return parts;
  };
  Bytes dims = gguf_number(16, 4);
  test::put(dims, 4, 4);
  EXPECT_EQ(open_bytes(gguf_of(shaped("b", kInt32, dims, 2))).tensors().at("b").dims,
            (test::Shape{16, 4}));
  expect_corrupt("\"a\": expected an original shape of as many values",
                 shaped("a", kInt32, dims, 2));
  expect_corrupt("there is no such tensor", shaped("c", kInt32, dims, 2));
  expect_corrupt("expected an array of int32", shaped("b", kUint32, dims, 2));
  expect_corrupt("expected at most 8 dimensions", shaped("b", kInt32, dims, 9));
  Bytes negative = gguf_number(static_cast<std::uint32_t>(-16), 4);
  test::put(negative, static_cast<std::uint32_t>(-4), 4);
  expect_corrupt("expected an original shape", shaped("b", kInt32, negative, 2));
}

TEST(Gguf, TruncatedAtEveryByte) {
  GgufParts parts = two_tensors();
  parts.entries = {gguf_entry("k", kString, gguf_text("value")),
                   gguf_entry("n", kArray, array_of(kString, 1, gguf_text("x")))};
  parts.data = 32 + 36;
  const Bytes whole = gguf_of(parts);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    expect_error(Code::kCorruptFile, "m.gguf", [&] { (void)open_bytes(part); });
  }
  EXPECT_NO_THROW((void)open_bytes(whole));
}

// Whatever one damaged byte of the header does, it is a typed error or a readable file.
TEST(Gguf, EveryDamagedByteIsHandled) {
  const Bytes whole = load("blocks.gguf");
  int refused = 0;
  const std::size_t header = 2048;
  for (std::size_t at = 0; at < header; ++at) {
    for (const int change : {0x01, 0x20, 0x80, 0xFF}) {
      Bytes damaged = whole;
      damaged[at] ^= static_cast<std::byte>(change);
      try {
        const GgufFile file = open_bytes(damaged);
        for (const auto& [name, info] : file.tensors()) {
          if (info.dtype) (void)file.read(info);
        }
      } catch (const Error& error) {
        ASSERT_TRUE(error.code() == Code::kCorruptFile || error.code() == Code::kUnsupported)
            << error.what();
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 3000);
}

TEST(Gguf, AFileThatShrinksAfterOpening) {
  const test::TempFolder folder;
  const Bytes whole = gguf_of(two_tensors());
  const std::string path = folder.write("shrinking.gguf", whole);
  const GgufFile file(open_file(path));
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(whole.size() - 40)), 0);
  for (const char* tensor : {"a", "b"}) {
    expect_error(Code::kIo, path, [&] { (void)file.read(file.tensors().at(tensor)); });
  }
}

}  // namespace
}  // namespace octet
