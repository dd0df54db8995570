#include "checkpoint/gguf_header.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <optional>
#include <set>

#include "base/format.h"
#include "checkpoint/gguf_blocks.h"
#include "checkpoint/gguf_cursor.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::uint64_t kMaxEntries = 65536;  // metadata entries, and tensors
constexpr std::uint64_t kMaxKey = 65535;      // bytes; the limit of the format
constexpr std::uint64_t kMaxName = 1024;      // bytes of a tensor's name
constexpr std::uint64_t kMaxText = std::uint64_t{16} << 20;
constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 24;  // of an array
constexpr int kMaxNesting = 4;                                  // of arrays in arrays
constexpr std::uint64_t kMaxRank = 4;
constexpr std::uint64_t kMaxOriginalRank = 8;
constexpr std::uint64_t kMaxDimension = std::uint64_t{1} << 48;
constexpr std::uint64_t kMaxAlignment = 65536;
constexpr const char* kAlignmentKey = "general.alignment";
constexpr const char* kSplitKey = "split.count";
constexpr std::string_view kOriginalShape = "comfy.gguf.orig_shape.";

// Numbers of the value types in the file.
enum ValueType : std::uint64_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};

// Bytes of a value; 0 where they vary.
constexpr std::uint64_t kValueBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

using Dims = std::vector<std::int64_t>;

unsigned long long printable(std::uint64_t n) { return n; }

std::uint64_t align_up(std::uint64_t n, std::uint64_t alignment) {
  return (n + alignment - 1) / alignment * alignment;
}

// Empty where the product does not fit.
std::optional<std::uint64_t> product(const Dims& dims) {
  std::uint64_t n = 1;
  for (const std::int64_t d : dims) {
    if (__builtin_mul_overflow(n, static_cast<std::uint64_t>(d), &n)) return std::nullopt;
  }
  return n;
}

class HeaderParser {
 public:
  explicit HeaderParser(const ByteSource& source) : source_(source), cursor_(source) {}

  GgufHeader parse() {
    check_version();
    const std::uint64_t tensors = count("tensors");
    const std::uint64_t entries = count("metadata entries");
    for (std::uint64_t i = 0; i < entries; ++i) read_entry();
    check_split();
    for (std::uint64_t i = 0; i < tensors; ++i) read_tensor();
    apply_original_shapes();
    place_tensors();
    return std::move(header_);
  }

 private:
  [[noreturn]] void unsupported(const std::string& what) const {
    throw Error(Code::kUnsupported, source_.name() + ": " + what);
  }
  [[noreturn]] void fail_tensor(const TensorInfo& tensor, const std::string& what) const {
    throw Error(Code::kCorruptFile, format("%s: tensor \"%s\": %s", source_.name().c_str(),
                                           excerpt(tensor.name).c_str(), what.c_str()));
  }

  void check_version() {
    if (cursor_.number(4) != kMagic) cursor_.fail("expected \"GGUF\"");
    const auto version = static_cast<std::uint32_t>(cursor_.number(4));
    if (version == 2 || version == 3) return;
    if ((version & 0xFFFF) == 0) unsupported("GGUF: expected little endian, found big endian");
    unsupported(format("GGUF: expected version 2 or 3, found %u", version));
  }

  std::uint64_t count(const char* what) {
    const std::uint64_t n = cursor_.number(8);
    if (n <= kMaxEntries) return n;
    cursor_.fail(
        format("expected at most %llu %s, found %llu", printable(kMaxEntries), what, printable(n)));
  }

  std::uint64_t value_type() {
    const std::uint64_t type = cursor_.number(4);
    if (type < std::size(kValueBytes)) return type;
    cursor_.fail(format("expected a value type below %zu, found %llu", std::size(kValueBytes),
                        printable(type)));
  }

