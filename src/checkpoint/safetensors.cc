#include "checkpoint/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/check.h"

namespace octet {
namespace {

constexpr std::uint64_t kMaxHeader = std::uint64_t{100} << 20;  // the limit of the format
constexpr std::size_t kMaxTensorRank = 8;
constexpr std::size_t kMaxTensors = 200000;
constexpr std::size_t kMaxName = 512;

// The types of the format. Those that Octet does not compute with may be in tensors that nobody
// reads, but their sizes are checked like all others.
struct FormatType {
  const char* name;
  std::uint64_t bits;
};
constexpr FormatType kFormatTypes[] = {
    {"BOOL", 8},    {"U8", 8},          {"I8", 8},          {"F8_E4M3", 8}, {"F8_E5M2", 8},
    {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},
    {"F16", 16},    {"BF16", 16},       {"I32", 32},        {"U32", 32},    {"F32", 32},
    {"I64", 64},    {"U64", 64},        {"F64", 64},        {"C64", 64},    {"F4", 4},
    {"F6_E2M3", 6}, {"F6_E3M2", 6}};

const FormatType* find_type(const std::string& name) {
  for (const FormatType& type : kFormatTypes) {
    if (name == type.name) return &type;
  }
  return nullptr;
}

// Receives the header's JSON events and keeps only what a header may contain, so that a hostile
// header cannot build a deep or huge document in memory.
class HeaderSax final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderSax(std::string file) : file_(std::move(file)) {}

  std::map<std::string, TensorInfo> tensors;
  std::map<std::string, std::string> metadata;

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_float(double, const std::string&) override { return unexpected("a fraction"); }
  bool binary(binary_t&) override { return unexpected("binary data"); }
  bool number_integer(std::int64_t) override { return unexpected("a negative number"); }

  bool number_unsigned(std::uint64_t value) override {
    if (depth_ != 2 || !in_array_) return unexpected("a number");
    if (value > std::uint64_t{1} << 48) return unexpected("a number beyond 2^48");
    if (field_ == "shape") {
      if (current_.dims.size() >= kMaxTensorRank) return unexpected("more than 8 dimensions");
      current_.dims.push_back(static_cast<std::int64_t>(value));
    } else {
      if (offsets_.size() >= 2) return unexpected("more than 2 data_offsets");
      offsets_.push_back(value);
    }
    return true;
  }

  bool string(std::string& value) override {
    if (depth_ != 2 || in_array_) return unexpected("a string");
    if (in_metadata_) {
      metadata[field_] = value;
      return true;
    }
    if (field_ != "dtype") return unexpected("a string");
    if (find_type(value) == nullptr) return unexpected("the dtype " + excerpt(value));
    current_.dtype_name = value;
    current_.dtype = dtype_from_safetensors(value);
    return true;
  }

  bool start_object(std::size_t) override {
    if (++depth_ > 2 || in_array_) return unexpected("a nested object");
    return true;
  }

  bool key(std::string& name) override {
    if (depth_ == 2) {
      field_ = name;
      if (in_metadata_) {
        return metadata.count(name) == 0 || unexpected(excerpt(name) + " a second time");
      }
      if (!fields_.insert(name).second) return unexpected("a field given twice");
      if (name != "dtype" && name != "shape" && name != "data_offsets") {
        return unexpected("the field \"" + excerpt(name) + "\"");
      }
      return true;
    }
    in_metadata_ = name == "__metadata__";
    current_ = TensorInfo{};
    current_.name = name;
    if (tensors.count(name) != 0) return unexpected("a second entry of that name");
    if (in_metadata_ && std::exchange(had_metadata_, true)) return unexpected("a second one");
    if (name.size() > kMaxName) return unexpected("a name longer than 512 bytes");
    if (name.find('\0') != std::string::npos) return unexpected("a NUL in the name");
    if (tensors.size() == kMaxTensors) return unexpected("more than 200000 tensors");
    offsets_.clear();
    fields_.clear();
    return true;
  }

  bool end_object() override {
    if (--depth_ != 1 || in_metadata_) return true;
    if (current_.dtype_name.empty() || fields_.size() != 3 || offsets_.size() != 2 ||
        offsets_[0] > offsets_[1]) {
      return unexpected("an entry without dtype, shape or data_offsets [begin, end]");
    }
    current_.offset = offsets_[0];
    current_.bytes = offsets_[1] - offsets_[0];
    tensors[current_.name] = current_;
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_array_ || in_metadata_ || field_ == "dtype") {
      return unexpected("an array");
    }
    in_array_ = true;
    return true;
  }
  bool end_array() override {
    in_array_ = false;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    throw Error(Code::kCorruptFile,
                format("%s: header is not valid JSON at byte %zu", file_.c_str(), position));
  }

 private:
  bool unexpected(const std::string& found) const {
    throw Error(Code::kCorruptFile,
                format("%s: header entry \"%s\": expected {dtype, shape, data_offsets}, found %s",
                       file_.c_str(), excerpt(current_.name).c_str(), found.c_str()));
  }

