#include "base/sha256.h"

#include <algorithm>
#include <cstring>

#include "base/sha256_blocks.h"

namespace octet {
namespace {

void fold(std::uint32_t* state, const std::uint8_t* bytes, std::size_t count) {
  static const Sha256Blocks native = sha256_blocks_native();
  (native != nullptr ? native : sha256_blocks_portable)(state, bytes, count);
}

}  // namespace

void Sha256::update(std::span<const std::byte> bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::size_t left = bytes.size();
  std::size_t filled = static_cast<std::size_t>(length_ % 64);
  length_ += left;
  while (left > 0) {
    if (filled == 0 && left >= 64) {
      fold(state_.data(), data, left / 64);
      data += left / 64 * 64, left %= 64;
      continue;
    }
    const std::size_t take = std::min(left, 64 - filled);
    std::memcpy(pending_.data() + filled, data, take);
    data += take, left -= take, filled += take;
    if (filled == 64) {
      fold(state_.data(), pending_.data(), 1);
      filled = 0;
    }
  }
}

std::array<std::uint8_t, 32> Sha256::finish() {
  const std::uint64_t bits = length_ * 8;
  const std::uint8_t one = 0x80, zero = 0;
  update(std::as_bytes(std::span(&one, 1)));
  while (length_ % 64 != 56) update(std::as_bytes(std::span(&zero, 1)));
  std::uint8_t tail[8];
  for (int i = 0; i < 8; ++i) tail[i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
  update(std::as_bytes(std::span(tail)));
  std::array<std::uint8_t, 32> digest;
  for (std::size_t i = 0; i < 32; ++i) {
    digest[i] = static_cast<std::uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)));
  }
  return digest;
}

std::string Sha256::finish_hex() {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : finish()) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 sha;
  sha.update(bytes);
  return sha.finish_hex();
}

}  // namespace octet
