#include "quantize/comfy_twin.h"

#include <algorithm>

#include "base/check.h"
#include "quantize/comfy_names.h"
#include "quantize/layer_roles.h"

namespace octet {
namespace {

class Twin {
 public:
  Twin(std::shared_ptr<const TensorFile> file, const SourceWeights& source)
      : file_(std::move(file)), source_(source) {}

  std::vector<OutTensor> build() {
    for (const auto& [name, info] : source_.tensors()) {
      if (const auto comfy = comfy_tensor(name, source_)) add(*comfy);
    }
    return std::move(tensors_);
  }

 private:
  const TensorInfo& info(const std::string& name) const {
    const auto it = file_->tensors().find(name);
    if (it != file_->tensors().end()) return it->second;
    throw Error(Code::kModelMismatch, format("%s: expected tensor \"%s\", found none",
                                             file_->name().c_str(), name.c_str()));
  }

  void add(const ComfyTensor& comfy) {
    const TensorInfo& stored = info(comfy.name);
    const auto parts = static_cast<std::int64_t>(comfy.parts.size());
    std::vector<std::int64_t> dims = stored.dims;
    dims.at(0) /= parts;
    for (std::int64_t i = 0; i < parts; ++i) {
      const std::string& name = comfy.parts[static_cast<std::size_t>(i)];
      tensors_.push_back(
          {.entry = {name, *stored.dtype, dims},
           .bytes = [file = file_, &stored, rows = dims[0], i, swap = comfy.swap_halves] {
             std::vector<std::byte> bytes(static_cast<std::size_t>(rows) * row_bytes(stored));
             file->read_rows(stored, {.first = i * rows, .count = rows}, bytes);
             const auto middle = bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2);
             if (swap) std::rotate(bytes.begin(), middle, bytes.end());
             return bytes;
           }});
      if (!name.ends_with(".weight")) continue;
      for (const char* end : {".weight_scale", ".input_scale"}) {
        add_scale(layer_of(comfy.name) + end, layer_of(name) + end);
      }
    }
  }

  void add_scale(const std::string& from, const std::string& to) {
    if (file_->tensors().count(from) == 0) return;
    const TensorInfo& stored = info(from);
    tensors_.push_back({.entry = {to, *stored.dtype, stored.dims},
                        .bytes = [file = file_, &stored] { return file->read(stored); }});
  }

  std::shared_ptr<const TensorFile> file_;
  const SourceWeights& source_;
  std::vector<OutTensor> tensors_;
};

}  // namespace

std::vector<OutTensor> comfy_twin(std::shared_ptr<const TensorFile> file,
                                  const SourceWeights& source) {
  return Twin(std::move(file), source).build();
}

}  // namespace octet
