// Values as bytes and back, for messages between the processes of one machine and one binary.
//
// A struct is described once, by a function `fields(archive, value)` that names its members in
// order; ArchiveWriter and ArchiveReader both run it. Every length is checked against the bytes
// that are there before anything is allocated. Thread-safety: plain values.
// Errors: Error(kInternal) for bytes that are no such value: both ends are this program.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/check.h"

namespace octet::serve {

class ArchiveWriter {
 public:
  template <class... Values>
  void operator()(const Values&... values) {
    (write(values), ...);
  }
  [[nodiscard]] std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  void append(const void* from, std::size_t size) {
    const auto* begin = static_cast<const std::byte*>(from);
    bytes_.insert(bytes_.end(), begin, begin + size);
  }
  template <class Value>
  void write(const Value& value) {
    if constexpr (std::is_arithmetic_v<Value> || std::is_enum_v<Value>) {
      append(&value, sizeof(value));
    } else {
      fields(*this, const_cast<Value&>(value));  // reads them only
    }
  }
  void write(const std::string& text) {
    write(static_cast<std::uint64_t>(text.size()));
    append(text.data(), text.size());
  }
  template <class Value>
  void write(const std::optional<Value>& value) {
    write(value.has_value());
    if (value) write(*value);
  }
  template <class Value>
  void write(const std::vector<Value>& values) {
    write(static_cast<std::uint64_t>(values.size()));
    if constexpr (std::is_arithmetic_v<Value> || std::is_enum_v<Value>) {
      append(values.data(), values.size() * sizeof(Value));
    } else {
      for (const Value& value : values) write(value);
    }
  }

  std::vector<std::byte> bytes_;
};

class ArchiveReader {
 public:
  explicit ArchiveReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class... Values>
  void operator()(Values&... values) {
    (read(values), ...);
  }
  void finish() const { OCTET_CHECK(bytes_.empty(), "%zu bytes too many", bytes_.size()); }

 private:
  void take(void* to, std::size_t size) {
    OCTET_CHECK(size <= bytes_.size(), "expected %zu bytes, found %zu", size, bytes_.size());
    if (size > 0) std::memcpy(to, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
  }
  std::size_t count(std::size_t element) {
    std::uint64_t n = 0;
    read(n);
    OCTET_CHECK(n <= bytes_.size() / element, "expected at most %zu elements, found %llu",
                bytes_.size() / element, static_cast<unsigned long long>(n));
    return static_cast<std::size_t>(n);
  }
  template <class Value>
  void read(Value& value) {
    if constexpr (std::is_same_v<Value, bool>) {
      std::uint8_t byte = 0;
      take(&byte, 1);
      OCTET_CHECK(byte <= 1, "expected a bool, found %d", byte);
      value = byte == 1;
    } else if constexpr (std::is_arithmetic_v<Value> || std::is_enum_v<Value>) {
      take(&value, sizeof(value));
    } else {
      fields(*this, value);
    }
  }
  void read(std::string& text) {
    text.resize(count(1));
    take(text.data(), text.size());
  }
  template <class Value>
  void read(std::optional<Value>& value) {
    bool there = false;
    read(there);
    value.reset();
    if (there) read(value.emplace());
  }
  template <class Value>
  void read(std::vector<Value>& values) {
    if constexpr (std::is_arithmetic_v<Value> || std::is_enum_v<Value>) {
      values.resize(count(sizeof(Value)));
      take(values.data(), values.size() * sizeof(Value));
    } else {
      values.resize(count(1));
      for (Value& value : values) read(value);
    }
  }

  std::span<const std::byte> bytes_;
};

template <class Value>
[[nodiscard]] std::vector<std::byte> to_bytes(const Value& value) {
  ArchiveWriter writer;
  writer(value);
  return writer.take();
}

template <class Value>
[[nodiscard]] Value from_bytes(std::span<const std::byte> bytes) {
  ArchiveReader reader(bytes);
  Value value;
  reader(value);
  reader.finish();
  return value;
}

}  // namespace octet::serve
