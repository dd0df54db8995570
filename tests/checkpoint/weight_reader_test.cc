#include "checkpoint/weight_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/format.h"
#include "support/errors.h"
#include "support/tensors.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

using test::error_of;
using test::expect_error;
using test::reader_of;
using test::tensor_of;
using test::TensorMap;

std::vector<float> floats_of(DType dtype, const std::vector<std::byte>& data) {
  std::vector<float> values(data.size() / size_of(dtype));
  decode_to_f32(dtype, data.data(), values.data(), values.size());
  return values;
}

test::TestTensor ones(const test::Shape& dims, DType dtype = DType::kF32) {
  return tensor_of(dims, std::vector<float>(std::size_t(test::count_of(dims)), 1.0f), dtype);
}

TEST(WeightReader, LinearWithBias) {
  WeightReader r = reader_of("c", {{{"fc.weight", tensor_of({2, 3}, {1, 2, 3, 4, 5, 6})},
                                    {"fc.bias", tensor_of({2}, {7, 8}, DType::kBF16)}}});
  const HostWeight w = r.linear("fc", 2, 3, true);
  EXPECT_EQ(w.name, "fc.weight");
  EXPECT_EQ(w.dims, (test::Shape{2, 3}));
  EXPECT_EQ(floats_of(w.dtype, w.data), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(w.bias, (std::vector<float>{7, 8}));
  EXPECT_EQ(w.scale_kind, ScaleKind::kNone);
  EXPECT_NO_THROW(r.finish());
}

TEST(WeightReader, WhatIsLeftInTheFileHasTheRowsOfTheWeight) {
  WeightReader r = reader_of("c", {{{"fc.weight", ones({2, 3})},
                                    {"one.weight", tensor_of({1, 3}, {1, 2, 3})},
                                    {"conv.weight", ones({1, 2, 3, 3})},
                                    {"conv.bias", ones({1})}}});
  r.defer_reads(true);
  const HostWeight two = r.linear("fc", 2, 3, false);
  ASSERT_EQ(two.deferred.size(), 1u);
  EXPECT_EQ(two.deferred[0]->rows(), 2);
  // A tensor of one row is given in pieces of it, which are no rows of the weight.
  const HostWeight one = r.linear("one", 1, 3, false);
  EXPECT_TRUE(one.deferred.empty());
  EXPECT_EQ(floats_of(one.dtype, one.data), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(r.conv("conv", 1, 2, 3).data.size(), 18 * sizeof(float));
}

TEST(WeightReader, BiasThatNobodyAskedForIsUnread) {
  WeightReader r = reader_of("c", {{{"fc.weight", ones({2, 3})}, {"fc.bias", ones({2})}}});
  EXPECT_TRUE(r.linear("fc", 2, 3, false).bias.empty());
  expect_error(Code::kModelMismatch, "1 unknown (fc.bias)", [&] { r.finish(); });
}

TEST(WeightReader, MissingTensorsAreListedTogether) {
  WeightReader r = reader_of("transformer", {{{"other", ones({1})}}});
  for (int i = 0; i < 4; ++i) (void)r.linear("fc" + std::to_string(i), 2, 3, true);
  const HostWeight zeros = r.linear("fc0", 2, 3, true);
  EXPECT_EQ(floats_of(zeros.dtype, zeros.data), std::vector<float>(6, 0.0f));
  const std::string text = error_of([&] { r.finish(); }).what();
  EXPECT_EQ(text,
            "transformer: tensors do not fit the model: 10 missing (fc0.weight, fc0.bias, "
            "fc1.weight, fc1.bias, fc2.weight and 5 more); 1 unknown (other)");
}

TEST(WeightReader, UnreadTensorsAreListed) {
  TensorMap map;
  for (int i = 0; i < 7; ++i) map["extra" + std::to_string(i)] = ones({1});
  const std::string text = error_of([&] { reader_of("vae", {map}).finish(); }).what();
  EXPECT_EQ(text,
            "vae: tensors do not fit the model: 7 unknown (extra0, extra1, extra2, extra3, extra4 "
            "and 2 more)");
}

TEST(WeightReader, HarmlessExtrasAreIgnored) {
  EXPECT_NO_THROW(reader_of("c", {{{"text_model.embeddings.position_ids", ones({1, 77})},
                                   {"logit_scale", ones({})},
                                   {"encoder.embed_tokens.weight", ones({3, 2})}}})
                      .finish());
}

TEST(WeightReader, MissingPartOfAStackNamesThePart) {
  WeightReader r = reader_of("c", {{{"k.weight", ones({2, 3}, DType::kF16)},
                                    {"k.bias", ones({2})},
                                    {"v.weight", ones({2, 3}, DType::kF16)},
                                    {"v.bias", ones({2})},
                                    {"q.bias", ones({2})}}});
  const HostWeight w = r.stacked({"q", "k", "v"}, 2, 3, true);
  EXPECT_EQ(w.dims, (test::Shape{6, 3}));
  EXPECT_EQ(w.data.size(), 18 * size_of(w.dtype));
  EXPECT_EQ(w.bias.size(), 6u);
  expect_error(Code::kModelMismatch, "1 missing (q.weight)", [&] { r.finish(); });
}

TEST(WeightReader, ShapesMustMatch) {
  WeightReader r = reader_of("c", {{{"fc.weight", ones({2, 3})}, {"n", ones({5})}}});
  expect_error(Code::kModelMismatch, "c: tensor \"fc.weight\": expected shape [3, 2], found [2, 3]",
               [&] { (void)r.linear("fc", 3, 2, false); });
  expect_error(Code::kModelMismatch, "expected shape [4], found [5]",
               [&] { (void)r.vector("n", 4); });
  expect_error(Code::kModelMismatch, "\"n\"", [&] { (void)r.table("n", {2, 3}); });
  EXPECT_NO_THROW((void)r.table("n", {5, 1})) << "tables may be seen under another shape";
}

TEST(WeightReader, ConvolutionStoredAsMatrix) {
  WeightReader r = reader_of("c", {{{"proj.weight", ones({4, 3})}, {"proj.bias", ones({4})}}});
  const HostWeight w = r.conv("proj", 4, 3, 1);
  EXPECT_EQ(w.dims, (test::Shape{4, 3, 1, 1}));
  EXPECT_EQ(w.bias.size(), 4u);
  expect_error(Code::kModelMismatch, "[4, 3, 3, 3]", [&] { (void)r.conv("proj", 4, 3, 3); });
}

TEST(WeightReader, SizesOfZeroAreRefused) {
  WeightReader r = reader_of("c", {{{"fc.weight", ones({0, 3})}, {"fc.bias", ones({0})}}});
  expect_error(Code::kModelMismatch, "fc.weight", [&] { (void)r.linear("fc", 0, 3, true); });
  expect_error(Code::kModelMismatch, "fc.bias", [&] { (void)r.vector("fc.bias", 0); });
}

// Sizes come from shapes, and a shape with a zero in it costs its author nothing: the answer to a
// missing tensor must not be an allocation of that size.
TEST(WeightReader, MissingTensorsOfHugeSizeAreNotMade) {
  const std::int64_t huge = std::int64_t{1} << 48;
  for (const std::int64_t out : {std::int64_t{1}, huge}) {
    WeightReader r = reader_of("c", {{{"other", ones({1})}}});
    expect_error(Code::kModelMismatch, "fc.weight", [&] { (void)r.linear("fc", out, huge, true); });
    expect_error(Code::kModelMismatch, "norm", [&] { (void)r.vector("norm", huge); });
    expect_error(Code::kModelMismatch, "table", [&] { (void)r.table("table", {out, huge}); });
    expect_error(Code::kModelMismatch, "conv", [&] { (void)r.conv("conv", out, huge, 3); });
  }
}

TEST(WeightReader, ManyMissingTensorsStayWithinAGigabyte) {
  WeightReader r = reader_of("c", {{{"other", ones({1})}}});
  expect_error(Code::kModelMismatch, "missing (", [&] {
    for (int i = 0; i < 1000; ++i) (void)r.linear("fc" + std::to_string(i), 4096, 4096, false);
  });
}

TEST(WeightReader, ForeignDtypesAreRefusedBeforeTheirShape) {
  TensorMap map;
  map["fc.weight"] = {.dtype = "F64", .dims = {2, 3}, .data = test::Bytes(48)};
  map["id"] = {.dtype = "I32", .dims = {1}, .data = test::Bytes(4)};
  map["t"] = {.dtype = "F8_E8M0", .dims = {3, 3}, .data = test::Bytes(9)};
  WeightReader r = reader_of("c", {map});
  expect_error(Code::kUnsupported, "found F64", [&] { (void)r.linear("fc", 2, 3, false); });
  expect_error(Code::kUnsupported, "found I32", [&] { (void)r.vector("id", 1); });
  expect_error(Code::kUnsupported, "found F8_E8M0", [&] { (void)r.table("t", {2, 2}); });
}

TEST(WeightReader, ShardsAreOneFile) {
  WeightReader r = reader_of("c", {{{"fc.weight", ones({2, 3})}}, {{"fc.bias", ones({2})}}});
  EXPECT_NO_THROW((void)r.linear("fc", 2, 3, true));
  EXPECT_NO_THROW(r.finish());
  const std::string text = error_of([] {
                             (void)reader_of("c", {{{"t", ones({1})}}, {{"t", ones({1})}}});
                           }).what();
  EXPECT_EQ(text, "c: tensor \"t\" expected once, found in shard0 and in shard1");
}

TEST(WeightReader, DimsAndCounts) {
  const WeightReader r = reader_of("c", {{{"b.0.x", ones({2, 5})},
                                          {"b.10.x", ones({1})},
                                          {"b.2.x", ones({1})},
                                          {"b.1024.x", ones({1})},
                                          {"b.99999999999.x", ones({1})},
                                          {"b.-3.x", ones({1})},
                                          {"b.77x", ones({1})},
                                          {"b.88", ones({1})},
                                          {"c.50.x", ones({1})}}});
  EXPECT_EQ(r.dims("b.0.x"), (test::Shape{2, 5}));
  EXPECT_EQ(r.count("b."), 11);
  EXPECT_EQ(r.count("a."), 0);
  EXPECT_EQ(r.count("zz."), 0);
  EXPECT_TRUE(r.has("b.88"));
  EXPECT_FALSE(r.has("b."));
  expect_error(Code::kModelMismatch, "\"absent\"", [&] { (void)r.dims("absent"); });
}

TEST(WeightReader, DtypeBytesLargestFirst) {
  const WeightReader r = reader_of(
      "c", {{{"a", ones({3}, DType::kF16)}, {"b", ones({2})}, {"d", ones({1}, DType::kF16)}}});
  EXPECT_EQ(r.dtype_bytes(),
            (std::vector<std::pair<std::string, std::uint64_t>>{{"F16", 8}, {"F32", 8}}));
}

// ---- scales --------------------------------------------------------------------------------

TensorMap fp8_layer(const std::vector<float>& scale, const std::string& suffix = ".weight_scale") {
  TensorMap map;
  map["fc.weight"] = tensor_of({2, 3}, {448, -448, 1, 2, 3, 4}, DType::kF8E4M3);
  map["fc" + suffix] = tensor_of({static_cast<std::int64_t>(scale.size())}, scale);
  return map;
}

TEST(WeightReader, ScalesOfOneTensorAndOfRows) {
  for (const char* suffix : {".weight_scale", ".scale_weight"}) {
    WeightReader one = reader_of("c", {fp8_layer({0.5f}, suffix)});
    const HostWeight w = one.linear("fc", 2, 3, false);
    EXPECT_EQ(w.scale_kind, ScaleKind::kTensor);
    EXPECT_EQ(w.scale, std::vector<float>{0.5f});
    EXPECT_EQ(w.input_scale, std::nullopt);
    EXPECT_NO_THROW(one.finish());

    WeightReader rows = reader_of("c", {fp8_layer({0.5f, 2.0f}, suffix)});
    EXPECT_EQ(rows.linear("fc", 2, 3, false).scale_kind, ScaleKind::kRow);
    EXPECT_NO_THROW(rows.finish());
  }
}

struct ScaleNames {
  const char *weight, *input;
};
constexpr ScaleNames kScaleNames[] = {{".weight_scale", ".input_scale"},
                                      {".scale_weight", ".scale_input"}};

TEST(WeightReader, InputScales) {
  for (const ScaleNames& names : kScaleNames) {
    TensorMap map = fp8_layer({0.5f}, names.weight);
    map[std::string("fc") + names.input] = tensor_of({}, {0.25f});
    WeightReader r = reader_of("c", {map});
    EXPECT_EQ(r.linear("fc", 2, 3, false).input_scale, 0.25f);
    EXPECT_NO_THROW(r.finish());
    map[std::string("fc") + names.input] = tensor_of({2}, {0.25f, 0.25f});
    WeightReader two = reader_of("c", {map});
    expect_error(Code::kModelMismatch, "expected 1 value",
                 [&] { (void)two.linear("fc", 2, 3, false); });
  }
}

// ComfyUI's old files write 1 where nothing was calibrated; elsewhere 1 is a scale like another.
TEST(WeightReader, InputScalesOfOne) {
  for (const ScaleNames& names : kScaleNames) {
    TensorMap map = fp8_layer({0.5f}, names.weight);
    map[std::string("fc") + names.input] = tensor_of({}, {1});
    WeightReader r = reader_of("c", {map});
    EXPECT_EQ(r.linear("fc", 2, 3, false).input_scale.has_value(), &names != &kScaleNames[1]);
  }
}

TEST(WeightReader, TwoSpellingsOfOneScaleAreRefused) {
  TensorMap map = fp8_layer({0.5f});
  map["fc.scale_weight"] = tensor_of({1}, {2.0f});
  expect_error(Code::kModelMismatch, "fc.scale_weight", [&] { (void)reader_of("c", {map}); });
}

TEST(WeightReader, ScalesThatCannotBe) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {0.0f, -0.0f, -1.0f, std::nanf(""), inf, -inf}) {
    WeightReader r = reader_of("c", {fp8_layer({1.0f, bad})});
    expect_error(Code::kCorruptFile, "scale \"fc.weight_scale\"",
                 [&] { (void)r.linear("fc", 2, 3, false); });
  }
  WeightReader count = reader_of("c", {fp8_layer({1, 1, 1})});
  expect_error(Code::kModelMismatch, "expected 1 or 2 values, or one per square of 128, found 3",
               [&] { (void)count.linear("fc", 2, 3, false); });
  WeightReader none = reader_of("c", {fp8_layer({})});
  expect_error(Code::kModelMismatch, "found 0", [&] { (void)none.linear("fc", 2, 3, false); });
  TensorMap map = fp8_layer({1});
  map["fc.weight_scale"] = tensor_of({1}, {1}, DType::kBF16);
  WeightReader dtype = reader_of("c", {map});
  expect_error(Code::kUnsupported, "found BF16", [&] { (void)dtype.linear("fc", 2, 3, false); });
}

