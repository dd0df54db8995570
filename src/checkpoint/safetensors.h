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
#include <string>

#include "checkpoint/tensor_file.h"

namespace octet {

class SafetensorsFile final : public TensorFile {
 public:
  explicit SafetensorsFile(std::unique_ptr<ByteSource> source);

  [[nodiscard]] const std::string& name() const override { return source_->name(); }
  [[nodiscard]] const std::map<std::string, TensorInfo>& tensors() const override {
    return tensors_;
  }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const override {
    return metadata_;
  }
  void read_rows(const TensorInfo& tensor, RowRange rows,
                 std::span<std::byte> destination) const override;
  [[nodiscard]] const RandomCodes* formula(const TensorInfo& tensor) const override {
    return source_->formula(tensor.offset);
  }

 private:
  std::unique_ptr<ByteSource> source_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace octet
