#include "checkpoint/tensor_file.h"

#include "checkpoint/gguf.h"
#include "checkpoint/pickle.h"
#include "checkpoint/safetensors.h"

namespace octet {

RowRange all_rows(const TensorInfo& tensor) {
  return {.first = 0, .count = tensor.dims.empty() || !tensor.dtype ? 1 : tensor.dims[0]};
}

std::size_t row_bytes(const TensorInfo& tensor) {
  if (!tensor.dtype) return static_cast<std::size_t>(tensor.bytes);
  if (all_rows(tensor).count == 0) return 0;
  std::size_t bytes = size_of(*tensor.dtype);
  for (std::size_t i = 1; i < tensor.dims.size(); ++i) {
    bytes *= static_cast<std::size_t>(tensor.dims[i]);
  }
  return bytes;
}

std::vector<std::byte> TensorFile::read(const TensorInfo& tensor) const {
  const RowRange rows = all_rows(tensor);
  std::vector<std::byte> bytes(static_cast<std::size_t>(rows.count) * row_bytes(tensor));
  read_rows(tensor, rows, bytes);
  return bytes;
}

std::shared_ptr<const TensorFile> open_tensor_file(std::unique_ptr<ByteSource> source) {
  if (is_pickle(*source)) refuse_pickle(source->name());
  if (is_gguf(*source)) return std::make_shared<GgufFile>(std::move(source));
  return std::make_shared<SafetensorsFile>(std::move(source));
}

}  // namespace octet