TEST(WeightReader, Fp8WithoutScale) {
  const auto with_largest = [](float largest, DType dtype) {
    return reader_of("c", {{{"fc.weight", tensor_of({1, 3}, {0.5f, -largest, 1}, dtype)}}});
  };
  for (const float plain : {1.0f, 208.0f}) {
    WeightReader r = with_largest(plain, DType::kF8E4M3);
    EXPECT_EQ(r.linear("fc", 1, 3, false).scale_kind, ScaleKind::kNone);
  }
  for (const float scaled : {224.0f, 448.0f}) {
    WeightReader r = with_largest(scaled, DType::kF8E4M3);
    expect_error(Code::kModelMismatch, "without a scale",
                 [&] { (void)r.linear("fc", 1, 3, false); });
  }
  WeightReader e5m2 = with_largest(57344.0f, DType::kF8E5M2);
  expect_error(Code::kModelMismatch, "fc.weight", [&] { (void)e5m2.linear("fc", 1, 3, false); });
}

// A cast without saturation leaves NaN, in E5M2 infinity, where a value was too large.
TEST(WeightReader, Fp8CodesThatAreNoNumbers) {
  struct Case {
    DType dtype;
    int code;
  };
  for (const auto& [dtype, code] :
       {Case{DType::kF8E4M3, 0x7f}, Case{DType::kF8E4M3, 0xff}, Case{DType::kF8E5M2, 0x7c},
        Case{DType::kF8E5M2, 0xfc}, Case{DType::kF8E5M2, 0x7d}, Case{DType::kF8E5M2, 0xff}}) {
    TensorMap map;
    map["fc.weight"] = ones({5, 7}, dtype);
    map["fc.weight_scale"] = tensor_of({1}, {0.5f});
    map["fc.bias"] = ones({5}, dtype);
    map["table.weight"] = ones({1, 3, 2}, dtype);
    const TensorMap sound = map;
    for (const std::size_t at : {std::size_t{23}, std::size_t{34}}) {
      map["fc.weight"].data[at] = std::byte(code);
    }
    const std::string message = format(
        "tensor \"fc.weight\": expected finite %s values, found 2 "
        "that are not, the first in row 3",
        safetensors_name(dtype));
    const auto reader = [&](const TensorMap& tensors) {
      WeightReader r = reader_of("c", {tensors});
      r.defer_reads(true);
      return r;
    };
    WeightReader now = reader_of("c", {map});
    expect_error(Code::kCorruptFile, message, [&] { (void)now.linear("fc", 5, 7, true); });
    // A backend that reads by itself finds them in the rows that hold them.
    WeightReader later = reader(map);
    const HostWeight w = later.linear("fc", 5, 7, true);
    std::vector<std::byte> rows(2 * 7);
    EXPECT_NO_THROW(read_rows(w.deferred, 0, 2, rows));
    expect_error(Code::kCorruptFile, message, [&] { read_rows(w.deferred, 2, 2, rows); });

    map = sound;
    map["fc.bias"].data[4] = std::byte(code);
    WeightReader bias = reader(map);
    expect_error(Code::kCorruptFile, "\"fc.bias\"", [&] { (void)bias.linear("fc", 5, 7, true); });
    map = sound;
    map["table.weight"].data[5] = std::byte(code);
    WeightReader table = reader(map);
    expect_error(Code::kCorruptFile, "\"table.weight\": expected finite", [&] {
      (void)table.table("table.weight", {3, 2});
    });
    WeightReader neighbour = reader(sound);
    EXPECT_NO_THROW((void)read_all(neighbour.linear("fc", 5, 7, true).deferred));
  }
}

