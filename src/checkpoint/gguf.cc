#include "checkpoint/gguf.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "checkpoint/gguf_blocks.h"
#include "checkpoint/gguf_header.h"

namespace octet {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;

}  // namespace

bool is_gguf(const ByteSource& source) {
  std::byte magic[4];
  if (source.size() < sizeof(magic)) return false;
  source.read(0, magic);
  return std::memcmp(magic, "GGUF", sizeof(magic)) == 0;
}

GgufFile::GgufFile(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {
  GgufHeader header = read_gguf_header(*source_);
  tensors_ = std::move(header.tensors);
  metadata_ = std::move(header.metadata);
}

// Rows need not begin or end with a block: a vector of 32 values is one block and 32 rows.
void GgufFile::read_rows(const TensorInfo& tensor, RowRange rows,
                         std::span<std::byte> destination) const {
  const GgufType& type = *gguf_type(tensor.dtype_name);
  if (!tensor.dtype) {
    throw Error(Code::kUnsupported,
                format("%s: tensor \"%s\": expected %s, found %s", name().c_str(),
                       excerpt(tensor.name).c_str(), readable_gguf_types().c_str(), type.name));
  }
  OCTET_CHECK(destination.size() == static_cast<std::size_t>(rows.count) * row_bytes(tensor),
              "destination of %zu bytes", destination.size());
  const std::uint64_t element = size_of(*tensor.dtype);
  const std::uint64_t row = row_bytes(tensor) / element;
  std::uint64_t at = static_cast<std::uint64_t>(rows.first) * row;  // next value
  const std::uint64_t end = at + static_cast<std::uint64_t>(rows.count) * row;
  if (type.decode == nullptr) return source_->read(tensor.offset + at * element, destination);

  std::vector<std::byte> blocks;
  std::vector<float> values;
  while (at < end) {
    const std::uint64_t first = at / type.values;
    const std::uint64_t last =
        std::min((end + type.values - 1) / type.values, first + kPieceBytes / type.bytes);
    blocks.resize(static_cast<std::size_t>((last - first) * type.bytes));
    values.resize(static_cast<std::size_t>((last - first) * type.values));
    source_->read(tensor.offset + first * type.bytes, blocks);
    decode_blocks(type, blocks, values);
    const std::uint64_t skipped = at - first * type.values;
    const std::uint64_t count = std::min(end, last * type.values) - at;
    std::memcpy(destination.data(), values.data() + skipped,
                static_cast<std::size_t>(count * element));
    destination = destination.subspan(static_cast<std::size_t>(count * element));
    at += count;
  }
}

}  // namespace octet
