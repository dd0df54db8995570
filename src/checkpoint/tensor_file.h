// TensorFile: named tensors of one file, whatever its format.
//
// What is read comes out in TensorInfo::dtype, dense and row-major: a format with codes of its own
// (GGUF's Q4_0) decodes while it reads and says F32. Names, shapes and sizes are known after
// opening; values are read when they are asked for, whole tensors or ranges of rows. Immutable
// after construction; reads may come from any thread.
// Errors: Error(kCorruptFile) naming the file, the tensor and what was expected; Error(kIo).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/files.h"
#include "tensor/dtype.h"
#include "tensor/random_codes.h"

namespace octet {

struct TensorInfo {
  std::string name;
  std::string dtype_name;      // as the format calls it: "BF16", "F8_E4M3", "Q4_0"
  std::optional<DType> dtype;  // of what is read; empty: a type Octet does not read
  std::vector<std::int64_t> dims;
  std::uint64_t offset = 0;  // of the stored bytes, from the start of the file
  std::uint64_t bytes = 0;   // stored
};

/// A range of a tensor's first dimension; a scalar is one row, and so is a tensor without dtype,
/// whose values may be smaller than a byte.
struct RowRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

[[nodiscard]] RowRange all_rows(const TensorInfo& tensor);
/// Bytes of one row as it is read; for a tensor without dtype, as it is stored.
[[nodiscard]] std::size_t row_bytes(const TensorInfo& tensor);

class TensorFile {
 public:
  TensorFile() = default;
  virtual ~TensorFile() = default;
  TensorFile(const TensorFile&) = delete;
  TensorFile& operator=(const TensorFile&) = delete;

  /// The path, for messages.
  [[nodiscard]] virtual const std::string& name() const = 0;
  /// By name; TensorInfo::name is the key.
  [[nodiscard]] virtual const std::map<std::string, TensorInfo>& tensors() const = 0;
  [[nodiscard]] virtual const std::map<std::string, std::string>& metadata() const = 0;
  /// Fills `destination`, which must be rows.count * row_bytes(tensor) long. `tensor` is one of
  /// tensors().
  virtual void read_rows(const TensorInfo& tensor, RowRange rows,
                         std::span<std::byte> destination) const = 0;

  [[nodiscard]] std::vector<std::byte> read(const TensorInfo& tensor) const;
  /// The formula of a synthetic tensor; null for all that lie in files.
  [[nodiscard]] virtual const RandomCodes* formula(const TensorInfo&) const { return nullptr; }
};

using TensorFiles = std::vector<std::shared_ptr<const TensorFile>>;

/// Opens a file of any format that Octet reads; the format is told by its first bytes, not by its
/// name.
[[nodiscard]] std::shared_ptr<const TensorFile> open_tensor_file(
    std::unique_ptr<ByteSource> source);

}  // namespace octet