  void read_entry() {
    const std::string key = cursor_.text("key", kMaxKey);
    if (!keys_.insert(key).second) cursor_.fail("key \"" + excerpt(key) + "\" given twice");
    const std::uint64_t type = value_type();
    if (key == kAlignmentKey) return read_alignment(type);
    if (key.starts_with(kOriginalShape)) {
      return read_original_shape(key.substr(kOriginalShape.size()), type);
    }
    if (type == kArray) return skip_array(1);
    header_.metadata[key] = type == kString ? cursor_.text("string", kMaxText) : scalar(type);
  }

  std::string scalar(std::uint64_t type) {
    const std::uint64_t bytes = kValueBytes[type];
    const std::uint64_t bits = cursor_.number(bytes);
    const auto shift = static_cast<int>(64 - 8 * bytes);
    switch (type) {
      case kBool:
        if (bits > 1)
          cursor_.fail(format("expected a bool of 0 or 1, found %llu", printable(bits)));
        return bits == 1 ? "true" : "false";
      case kF32:
        return format("%.9g",
                      static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits))));
      case kF64:
        return format("%.17g", std::bit_cast<double>(bits));
      case kI8:
      case kI16:
      case kI32:
      case kI64:
        return std::to_string(static_cast<std::int64_t>(bits << shift) >> shift);
      default:
        return std::to_string(bits);
    }
  }

  std::uint64_t array_length() {
    const std::uint64_t n = cursor_.number(8);
    if (n <= kMaxElements) return n;
    cursor_.fail(format("expected an array of at most %llu elements, found %llu",
                        printable(kMaxElements), printable(n)));
  }

  void skip_array(int depth) {
    if (depth > kMaxNesting) cursor_.fail(format("arrays nested more than %d deep", kMaxNesting));
    const std::uint64_t type = value_type();
    const std::uint64_t length = array_length();
    if (kValueBytes[type] != 0) return cursor_.skip(length * kValueBytes[type]);
    for (std::uint64_t i = 0; i < length; ++i) {
      if (type == kArray) {
        skip_array(depth + 1);
      } else {
        cursor_.skip(cursor_.number(8));
      }
    }
  }

  void read_alignment(std::uint64_t type) {
    if (type != kU32) cursor_.fail("general.alignment: expected a uint32");
    alignment_ = cursor_.number(4);
    if (std::has_single_bit(alignment_) && alignment_ <= kMaxAlignment) return;
    cursor_.fail(format("general.alignment: expected a power of two up to %llu, found %llu",
                        printable(kMaxAlignment), printable(alignment_)));
  }

  void read_original_shape(const std::string& tensor, std::uint64_t type) {
    if (type != kArray || value_type() != kI32) {
      cursor_.fail("original shape of \"" + excerpt(tensor) + "\": expected an array of int32");
    }
    const std::uint64_t rank = array_length();
    if (rank > kMaxOriginalRank) {
      cursor_.fail(format("original shape of \"%s\": expected at most %llu dimensions, found %llu",
                          excerpt(tensor).c_str(), printable(kMaxOriginalRank), printable(rank)));
    }
    Dims& dims = original_shapes_[tensor];
    for (std::uint64_t i = 0; i < rank; ++i) {
      dims.push_back(static_cast<std::int32_t>(cursor_.number(4)));
    }
  }

  void check_split() const {
    const auto it = header_.metadata.find(kSplitKey);
    if (it == header_.metadata.end() || it->second == "0" || it->second == "1") return;
    unsupported(
        format("GGUF: expected one file, found a part of %s (join them with "
               "`llama-gguf-split --merge`)",
               excerpt(it->second).c_str()));
  }

  void read_tensor() {
    TensorInfo t;
    t.name = cursor_.text("tensor name", kMaxName);
    const std::uint64_t rank = cursor_.number(4);
    if (rank > kMaxRank) {
      fail_tensor(t, format("expected at most %llu dimensions, found %llu", printable(kMaxRank),
                            printable(rank)));
    }
    for (std::uint64_t i = 0; i < rank; ++i) {
      const std::uint64_t n = cursor_.number(8);
      if (n < 1 || n > kMaxDimension) {
        fail_tensor(t, format("expected dimensions from 1 to 2^48, found %llu", printable(n)));
      }
      t.dims.push_back(static_cast<std::int64_t>(n));
    }
    const auto id = static_cast<std::uint32_t>(cursor_.number(4));
    const GgufType* type = gguf_type(id);
    if (type == nullptr) {
      unsupported(format("tensor \"%s\": expected one of the types %s, found number %u",
                         excerpt(t.name).c_str(), readable_gguf_types().c_str(), id));
    }
    set_size(t, *type);
    t.offset = cursor_.number(8);
    const std::string name = t.name;
    if (!header_.tensors.emplace(name, t).second) fail_tensor(t, "given twice");
  }

  // Still in the file's order of dimensions: the fastest is the first.
  void set_size(TensorInfo& t, const GgufType& type) const {
    const std::uint64_t width = t.dims.empty() ? 1 : static_cast<std::uint64_t>(t.dims[0]);
    const auto values = product(t.dims);
    if (!values || *values / type.values > ~std::uint64_t{0} / 2 / type.bytes) {
      fail_tensor(t, "dimensions overflow");
    }
    if (width % type.values != 0) {
      fail_tensor(t, format("expected a width that is a multiple of %u for %s, found %llu",
                            type.values, type.name, printable(width)));
    }
    t.bytes = *values / type.values * type.bytes;
    t.dtype = type.dtype;
    t.dtype_name = type.name;
    std::reverse(t.dims.begin(), t.dims.end());
  }

  void apply_original_shapes() {
    for (auto& [name, dims] : original_shapes_) {
      const auto it = header_.tensors.find(name);
      if (it == header_.tensors.end()) {
        cursor_.fail("original shape of \"" + excerpt(name) + "\": there is no such tensor");
      }
      const bool positive =
          std::all_of(dims.begin(), dims.end(), [](std::int64_t d) { return d > 0; });
      if (!positive || product(dims) != product(it->second.dims)) {
        fail_tensor(it->second, "expected an original shape of as many values");
      }
      it->second.dims = std::move(dims);
    }
  }

  // Offsets in the file count from the first aligned byte after the header.
  void place_tensors() {
    std::vector<TensorInfo*> order;
    for (auto& [name, t] : header_.tensors) order.push_back(&t);
    std::sort(order.begin(), order.end(),
              [](const TensorInfo* a, const TensorInfo* b) { return a->offset < b->offset; });
    const std::uint64_t begin = align_up(cursor_.position(), alignment_);
    std::uint64_t end = 0;  // of the tensors so far; their sum cannot overflow, see below
    for (TensorInfo* t : order) {
      const std::uint64_t expected = align_up(end, alignment_);
      if (t->offset != expected) {
        fail_tensor(*t, format("expected data at offset %llu, found %llu", printable(expected),
                               printable(t->offset)));
      }
      if (begin > source_.size() || expected > source_.size() - begin ||
          t->bytes > source_.size() - begin - expected) {
        fail_tensor(*t,
                    format("expected %llu bytes of %s within a file of %llu (truncated)",
                           printable(t->bytes), t->dtype_name.c_str(), printable(source_.size())));
      }
      end = expected + t->bytes;
      t->offset = begin + expected;
    }
    check_end(begin + align_up(end, alignment_));
  }

  void check_end(std::uint64_t end) const {
    if (source_.size() <= end) return;
    throw Error(Code::kCorruptFile,
                format("%s: expected %llu bytes of header and tensors, found %llu",
                       source_.name().c_str(), printable(end), printable(source_.size())));
  }

  const ByteSource& source_;
  GgufCursor cursor_;
  GgufHeader header_;
  std::set<std::string> keys_;
  std::map<std::string, Dims> original_shapes_;
  std::uint64_t alignment_ = 32;
};

}  // namespace

GgufHeader read_gguf_header(const ByteSource& source) { return HeaderParser(source).parse(); }

}  // namespace octet
