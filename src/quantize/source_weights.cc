#include "quantize/source_weights.h"

#include <algorithm>

#include "base/check.h"
#include "base/sha256.h"
#include "quantize/layer_roles.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

constexpr const char* kComponent = "transformer";

void hash_file(Sha256& hash, const ByteSource& source) {
  constexpr std::uint64_t kChunk = std::uint64_t{1} << 20;
  std::vector<std::byte> buffer(kChunk);
  for (std::uint64_t at = 0; at < source.size(); at += kChunk) {
    const std::span<std::byte> part =
        std::span(buffer).first(static_cast<std::size_t>(std::min(kChunk, source.size() - at)));
    source.read(at, part);
    hash.update(part);
  }
}

}  // namespace

std::string choose_source(const ModelFolder& folder, const std::optional<std::string>& asked) {
  const Variants all = folder.variants(kComponent);
  if (asked && all.count(*asked) != 0) return *asked;
  for (const char* name : {"", "fp16", "bf16", "fp32"}) {
    if (!asked && all.count(name) != 0) return name;
  }
  std::string found;
  for (const auto& [name, files] : all) {
    found += (found.empty() ? "" : ", ") + (name.empty() ? "(unnamed)" : name);
  }
  throw Error(
      Code::kModelMismatch,
      format("variant: %s: expected %s to quantise, found %s", folder.files().location().c_str(),
             asked ? excerpt(*asked).c_str() : "a 16- or 32-bit transformer",
             found.empty() ? "none" : found.c_str()));
}

SourceWeights::SourceWeights(const ModelFolder& folder, const std::string& variant)
    : reader_(folder.open(kComponent, variant)), tensors_(reader_.tensors()) {
  for (const auto& [name, info] : tensors_) {
    if (info.dtype && is_float(*info.dtype) && !is_fp8(*info.dtype)) continue;
    throw Error(Code::kModelMismatch,
                format("%s: tensor \"%s\": expected F32, F16 or BF16 to quantise, found %s",
                       kComponent, excerpt(name).c_str(), excerpt(info.dtype_name).c_str()));
  }
  const auto bytes = reader_.dtype_bytes();
  if (!bytes.empty()) stored_ = bytes[0].first;
  Sha256 hash;
  const Variants all = folder.variants(kComponent);
  for (const std::string& file : all.at(variant)) hash_file(hash, *folder.files().open(file));
  digest_ = hash.finish_hex();
}

std::map<std::string, std::string> SourceWeights::names() const {
  std::map<std::string, std::string> names;
  for (const auto& [name, info] : tensors_) {
    if (group_of(layer_of(name)).front() == layer_of(name)) names.emplace(info.name, name);
  }
  return names;
}

HostWeight SourceWeights::tensor(const std::string& name) const {
  HostWeight w = reader_.tensor(name);
  if (w.scale_kind == ScaleKind::kNone && !w.input_scale) return w;
  throw Error(Code::kModelMismatch, format("transformer: tensor \"%s\": expected no scales to "
                                           "quantise, found some",
                                           excerpt(name).c_str()));
}

HostWeight SourceWeights::group(const std::string& layer) const {
  HostWeight joint;
  for (const std::string& member : group_of(layer)) {
    HostWeight part = tensor(member + ".weight");
    const HostWeight bias = tensor(member + ".bias");
    part.bias.resize(static_cast<std::size_t>(bias.dims.at(0)));
    decode_to_f32(bias.dtype, bias.data.data(), part.bias.data(), part.bias.size());
    if (joint.data.empty()) {
      joint = std::move(part);
      continue;
    }
    if (part.dtype != joint.dtype || part.dims.at(1) != joint.dims.at(1)) {
      throw Error(Code::kModelMismatch,
                  format("tensor \"%s\": expected dtype and width of \"%s\", found others",
                         part.name.c_str(), joint.name.c_str()));
    }
    joint.dims[0] += part.dims.at(0);
    joint.data.insert(joint.data.end(), part.data.begin(), part.data.end());
    joint.bias.insert(joint.bias.end(), part.bias.begin(), part.bias.end());
  }
  return joint;
}

}  // namespace octet
