// Reader of the safetensors format: 8 bytes header length (little endian), a JSON object of
// {name: {dtype, shape, data_offsets}} with optional "__metadata__", then the data.
//
// Nothing in the header is trusted: lengths, offsets, products and names are checked before use;
// tensors must tile the data without gaps or overlaps, as the format demands. Immutable after
// construction; reads may come from any thread.
// Errors: Error(kCorruptFile) naming the file, the tensor and what was expected.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/files.h"
#include "tensor/dtype.h"

namespace octet {

struct TensorInfo {
  std::string name;
  std::string dtype_name;      // as in the file
  std::optional<DType> dtype;  // empty: a type Octet does not read (allowed for ignored tensors)
  std::vector<std::int64_t> dims;
  std::uint64_t offset = 0;  // from the start of the file
  std::uint64_t bytes = 0;
};

class SafetensorsFile {
 public:
  explicit SafetensorsFile(std::unique_ptr<ByteSource> source);

  [[nodiscard]] const std::string& name() const { return source_->name(); }
  /// Sorted by name.
  [[nodiscard]] const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  [[nodiscard]] std::vector<std::byte> read(const TensorInfo& tensor) const;

 private:
  std::unique_ptr<ByteSource> source_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace octet
