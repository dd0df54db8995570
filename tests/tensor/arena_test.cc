#include "tensor/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "support/errors.h"

namespace octet {
namespace {

using test::expect_error;

TEST(Buffer, FreesOnceWhereItEndsUp) {
  int freed = 0;
  int value = 5;
  {
    Buffer outer;
    EXPECT_EQ(outer.data(), nullptr);
    EXPECT_EQ(outer.size(), 0u);
    {
      Buffer inner(&value, sizeof(value), [&](void* p) {
        EXPECT_EQ(p, &value);
        ++freed;
      });
      outer = std::move(inner);
    }
    EXPECT_EQ(freed, 0) << "the moved-from buffer freed its memory";
    EXPECT_EQ(outer.data(), &value);
    EXPECT_EQ(outer.size(), sizeof(value));
  }
  EXPECT_EQ(freed, 1);
}

TEST(Buffer, AssignmentFreesTheOldMemory) {
  int first = 0, second = 0, freed_first = 0, freed_second = 0;
  Buffer b(&first, 4, [&](void*) { ++freed_first; });
  b = Buffer(&second, 4, [&](void*) { ++freed_second; });
  EXPECT_EQ(freed_first, 1);
  EXPECT_EQ(freed_second, 0);
}

TEST(Buffer, HostMemoryIsAlignedAndUsable) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65}, std::size_t{4096},
                                 (std::size_t{2} << 20) - 1, (std::size_t{2} << 20) + 1}) {
    const Buffer b = allocate_host(size);
    EXPECT_EQ(b.size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.data()) % 64, 0u);
    std::memset(b.data(), 0x5A, size);
  }
}

TEST(Buffer, ImpossibleSizesAreRefused) {
  for (const std::size_t size :
       {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() - 63,
        std::size_t{1} << 62}) {
    expect_error(Code::kOutOfMemory, std::to_string(size), [&] { (void)allocate_host(size); });
  }
}

TEST(Arena, TensorsAreAlignedAndDoNotOverlap) {
  Arena arena(allocate_host(4096));
  const Tensor a = arena.tensor(DType::kU8, {3});
  const Tensor b = arena.tensor(DType::kF32, {2, 5});
  const Tensor c = arena.tensor(DType::kBF16, {1});
  EXPECT_EQ((b.as<char>() - a.as<char>()) % 256, 0);
  EXPECT_GE(b.as<char>(), a.as<char>() + a.bytes());
  EXPECT_GE(c.as<char>(), b.as<char>() + b.bytes());
  EXPECT_TRUE(b.dense());
}

TEST(Arena, ScopesGiveMemoryBackAndPeakRemembers) {
  Arena arena(allocate_host(8192));
  const Tensor first = arena.tensor(DType::kU8, {100});
  const void* inner_address = nullptr;
  {
    const Arena::Scope scope(arena);
    inner_address = arena.tensor(DType::kU8, {1000}).data;
    {
      const Arena::Scope nested(arena);
      (void)arena.tensor(DType::kU8, {2000});
    }
    EXPECT_EQ(arena.peak(), 256u + 1024u + 2000u);
  }
  const Tensor after = arena.tensor(DType::kU8, {10});
  EXPECT_EQ(after.data, inner_address);
  EXPECT_NE(after.data, first.data);
  EXPECT_EQ(arena.peak(), 256u + 1024u + 2000u);
  EXPECT_EQ(arena.capacity(), 8192u);
}

TEST(Arena, ScopesEndWithAnException) {
  Arena arena(allocate_host(1024));
  try {
    const Arena::Scope scope(arena);
    (void)arena.tensor(DType::kU8, {512});
    throw std::runtime_error("stop");
  } catch (const std::runtime_error&) {
  }
  EXPECT_NO_THROW((void)arena.tensor(DType::kU8, {1024}));
}

TEST(Arena, ExactFitWorksAndOneByteMoreDoesNot) {
  Arena arena(allocate_host(512 + 12));
  (void)arena.tensor(DType::kU8, {300});  // 300, rounded up to 512 before the next
  EXPECT_NO_THROW({
    const Arena::Scope scope(arena);
    (void)arena.tensor(DType::kF32, {3});
  });
  expect_error(Code::kOutOfMemory, "f32[4]", [&] { (void)arena.tensor(DType::kF32, {4}); });
  EXPECT_EQ(arena.peak(), 524u) << "a refused tensor counts";
  EXPECT_NO_THROW((void)arena.tensor(DType::kF32, {3})) << "the arena is usable after a refusal";
}

TEST(Arena, HugeTensorsDoNotWrapAround) {
  Arena arena(allocate_host(1024));
  (void)arena.tensor(DType::kU8, {1});
  expect_error(Code::kOutOfMemory, "activations",
               [&] { (void)arena.tensor(DType::kF32, {std::int64_t{1} << 60}); });
  expect_error(Code::kOutOfMemory, "activations",
               [&] { (void)arena.tensor(DType::kU8, {std::numeric_limits<std::int64_t>::max()}); });
  // 2^62 F32 elements are 2^64 bytes: as a 64-bit number, none.
  expect_error(Code::kOutOfMemory, "activations", [&] {
    (void)arena.tensor(DType::kF32, {std::int64_t{1} << 31, std::int64_t{1} << 31});
  });
}

}  // namespace
}  // namespace octet