TensorMap stack_of(const std::vector<std::vector<float>>& scales) {
  TensorMap map;
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    const auto v = static_cast<float>(i + 1);
    map[name + ".weight"] = tensor_of({2, 2}, {v, v, v, v}, DType::kF8E4M3);
    map[name + ".bias"] = tensor_of({2}, {v, -v});
    if (!scales[i].empty()) {
      map[name + ".weight_scale"] =
          tensor_of({static_cast<std::int64_t>(scales[i].size())}, scales[i]);
    }
  }
  return map;
}

TEST(WeightReader, StacksOfDifferentScalesGetRowScales) {
  WeightReader r = reader_of("c", {stack_of({{0.5f}, {2, 3}, {}})});
  const HostWeight w = r.stacked({"a", "b", "c"}, 2, 2, true);
  EXPECT_EQ(w.dims, (test::Shape{6, 2}));
  EXPECT_EQ(w.scale_kind, ScaleKind::kRow);
  EXPECT_EQ(w.scale, (std::vector<float>{0.5f, 0.5f, 2, 3, 1, 1}));
  EXPECT_EQ(w.bias, (std::vector<float>{1, -1, 2, -2, 3, -3}));
  EXPECT_EQ(floats_of(w.dtype, w.data), (std::vector<float>{1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}));
  EXPECT_NO_THROW(r.finish());
}

