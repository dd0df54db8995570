// What a GPU backend's ops keep beside their operands: results that need another pass, weights as
// 16-bit numbers, attention scores. A buffer per purpose grows to the largest request.
//
// The backend takes kScoreBytes from here; the sums are for the planner, which runs without a
// device, and for Backend::reserve. They are upper bounds: the backend does without a pass wherever
// a product can do its work.
// Thread-safety: none. Errors: none.
#pragma once

#include <cstddef>

#include "backend/ops.h"

namespace octet {

/// Of attention that is composed of products: so many query rows at a time have their scores kept.
inline constexpr std::size_t kScoreBytes = std::size_t{96} << 20;
inline constexpr std::size_t kBytesPerScore = 6;  // in FP32, and what softmax makes of it in BF16

struct DeviceScratch {
  std::size_t product = 0;    // before another pass
  std::size_t residual = 0;   // timed products whose output is their own addend
  std::size_t weight = 0;     // FP8 as BF16
  std::size_t attention = 0;  // before it is quantised,
  std::size_t rest = 0;       // and its second result
  std::size_t scores = 0;
  std::size_t statistics = 0;

  void note(const LinearArgs& a);
  void note(const AttentionArgs& a);
  void note(const GroupNormArgs& a);
  /// What is enough for both.
  void include(const DeviceScratch& other);
  [[nodiscard]] std::size_t total() const {
    return product + residual + weight + attention + rest + scores + statistics;
  }
};

}  // namespace octet
