// Views are checked by reading the elements they name: every view of a numbered buffer must give
// the numbers that plain index arithmetic gives.
#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

#include "support/errors.h"

namespace octet {
namespace {

using test::expect_error;

// All elements of a view in row-major order.
std::vector<float> elements(const Tensor& t) {
  std::vector<float> out;
  std::array<std::int64_t, kMaxRank> index{};
  for (std::int64_t n = 0; n < t.numel(); ++n) {
    std::int64_t offset = 0;
    for (int i = 0; i < t.rank; ++i) offset += index[std::size_t(i)] * t.stride(i);
    out.push_back(t.as<float>()[offset]);
    for (int i = t.rank - 1; i >= 0; --i) {
      if (++index[std::size_t(i)] < t.dim(i)) break;
      index[std::size_t(i)] = 0;
    }
  }
  return out;
}

struct Numbered {
  std::vector<float> memory;
  Tensor view;
  explicit Numbered(std::initializer_list<std::int64_t> dims) {
    const Tensor shape = make_tensor(nullptr, DType::kF32, dims);
    memory.resize(static_cast<std::size_t>(shape.numel()));
    std::iota(memory.begin(), memory.end(), 0.0f);
    view = make_tensor(memory.data(), DType::kF32, dims);
  }
};

TEST(Tensor, DenseFacts) {
  const Numbered n({2, 3, 5});
  EXPECT_EQ(n.view.numel(), 30);
  EXPECT_EQ(n.view.bytes(), 120u);
  EXPECT_EQ(n.view.rows(), 6);
  EXPECT_EQ(n.view.dim(-1), 5);
  EXPECT_EQ(n.view.stride(0), 15);
  EXPECT_TRUE(n.view.dense());
  EXPECT_EQ(describe(n.view), "f32[2, 3, 5]");
  EXPECT_EQ(elements(n.view), n.memory);
}

TEST(Tensor, ScalarHasOneElement) {
  float value = 3;
  const Tensor t = make_tensor(&value, DType::kF32, {});
  EXPECT_EQ(t.numel(), 1);
  EXPECT_EQ(t.rows(), 1);
  EXPECT_EQ(describe(t), "f32[]");
  expect_error(Code::kInternal, "axis", [&] { (void)t.dim(0); });
}

TEST(Tensor, SliceNamesTheRightElements) {
  const Numbered n({2, 3, 4});
  const Tensor s = slice(n.view, 1, 1, 3);
  EXPECT_EQ(elements(s),
            (std::vector<float>{4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23}));
  EXPECT_FALSE(s.dense());
  EXPECT_EQ(elements(slice(n.view, -1, 2, 3)), (std::vector<float>{2, 6, 10, 14, 18, 22}));
  EXPECT_EQ(elements(slice(slice(n.view, 2, 1, 4), 2, 1, 2)),
            (std::vector<float>{2, 6, 10, 14, 18, 22}));
  EXPECT_EQ(slice(n.view, 0, 1, 1).numel(), 0);
}

TEST(Tensor, SliceRefusesWhatIsNotThere) {
  const Numbered n({2, 3});
  expect_error(Code::kInternal, "slice", [&] { (void)slice(n.view, 1, 1, 4); });
  expect_error(Code::kInternal, "slice", [&] { (void)slice(n.view, 1, 2, 1); });
  expect_error(Code::kInternal, "slice", [&] { (void)slice(n.view, 0, -1, 1); });
  expect_error(Code::kInternal, "axis 2", [&] { (void)slice(n.view, 2, 0, 1); });
  expect_error(Code::kInternal, "axis -3", [&] { (void)slice(n.view, -3, 0, 1); });
}

TEST(Tensor, SliceOfShortTypesCountsBytes) {
  std::vector<std::uint16_t> memory = {0, 1, 2, 3, 4, 5};
  const Tensor t = make_tensor(memory.data(), DType::kBF16, {2, 3});
  EXPECT_EQ(slice(t, 1, 1, 2).as<std::uint16_t>(), memory.data() + 1);
  EXPECT_EQ(select(t, 0, 1).as<std::uint16_t>(), memory.data() + 3);
}

TEST(Tensor, SelectDropsTheAxis) {
  const Numbered n({2, 3, 4});
  const Tensor s = select(n.view, 1, 2);
  EXPECT_EQ(s.rank, 2);
  EXPECT_EQ(describe(s), "f32[2, 4]");
  EXPECT_EQ(elements(s), (std::vector<float>{8, 9, 10, 11, 20, 21, 22, 23}));
  EXPECT_EQ(elements(select(select(n.view, 0, 1), 0, 0)), (std::vector<float>{12, 13, 14, 15}));
  EXPECT_EQ(elements(select(n.view, -1, 3)), (std::vector<float>{3, 7, 11, 15, 19, 23}));
  expect_error(Code::kInternal, "slice", [&] { (void)select(n.view, 1, 3); });
}

TEST(Tensor, PermuteNamesTheRightElements) {
  const Numbered n({2, 3, 4});
  const Tensor p = permute(n.view, {2, 0, 1});
  EXPECT_EQ(describe(p), "f32[4, 2, 3]");
  EXPECT_EQ(elements(slice(p, 0, 1, 2)), (std::vector<float>{1, 5, 9, 13, 17, 21}));
  EXPECT_FALSE(p.dense());
  expect_error(Code::kInternal, "permute", [&] { (void)permute(n.view, {0, 1}); });
  expect_error(Code::kInternal, "axis", [&] { (void)permute(n.view, {0, 1, 3}); });
}

TEST(Tensor, ReshapeOfDenseTensors) {
  const Numbered n({4, 6});
  for (const Tensor& r :
       {reshape(n.view, {24}), reshape(n.view, {8, 3}), reshape(n.view, {2, 2, 3, 2}),
        reshape(n.view, {1, 24}), reshape(n.view, {24, 1}), reshape(n.view, {4, 1, 6, 1}),
        reshape(n.view, {3, 1, 8})}) {
    EXPECT_EQ(elements(r), n.memory) << describe(r);
    EXPECT_TRUE(r.dense()) << describe(r);
  }
}

TEST(Tensor, ReshapeSplitsHeadsOfAStridedSlice) {
  const Numbered n({2, 3, 12});
  const Tensor k = slice(n.view, 2, 4, 8);
  const Tensor heads = reshape(k, {2, 3, 2, 2});
  EXPECT_EQ(elements(heads), elements(k));
  EXPECT_EQ(heads.stride(1), 12);
}

TEST(Tensor, ReshapeMergesWhereStridesAllow) {
  const Numbered n({2, 3, 4});
  const Tensor tail = slice(n.view, 0, 1, 2);
  EXPECT_EQ(elements(reshape(tail, {12})), elements(tail));
  const Tensor middle = slice(n.view, 1, 0, 2);  // the two last axes are still dense together
  EXPECT_EQ(elements(reshape(middle, {2, 8})), elements(middle));
  const Tensor columns = slice(n.view, 2, 0, 2);  // the two first axes are
  EXPECT_EQ(elements(reshape(columns, {6, 2})), elements(columns));
}

TEST(Tensor, ReshapeRefusesStridedViews) {
  const Numbered n({2, 3, 4});
  expect_error(Code::kInternal, "strided", [&] { (void)reshape(slice(n.view, 1, 0, 2), {16}); });
  expect_error(Code::kInternal, "strided", [&] { (void)reshape(slice(n.view, 2, 0, 2), {2, 6}); });
  expect_error(Code::kInternal, "strided", [&] {
    (void)reshape(permute(n.view, {2, 0, 1}), {24});
  });
  expect_error(Code::kInternal, "reshape", [&] { (void)reshape(n.view, {23}); });
  expect_error(Code::kInternal, "reshape", [&] { (void)reshape(n.view, {2, 3, 5}); });
  expect_error(Code::kInternal, "rank", [&] { (void)reshape(n.view, {2, 3, 2, 2, 1}); });
}

// The stride of an axis of size 1 means nothing and must not decide whether axes can be merged.
TEST(Tensor, ReshapeIgnoresAxesOfSizeOne) {
  const Numbered n({2, 1, 16});
  const Tensor gaps = slice(n.view, 2, 0, 8);
  expect_error(Code::kInternal, "strided", [&] { (void)reshape(gaps, {16}); });
  EXPECT_EQ(elements(reshape(gaps, {2, 8})), elements(gaps));
  EXPECT_EQ(elements(reshape(gaps, {1, 2, 1, 8})), elements(gaps));

  const Numbered m({4, 8});
  const Tensor column = slice(m.view, 1, 3, 4);
  EXPECT_EQ(elements(reshape(column, {4})), elements(column));
  EXPECT_EQ(elements(reshape(column, {2, 2})), elements(column));
}

TEST(Tensor, RandomViewsKeepTheirElements) {
  std::mt19937 random(std::random_device{}());
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  int reshaped = 0;
  for (int round = 0; round < 2000; ++round) {
    const Numbered n({pick(1, 4), pick(1, 4), pick(1, 6)});
    Tensor t = n.view;
    for (int axis = 0; axis < 3; ++axis) {
      const std::int64_t begin = pick(0, t.dim(axis) - 1);
      if (pick(0, 2) == 0) t = slice(t, axis, begin, pick(begin + 1, t.dim(axis)));
    }
    std::vector<std::int64_t> divisors;
    for (std::int64_t d = 1; d <= t.numel(); ++d) {
      if (t.numel() % d == 0) divisors.push_back(d);
    }
    const std::int64_t rows = divisors[std::size_t(pick(0, std::int64_t(divisors.size()) - 1))];
    try {
      const Tensor r = reshape(t, {rows, t.numel() / rows});
      ASSERT_EQ(elements(r), elements(t)) << describe(t) << " of " << describe(n.view);
      ++reshaped;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::kInternal);
      ASSERT_FALSE(t.dense()) << describe(t) << ": " << error.what();
    }
  }
  EXPECT_GT(reshaped, 500);
}

TEST(Tensor, SameDims) {
  const Numbered a({2, 3}), b({2, 3}), c({3, 2}), d({2, 3, 1});
  EXPECT_TRUE(same_dims(a.view, b.view));
  EXPECT_FALSE(same_dims(a.view, c.view));
  EXPECT_FALSE(same_dims(a.view, d.view));
}

TEST(Tensor, EmptyTensorsAreHarmless) {
  const Tensor t = make_tensor(nullptr, DType::kF32, {3, 0});
  EXPECT_EQ(t.numel(), 0);
  EXPECT_EQ(t.bytes(), 0u);
  EXPECT_FALSE(t);
}

}  // namespace
}  // namespace octet
