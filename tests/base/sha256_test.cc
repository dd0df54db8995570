#include "base/sha256.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "base/sha256_blocks.h"

namespace octet {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// FIPS 180-4 examples.
TEST(Sha256, KnownDigests) {
  EXPECT_EQ(sha256_hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex(bytes_of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(bytes_of(std::string(1000000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesGiveTheSameAsTheWhole) {
  for (std::size_t size : {0u, 1u, 55u, 56u, 63u, 64u, 65u, 119u, 128u, 1000u}) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text.push_back(static_cast<char>(i * 7));
    for (std::size_t step : {1u, 3u, 63u, 64u, 65u}) {
      Sha256 sha;
      for (std::size_t at = 0; at < size; at += step) sha.update(bytes_of(text.substr(at, step)));
      EXPECT_EQ(sha.finish_hex(), sha256_hex(bytes_of(text))) << size << " by " << step;
    }
  }
}

// Random states and blocks: the instructions against the portable code.
TEST(Sha256, NativeBlocksEqualPortableOnes) {
  const Sha256Blocks native = sha256_blocks_native();
  if (native == nullptr) GTEST_SKIP() << "this processor has no SHA instructions";
  std::mt19937 random(7);
  for (const std::size_t count : {0u, 1u, 2u, 3u, 17u}) {
    std::vector<std::uint8_t> bytes(count * 64 + 1);
    for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(random());
    std::array<std::uint32_t, 8> a{}, b{};
    for (std::size_t i = 0; i < 8; ++i) a[i] = b[i] = static_cast<std::uint32_t>(random());
    native(a.data(), bytes.data() + 1, count);  // at an odd address
    sha256_blocks_portable(b.data(), bytes.data() + 1, count);
    EXPECT_EQ(a, b) << count;
  }
}

}  // namespace
}  // namespace octet