  std::string file_;
  int depth_ = 0;
  bool in_array_ = false;
  bool in_metadata_ = false;
  bool had_metadata_ = false;
  std::string field_;
  std::set<std::string> fields_;  // of the current entry
  TensorInfo current_;
  std::vector<std::uint64_t> offsets_;
};

// Bytes that dtype and dims need; empty when they overflow or do not fill whole bytes.
std::optional<std::uint64_t> needed_bytes(const TensorInfo& t) {
  std::uint64_t bits = find_type(t.dtype_name)->bits;
  for (const std::int64_t d : t.dims) {
    if (__builtin_mul_overflow(bits, static_cast<std::uint64_t>(d), &bits)) return std::nullopt;
  }
  if (bits % 8 != 0) return std::nullopt;
  return bits / 8;
}

void check_tiling(const std::string& file, const std::map<std::string, TensorInfo>& tensors,
                  std::uint64_t data_size) {
  std::vector<const TensorInfo*> order;
  for (const auto& [name, t] : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const TensorInfo* a, const TensorInfo* b) {
    return std::pair(a->offset, a->bytes) < std::pair(b->offset, b->bytes);
  });
  std::uint64_t end = 0;
  for (const TensorInfo* t : order) {
    if (t->offset != end) {
      throw Error(
          Code::kCorruptFile,
          format("%s: tensor \"%s\": expected data at offset %llu, found %llu", file.c_str(),
                 excerpt(t->name).c_str(), static_cast<unsigned long long>(end),
                 static_cast<unsigned long long>(t->offset)));
    }
    if (needed_bytes(*t) != t->bytes) {
      throw Error(
          Code::kCorruptFile,
          format("%s: tensor \"%s\": expected the bytes of its shape and dtype %s, found %llu",
                 file.c_str(), excerpt(t->name).c_str(), excerpt(t->dtype_name).c_str(),
                 static_cast<unsigned long long>(t->bytes)));
    }
    end += t->bytes;
    if (end > data_size) break;
  }
  if (end != data_size) {
    throw Error(Code::kCorruptFile,
                format("%s: expected %llu bytes of tensor data, found %llu (truncated or damaged)",
                       file.c_str(), static_cast<unsigned long long>(end),
                       static_cast<unsigned long long>(data_size)));
  }
}

/// What a clone without Git LFS leaves where a large file should be.
void refuse_pointer(const ByteSource& source, const std::byte (&start)[8]) {
  if (std::memcmp(start, "version ", sizeof(start)) != 0) return;
  throw Error(Code::kCorruptFile,
              source.name() +
                  ": expected a safetensors file, found a Git LFS pointer to one; "
                  "git lfs pull, in the model's folder, fetches it");
}

std::uint64_t header_length(const ByteSource& source) {
  std::byte raw[8];
  if (source.size() < sizeof(raw)) {
    throw Error(Code::kCorruptFile,
                format("%s: expected a safetensors file, found %llu bytes", source.name().c_str(),
                       static_cast<unsigned long long>(source.size())));
  }
  source.read(0, raw);
  refuse_pointer(source, raw);
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | std::to_integer<std::uint64_t>(raw[i]);
  if (length < 2 || length > kMaxHeader || length > source.size() - sizeof(raw)) {
    throw Error(
        Code::kCorruptFile,
        format("%s: expected a safetensors header within %llu bytes, found a length of %llu",
               source.name().c_str(), static_cast<unsigned long long>(source.size()),
               static_cast<unsigned long long>(length)));
  }
  return length;
}

}  // namespace

SafetensorsFile::SafetensorsFile(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {
  const std::uint64_t length = header_length(*source_);
  std::string header(static_cast<std::size_t>(length), '\0');
  source_->read(8, std::as_writable_bytes(std::span(header)));
  if (header[0] != '{') {
    throw Error(Code::kCorruptFile,
                source_->name() + ": expected a safetensors header starting with '{'");
  }
  if (header.find('\0') != std::string::npos) {  // for the JSON parser, the end of its input
    throw Error(Code::kCorruptFile,
                source_->name() + ": expected a safetensors header of text, found a zero byte");
  }
  HeaderSax sax(source_->name());
  nlohmann::json::sax_parse(header, &sax);
  tensors_ = std::move(sax.tensors);
  metadata_ = std::move(sax.metadata);
  check_tiling(source_->name(), tensors_, source_->size() - 8 - length);
  for (auto& [name, t] : tensors_) t.offset += 8 + length;
}

void SafetensorsFile::read_rows(const TensorInfo& tensor, RowRange rows,
                                std::span<std::byte> destination) const {
  OCTET_CHECK(destination.size() == static_cast<std::size_t>(rows.count) * row_bytes(tensor),
              "destination of %zu bytes", destination.size());
  source_->read(tensor.offset + static_cast<std::uint64_t>(rows.first) * row_bytes(tensor),
                destination);
}

}  // namespace octet
