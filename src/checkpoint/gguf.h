// Reader of the GGUF format, versions 2 and 3, little endian: magic, counts, typed metadata, tensor
// infos, then data at aligned offsets.
//
// Dimensions come out row-major (the file lists the fastest first), or as the file says the tensor
// was before it was reshaped ("comfy.gguf.orig_shape.NAME"). Quantised tensors are decoded to F32
// while they are read, a piece at a time; F32, F16 and BF16 stay as they are. Tensors of types
// that Octet does not decode are listed without a dtype and cannot be read.
//
// Nothing in the header is trusted: counts, lengths, nesting, products, ranges and names are
// checked before use, and tensors must follow each other as the format demands, so that the end of
// the last one is the end of the file. metadata() holds strings and numbers, as text; of arrays,
// which carry tokenizers, nothing is kept. Immutable after construction; reads may come from any
// thread.
// Errors: Error(kCorruptFile) naming the file, the tensor and what was expected;
// Error(kUnsupported) for versions, split files and element types that are not read; Error(kIo).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "checkpoint/tensor_file.h"

namespace octet {

/// Whether the file begins as GGUF files do.
[[nodiscard]] bool is_gguf(const ByteSource& source);

class GgufFile final : public TensorFile {
 public:
  explicit GgufFile(std::unique_ptr<ByteSource> source);

  [[nodiscard]] const std::string& name() const override { return source_->name(); }
  [[nodiscard]] const std::map<std::string, TensorInfo>& tensors() const override {
    return tensors_;
  }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const override {
    return metadata_;
  }
  void read_rows(const TensorInfo& tensor, RowRange rows,
                 std::span<std::byte> destination) const override;

 private:
  std::unique_ptr<ByteSource> source_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace octet
