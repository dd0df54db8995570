#include "quantize/fp8_file.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"
#include "quantize/comfy_names.h"
#include "quantize/fp8_weight.h"
#include "quantize/layer_roles.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::span<const float> values) {
  const auto bytes = std::as_bytes(values);
  return {bytes.begin(), bytes.end()};
}

/// Matrices that stay go to 16 bit; what is 16 bit or a vector stays as it is.
DType kept_dtype(const TensorInfo& info) {
  const bool wide_matrix = info.dtype == DType::kF32 && info.dims.size() > 1;
  return wide_matrix ? DType::kBF16 : *info.dtype;
}

Bytes converted(HostWeight weight, DType dtype) {
  if (weight.dtype == dtype) return std::move(weight.data);
  const std::vector<float> values = values_of(weight);
  Bytes bytes(values.size() * size_of(dtype));
  encode_from_f32(dtype, values.data(), bytes.data(), values.size());
  return bytes;
}

/// Collects the tensors of a file.
class Builder {
 public:
  Builder(const SourceWeights& source, const Fp8Plan& plan, ThreadPool& pool)
      : source_(source), plan_(plan), pool_(pool) {}

  std::vector<OutTensor> build() {
    for (const auto& [name, info] : source_.tensors()) {
      if (plan_.layout == Fp8Layout::kDiffusers) {
        add_diffusers(name, info);
      } else {
        add_comfy(name);
      }
    }
    // Wide elements first, so that every tensor lies at a multiple of its element.
    std::sort(tensors_.begin(), tensors_.end(), [](const OutTensor& a, const OutTensor& b) {
      const std::size_t wide_a = size_of(a.entry.dtype);
      const std::size_t wide_b = size_of(b.entry.dtype);
      return wide_a != wide_b ? wide_a > wide_b : a.entry.name < b.entry.name;
    });
    return std::move(tensors_);
  }

 private:
  void add(std::string name, DType dtype, std::vector<std::int64_t> dims,
           std::function<Bytes()> bytes) {
    tensors_.push_back(
        {.entry = {std::move(name), dtype, std::move(dims)}, .bytes = std::move(bytes)});
  }

  [[nodiscard]] const float* input_scale(const std::string& layer) const {
    const auto it = plan_.input_scales.find(group_of(layer).front());
    return it == plan_.input_scales.end() ? nullptr : &it->second;
  }
  [[nodiscard]] bool quantised(const std::string& tensor, const TensorInfo& info) const {
    switch (role_of(tensor, info.dims)) {
      case LayerRole::kBlockLinear:
        return input_scale(layer_of(tensor)) != nullptr;
      case LayerRole::kModulation:
        return plan_.modulation_fp8;
      case LayerRole::kKept:
        break;
    }
    return false;
  }

  // `make` gives the 16-bit weight; `in` is the layer that the input scale is known by.
  void add_fp8(const std::string& layer, const std::string& in, std::vector<std::int64_t> dims,
               const std::function<HostWeight()>& make) {
    const WeightScale kind = plan_.weight_scale;
    const std::int64_t rows = dims.at(0);
    const auto scales = [kind, make, &pool = pool_](std::size_t count) {
      const std::vector<float> all = row_scales(make(), kind, 1, pool);
      return bytes_of(std::span(all).first(count));
    };
    add(layer + ".weight", DType::kF8E4M3, std::move(dims), [kind, make, &pool = pool_] {
      return std::move(quantise_weight(make(), kind, 1, pool).data);
    });
    if (kind == WeightScale::kRow) {
      add(layer + ".weight_scale", DType::kF32, {rows, 1},
          [scales, rows] { return scales(static_cast<std::size_t>(rows)); });
    } else {
      add(layer + ".weight_scale", DType::kF32, {}, [scales] { return scales(1); });
    }
    if (const float* scale = input_scale(in)) {
      add(layer + ".input_scale", DType::kF32, {},
          [value = *scale] { return bytes_of(std::span(&value, 1)); });
    }
  }

  void add_diffusers(const std::string& name, const TensorInfo& info) {
    const auto make = [&source = source_, name] { return source.tensor(name); };
    if (quantised(name, info)) {
      add_fp8(layer_of(name), layer_of(name), info.dims, make);
      return;
    }
    const DType dtype = kept_dtype(info);
    add(name, dtype, info.dims, [make, dtype] { return converted(make(), dtype); });
  }

  void add_comfy(const std::string& name) {
    const std::optional<ComfyTensor> comfy = comfy_tensor(name, source_);
    if (!comfy) return;  // the second and third of q, k and v
    const TensorInfo& info = source_.tensors().at(name);
    const auto make = [&source = source_, comfy = *comfy] { return comfy_weight(source, comfy); };
    std::vector<std::int64_t> dims = info.dims;
    dims.at(0) *= static_cast<std::int64_t>(comfy->parts.size());
    if (quantised(name, info)) {
      const std::string layer = layer_of(comfy->name);
      add_fp8(layer, layer_of(name), dims, make);
      // Without an input scale ComfyUI would round inputs with a scale of 1.
      const std::string json =
          input_scale(layer_of(name)) != nullptr
              ? R"({"format": "float8_e4m3fn"})"
              : R"({"format": "float8_e4m3fn", "full_precision_matrix_mult": true})";
      add(layer + ".comfy_quant", DType::kU8, {static_cast<std::int64_t>(json.size())}, [json] {
        const auto bytes = std::as_bytes(std::span(json));
        return Bytes(bytes.begin(), bytes.end());
      });
      return;
    }
    const DType dtype = kept_dtype(info);
    add(comfy->name, dtype, dims, [make, dtype] { return converted(make(), dtype); });
  }

  const SourceWeights& source_;
  const Fp8Plan& plan_;
  ThreadPool& pool_;
  std::vector<OutTensor> tensors_;
};

}  // namespace

std::vector<OutTensor> fp8_tensors(const SourceWeights& source, const Fp8Plan& plan,
                                   ThreadPool& pool) {
  return Builder(source, plan, pool).build();
}

Fp8File::Fp8File(PendingFile& file, std::vector<OutTensor> tensors, std::size_t metadata_bytes)
    : file_(file), tensors_(std::move(tensors)), header_bytes_(0) {
  for (const OutTensor& t : tensors_) entries_.push_back(t.entry);
  header_bytes_ = safetensors_header(entries_, {}).size() + metadata_bytes;
  header_bytes_ = header({}).size();  // with padding
}

std::string Fp8File::header(const Metadata& metadata) const {
  return safetensors_header(entries_, metadata, header_bytes_ - sizeof(std::uint64_t));
}

void Fp8File::write(const Metadata& metadata,
                    const std::function<void(int done, int total)>& progress) {
  const std::string text = header(metadata);
  file_.append(std::as_bytes(std::span(text)));
  bytes_ = text.size();
  int done = 0;
  for (OutTensor& t : tensors_) {
    const Bytes bytes = std::exchange(t.bytes, nullptr)();
    file_.append(bytes);
    bytes_ += bytes.size();
    progress(++done, static_cast<int>(tensors_.size()));
  }
}

void Fp8File::replace(const Metadata& metadata) {
  const std::string text = header(metadata);
  OCTET_CHECK(text.size() == header_bytes_, "a header of %zu bytes in place of %zu", text.size(),
              header_bytes_);
  file_.overwrite(0, std::as_bytes(std::span(text)));
}

}  // namespace octet
