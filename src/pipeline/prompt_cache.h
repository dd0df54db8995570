// Encoded prompts of the past, on the host: those that were not used for longest make room.
//
// Values are kept as the encoders left them, so a prompt out of the cache gives the same bytes.
// Thread-safety: one thread. Errors: none of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "octet/request.h"

namespace octet {

/// All that the encoders' output depends on, for one model.
struct PromptKey {
  std::string text;
  int t5_length = 0;
  Compat compat = Compat::kDiffusers;
  auto operator<=>(const PromptKey&) const = default;  // NOLINT(modernize-use-nullptr): misread
};

/// FP32 [L, text_width] and [pooled_width].
struct PromptValues {
  std::vector<float> text, pooled;
};

class PromptCache {
 public:
  /// Keys and values together take at most `capacity` bytes.
  explicit PromptCache(std::size_t capacity) : capacity_(capacity) {}

  /// Null when it is not there; valid until the next put.
  [[nodiscard]] const PromptValues* find(const PromptKey& key);
  /// Replaces what is there; values larger than the cache are not kept.
  void put(const PromptKey& key, PromptValues values);

  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  /// How often find() has found something, and how often not.
  [[nodiscard]] std::uint64_t hits() const { return hits_; }
  [[nodiscard]] std::uint64_t misses() const { return misses_; }

 private:
  struct Entry {
    PromptKey key;
    PromptValues values;
    [[nodiscard]] std::size_t bytes() const;
  };
  void drop(std::list<Entry>::iterator entry);

  std::size_t capacity_;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0, misses_ = 0;
  std::list<Entry> entries_;  // the latest used first
  std::map<PromptKey, std::list<Entry>::iterator> places_;
};

}  // namespace octet
