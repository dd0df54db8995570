#include "support/tensors.h"

#include <cstring>

#include "base/format.h"
#include "octet/error.h"
#include "tensor/float_formats.h"

namespace octet::test {
namespace {

class OwningSource final : public ByteSource {
 public:
  OwningSource(std::string name, Bytes bytes)
      : bytes_(std::move(bytes)), view_(open_memory(std::move(name), bytes_)) {}
  const std::string& name() const override { return view_->name(); }
  std::uint64_t size() const override { return view_->size(); }
  void read(std::uint64_t offset, std::span<std::byte> destination) const override {
    view_->read(offset, destination);
  }

 private:
  Bytes bytes_;
  std::unique_ptr<ByteSource> view_;
};

std::string list_of(const Shape& values) {
  std::string text = "[";
  for (const std::int64_t v : values) {
    if (text.size() > 1) text += ',';
    text += std::to_string(v);
  }
  return text += ']';
}

}  // namespace

std::int64_t count_of(const Shape& dims) {
  std::int64_t n = 1;
  for (const std::int64_t d : dims) n *= d;
  return n;
}

Bytes bytes_of(const std::string& text) {
  Bytes bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

TestTensor tensor_of(const Shape& dims, const std::vector<float>& values, DType dtype) {
  TestTensor t{.dtype = safetensors_name(dtype), .dims = dims, .data = {}};
  t.data.resize(values.size() * size_of(dtype));
  encode_from_f32(dtype, values.data(), t.data.data(), values.size());
  return t;
}

TestTensor random_tensor(const Shape& dims, Random& random, float scale, float mean) {
  std::vector<float> values(static_cast<std::size_t>(count_of(dims)));
  const float unit = scale * 1.7320508f * 0x1p-31f;  // a uniform value with deviation 1
  for (float& v : values) {
    v = mean + unit * static_cast<float>(static_cast<std::int32_t>(random()));
  }
  return tensor_of(dims, values);
}

Bytes safetensors_with_header(const std::string& header, std::size_t data_bytes) {
  std::string text(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) text[i] = static_cast<char>(header.size() >> (8 * i));
  return bytes_of(text + header + std::string(data_bytes, '\0'));
}

Bytes safetensors_of(const TensorMap& tensors) {
  std::string header;
  std::int64_t offset = 0;
  for (const auto& [name, t] : tensors) {
    const std::int64_t end = offset + static_cast<std::int64_t>(t.data.size());
    header += format(R"(%s"%s":{"dtype":"%s","shape":%s,"data_offsets":%s})",
                     header.empty() ? "{" : ",", name.c_str(), t.dtype.c_str(),
                     list_of(t.dims).c_str(), list_of({offset, end}).c_str());
    offset = end;
  }
  if (header.empty()) header += '{';
  header += '}';
  Bytes file = safetensors_with_header(header, 0);
  for (const auto& [name, t] : tensors) file.insert(file.end(), t.data.begin(), t.data.end());
  return file;
}

std::unique_ptr<ByteSource> source_of(const std::string& name, Bytes bytes) {
  return std::make_unique<OwningSource>(name, std::move(bytes));
}

WeightReader reader_of(const std::string& component, const std::vector<TensorMap>& shards) {
  TensorFiles files;
  for (const TensorMap& shard : shards) {
    files.push_back(
        open_tensor_file(source_of("shard" + std::to_string(files.size()), safetensors_of(shard))));
  }
  return {component, std::move(files)};
}

MemoryFiles::MemoryFiles(std::map<std::string, Bytes> files, std::string location)
    : files_(std::move(files)), location_(std::move(location)) {}

std::vector<std::string> MemoryFiles::list() const {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : files_) names.push_back(name);
  return names;
}

std::unique_ptr<ByteSource> MemoryFiles::open(const std::string& file) const {
  const auto it = files_.find(file);
  if (it == files_.end()) throw Error(Code::kIo, location_ + "/" + file + ": no such file");
  return source_of(location_ + "/" + file, it->second);
}

}  // namespace octet::test