TEST(WeightReader, StacksWithoutScalesStayPlain) {
  WeightReader r = reader_of("c", {stack_of({{}, {}})});
  EXPECT_EQ(r.stacked({"a", "b"}, 2, 2, true).scale_kind, ScaleKind::kNone);
}

TEST(WeightReader, StacksThatDoNotFitTogether) {
  TensorMap map = stack_of({{1}, {1}});
  map["b.weight"] = ones({2, 2}, DType::kF16);
  WeightReader dtype = reader_of("c", {map});
  expect_error(Code::kUnsupported, "b.weight", [&] {
    (void)dtype.stacked({"a", "b"}, 2, 2, true);
  });
  map = stack_of({{1}, {1}});
  map["b.input_scale"] = tensor_of({1}, {0.5f});
  WeightReader input = reader_of("c", {map});
  expect_error(Code::kUnsupported, "b.weight", [&] {
    (void)input.stacked({"a", "b"}, 2, 2, true);
  });
}

TEST(WeightReader, TablesKeepTheirDtypeAndFp8BecomesBf16) {
  TensorMap map;
  map["half"] = tensor_of({3}, {1, 2, 3}, DType::kF16);
  map["pos.weight"] = tensor_of({2, 2}, {1, 2, 448, 4}, DType::kF8E4M3);
  map["pos.weight_scale"] = tensor_of({2}, {0.5f, 0.25f});
  map["plain.weight"] = tensor_of({2}, {3, 0.5f}, DType::kF8E5M2);
  WeightReader r = reader_of("c", {map});
  EXPECT_EQ(r.table("half", {3}).dtype, DType::kF16);
  const HostTensor t = r.table("pos.weight", {2, 2});
  EXPECT_EQ(t.dtype, DType::kBF16);
  EXPECT_EQ(t.dims, (test::Shape{2, 2}));
  EXPECT_EQ(floats_of(t.dtype, t.data), (std::vector<float>{0.5f, 1, 112, 1}));
  const HostTensor plain = r.table("plain.weight", {2});
  EXPECT_EQ(floats_of(plain.dtype, plain.data), (std::vector<float>{3, 0.5f}));
  EXPECT_NO_THROW(r.finish());
}

