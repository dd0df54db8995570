// Checkpoints made in memory: named tensors, safetensors bytes, sources and file sets that own
// their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "checkpoint/files.h"
#include "checkpoint/weight_reader.h"

namespace octet::test {

using Random = std::mt19937;
using Shape = std::vector<std::int64_t>;
using Bytes = std::vector<std::byte>;

struct TestTensor {
  std::string dtype = "F32";  // as in a safetensors header
  Shape dims;
  Bytes data;
};
using TensorMap = std::map<std::string, TestTensor>;

[[nodiscard]] std::int64_t count_of(const Shape& dims);
[[nodiscard]] Bytes bytes_of(const std::string& text);
[[nodiscard]] TestTensor tensor_of(const Shape& dims, const std::vector<float>& values,
                                   DType dtype = DType::kF32);
/// Uniform values with standard deviation `scale` around `mean`.
[[nodiscard]] TestTensor random_tensor(const Shape& dims, Random& random, float scale,
                                       float mean = 0);

/// The bytes of a file with these tensors, in the order of their names.
[[nodiscard]] Bytes safetensors_of(const TensorMap& tensors);
/// A file with any header text, followed by `data_bytes` zeros.
[[nodiscard]] Bytes safetensors_with_header(const std::string& header, std::size_t data_bytes);

[[nodiscard]] std::unique_ptr<ByteSource> source_of(const std::string& name, Bytes bytes);
/// One file per element: "shard0", "shard1", ...
[[nodiscard]] WeightReader reader_of(const std::string& component,
                                     const std::vector<TensorMap>& shards);

/// A model folder that exists in memory only.
class MemoryFiles final : public FileSet {
 public:
  explicit MemoryFiles(std::map<std::string, Bytes> files, std::string location = "memory/model");
  [[nodiscard]] const std::string& location() const override { return location_; }
  [[nodiscard]] bool has(const std::string& file) const override { return files_.count(file) != 0; }
  [[nodiscard]] std::vector<std::string> list() const override;
  [[nodiscard]] std::unique_ptr<ByteSource> open(const std::string& file) const override;

 private:
  std::map<std::string, Bytes> files_;
  std::string location_;
};

}  // namespace octet::test
