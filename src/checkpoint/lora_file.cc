#include "checkpoint/lora_file.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/sha256.h"
#include "checkpoint/lora_adapter.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

using Member = const TensorInfo* LoraModule::*;

// What a tensor's name ends with says which part of its module it is.
struct Part {
  const char* ending;
  Member member;
};
constexpr Part kParts[] = {
    {".lora_A.weight", &LoraModule::down},
    {".lora_B.weight", &LoraModule::up},
    {".lora_A.default.weight", &LoraModule::down},
    {".lora_B.default.weight", &LoraModule::up},
    {".lora_down.weight", &LoraModule::down},
    {".lora_up.weight", &LoraModule::up},
    {".lora.down.weight", &LoraModule::down},
    {".lora.up.weight", &LoraModule::up},
    {"_lora.down.weight", &LoraModule::down},
    {"_lora.up.weight", &LoraModule::up},
    {".lora_linear_layer.down.weight", &LoraModule::down},
    {".lora_linear_layer.up.weight", &LoraModule::up},
    {".alpha", &LoraModule::alpha},
};

// Endings of other methods, for a message that says so.
struct OtherMethod {
  const char* mark;
  const char* name;
};
constexpr OtherMethod kOtherMethods[] = {
    {".dora_scale", "DoRA"},    {".lora_magnitude_vector", "DoRA"},
    {".hada_w", "LoHa"},        {".lokr_w", "LoKr"},
    {".lora_mid.", "CP-LoRA"},  {".diff", "a full difference"},
    {".lora_B.bias", "a bias"}, {".lora_embedding_", "an embedding"},
};

const Part* part_of(const std::string& name) {
  for (const Part& part : kParts) {
    if (name.ends_with(part.ending)) return &part;
  }
  return nullptr;
}

std::int64_t columns_of(const TensorInfo& t) {
  std::int64_t n = 1;
  for (std::size_t i = 1; i < t.dims.size(); ++i) n *= t.dims[i];
  return n;
}

}  // namespace

std::string first_names(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 5; ++i) {
    if (i != 0) text += ", ";
    text += excerpt(names[i]);
  }
  return names.size() > 5 ? text + format(" and %zu more", names.size() - 5) : text;
}

LoraFile::LoraFile(std::shared_ptr<const TensorFile> file) : file_(std::move(file)) {
  collect();
  std::vector<std::string> incomplete;
  for (auto& [name, module] : modules_) {
    if (module.down == nullptr || module.up == nullptr) incomplete.push_back(name);
  }
  if (modules_.empty() || !incomplete.empty()) {
    throw Error(
        Code::kModelMismatch,
        format("%s: LoRA: expected both low-rank factors of every layer, found %s", name().c_str(),
               modules_.empty() ? "no tensors" : first_names(incomplete).c_str()));
  }
  for (auto& [module_name, module] : modules_) check(module_name, module);
  const LoraAdapter adapter(name(), file_->metadata());
  for (auto& [module_name, module] : modules_) {
    if (module.alpha == nullptr) module.scale = adapter.scale(module_name, module.rank);
  }
}

void LoraFile::collect() {
  std::vector<std::string> unknown;
  for (const auto& [name, info] : file_->tensors()) {
    for (const OtherMethod& other : kOtherMethods) {
      if (name.find(other.mark) == std::string::npos) continue;
      throw Error(Code::kUnsupported,
                  format("%s: LoRA: expected low-rank factors only, found %s (%s)",
                         this->name().c_str(), other.name, excerpt(name).c_str()));
    }
    const Part* part = part_of(name);
    if (part == nullptr) {
      unknown.push_back(name);
      continue;
    }
    const std::string module = name.substr(0, name.size() - std::string_view(part->ending).size());
    const TensorInfo*& place = modules_[module].*(part->member);
    if (place != nullptr) {
      throw Error(Code::kModelMismatch,
                  format("%s: LoRA: tensors \"%s\" and \"%s\" mean the same", this->name().c_str(),
                         excerpt(place->name).c_str(), excerpt(name).c_str()));
    }
    place = &info;
  }
  if (unknown.empty()) return;
  throw Error(Code::kModelMismatch,
              format("%s: LoRA: expected names that end with lora_A.weight, lora_down.weight, "
                     "their partners or alpha, found %zu others (%s)",
                     name().c_str(), unknown.size(), first_names(unknown).c_str()));
}

void LoraFile::check(const std::string& module_name, LoraModule& m) const {
  for (const TensorInfo* t : {m.down, m.up, m.alpha}) {
    if (t == nullptr) continue;
    if (t->dtype && is_float(*t->dtype) && !is_fp8(*t->dtype)) continue;
    throw Error(Code::kUnsupported,
                format("%s: LoRA: \"%s\": expected F32, F16 or BF16, found %s", name().c_str(),
                       excerpt(t->name).c_str(), excerpt(t->dtype_name).c_str()));
  }
  const auto matrix = [](const TensorInfo& t) {
    return (t.dims.size() == 2 || t.dims.size() == 4) &&
           std::all_of(t.dims.begin(), t.dims.end(), [](std::int64_t d) { return d > 0; });
  };
  if (!matrix(*m.down) || !matrix(*m.up) || columns_of(*m.up) != m.down->dims[0]) {
    throw Error(
        Code::kModelMismatch,
        format("%s: LoRA: \"%s\": expected factors [rank, in] and [out, rank], found [%lld, %lld] "
               "and [%lld, %lld]",
               name().c_str(), excerpt(module_name).c_str(),
               static_cast<long long>(m.down->dims.empty() ? 0 : m.down->dims[0]),
               static_cast<long long>(columns_of(*m.down)),
               static_cast<long long>(m.up->dims.empty() ? 0 : m.up->dims[0]),
               static_cast<long long>(columns_of(*m.up))));
  }
  m.rank = m.down->dims[0];
  if (m.alpha == nullptr) return;
  const std::vector<float> alpha = values(*m.alpha);
  if (alpha.size() != 1 || alpha[0] <= 0) {
    throw Error(Code::kCorruptFile,
                format("%s: LoRA: \"%s\": expected one value above 0, found %zu values, the first "
                       "%g",
                       name().c_str(), excerpt(m.alpha->name).c_str(), alpha.size(),
                       alpha.empty() ? 0.0 : static_cast<double>(alpha[0])));
  }
  m.scale = alpha[0] / static_cast<float>(m.rank);
}

std::vector<float> LoraFile::values(const TensorInfo& tensor) const {
  const std::vector<std::byte> bytes = file_->read(tensor);
  std::vector<float> result(bytes.size() / size_of(*tensor.dtype));
  decode_to_f32(*tensor.dtype, bytes.data(), result.data(), result.size());
  for (const float v : result) {
    if (std::isfinite(v)) continue;
    throw Error(Code::kCorruptFile,
                format("%s: LoRA: \"%s\": expected finite values, found %g", name().c_str(),
                       excerpt(tensor.name).c_str(), static_cast<double>(v)));
  }
  return result;
}

std::string LoraFile::digest() const {
  Sha256 sha;
  for (const auto& [tensor_name, info] : file_->tensors()) {
    std::string header = tensor_name;
    header.append(1, ' ').append(info.dtype_name);
    for (const std::int64_t d : info.dims) header.append(1, ' ').append(std::to_string(d));
    sha.update(std::as_bytes(std::span(header)));
    sha.update(file_->read(info));
  }
  for (const auto& [module_name, module] : modules_) {
    sha.update(std::as_bytes(std::span(&module.scale, 1)));
  }
  return sha.finish_hex();
}

}  // namespace octet