// What a backend reads itself is what it would have been given.
TEST(WeightReader, DeferredTensorsHoldTheSameBytes) {
  test::Random random(3);
  TensorMap tensors;
  for (const char* name : {"q", "k", "v"}) {
    tensors[std::string(name) + ".weight"] = test::random_tensor({4, 6}, random, 1);
  }
  tensors["conv.weight"] = test::random_tensor({2, 3, 3, 3}, random, 1);
  tensors["conv.bias"] = ones({2});
  tensors["table"] = test::random_tensor({5, 2}, random, 1);
  tensors["plain.weight"] = ones({4, 6}, DType::kF8E4M3);
  WeightReader now = reader_of("c", {tensors});
  WeightReader later = reader_of("c", {tensors});
  later.defer_reads(true);
  const auto expect_same = [](const auto& a, const auto& b) {
    EXPECT_TRUE(a.deferred.empty() && b.data.empty());
    EXPECT_EQ(bytes_of(b.deferred), a.data.size());
    EXPECT_EQ(read_all(b.deferred), a.data);
    EXPECT_EQ(a.dims, b.dims);
  };
  expect_same(now.linear("q", 4, 6, false), later.linear("q", 4, 6, false));
  expect_same(now.stacked({"q", "k", "v"}, 4, 6, false),
              later.stacked({"q", "k", "v"}, 4, 6, false));
  expect_same(now.conv("conv", 2, 3, 3), later.conv("conv", 2, 3, 3));
  expect_same(now.table("table", {5, 2}), later.table("table", {5, 2}));
  const HostWeight stack = later.stacked({"q", "k", "v"}, 4, 6, false);
  ASSERT_EQ(stack.deferred.size(), 3u);
  std::vector<std::byte> rows(2 * stack.deferred[1]->row_bytes());
  stack.deferred[1]->read(1, 2, rows);
  const std::vector<std::byte> k = now.linear("k", 4, 6, false).data;
  EXPECT_TRUE(std::equal(rows.begin(), rows.end(), k.begin() + 6 * sizeof(float)));
  // Codes without a scale are looked at, so they are here already.
  EXPECT_EQ(later.linear("plain", 4, 6, false).data, now.linear("plain", 4, 6, false).data);
}

TEST(WeightReader, VectorsAreDecoded) {
  WeightReader r = reader_of("c", {{{"n", tensor_of({2}, {1.5f, -2}, DType::kF16)}}});
  EXPECT_EQ(r.vector("n", 2), (std::vector<float>{1.5f, -2}));
}

// Described from headers: shapes, dtypes and scales are there, bytes are not.
TEST(WeightReader, ShapesWithoutValues) {
  test::TensorMap map;
  map["scaled.weight"] = test::tensor_of({2, 3}, {448, 1, 2, 3, 4, 5}, DType::kF8E4M3);
  map["scaled.weight_scale"] = test::tensor_of({2}, {0.5f, 2.0f});
  map["plain.weight"] = test::tensor_of({2, 2}, {448, 1, 2, 3}, DType::kF8E4M3);
  map["table.weight"] = test::tensor_of({2, 1}, {448, 1}, DType::kF8E4M3);
  map["norm.weight"] = test::tensor_of({3}, {1, 2, 3});
  TensorFiles files;
  files.push_back(open_tensor_file(test::source_of("f", test::safetensors_of(map))));
  WeightReader reader("transformer", files, Values::kShapes);
  const HostWeight scaled = reader.linear("scaled", 2, 3, false);
  EXPECT_EQ(scaled.dims, (test::Shape{2, 3}));
  EXPECT_EQ(scaled.dtype, DType::kF8E4M3);
  EXPECT_EQ(scaled.scale, (std::vector<float>{0.5f, 2.0f}));
  EXPECT_TRUE(scaled.data.empty());
  EXPECT_NO_THROW((void)reader.linear("plain", 2, 2, false)) << "decided when values are read";
  const HostTensor table = reader.table("table.weight", {2, 1});
  EXPECT_EQ(table.dtype, DType::kBF16);
  EXPECT_TRUE(table.data.empty());
  EXPECT_EQ(reader.vector("norm.weight", 3), (std::vector<float>{1, 2, 3}));
  EXPECT_NO_THROW(reader.finish());
  EXPECT_EQ(reader.scales().describe(), "unscaled (2 weights), per row (1 weights)");
  EXPECT_EQ(reader.scales().low, 0.5f);
  EXPECT_EQ(reader.scales().high, 2.0f);
  const HostWeight missing = reader.stacked({"a", "b"}, 1 << 13, 1 << 13, true);
  EXPECT_EQ(missing.dims, (test::Shape{1 << 14, 1 << 13}));
  EXPECT_TRUE(missing.data.empty());
  expect_error(Code::kModelMismatch, "missing", [&] { reader.finish(); });

  map["scaled.weight_scale"] = test::tensor_of({2}, {0.5f, 0.0f});
  files = {open_tensor_file(test::source_of("f", test::safetensors_of(map)))};
  WeightReader bad("transformer", files, Values::kShapes);
  expect_error(Code::kCorruptFile, "scaled.weight_scale",
               [&] { (void)bad.linear("scaled", 2, 3, false); });
}

}  // namespace
}  // namespace octet
