#include "checkpoint/lora_patch.h"

#include <charconv>
#include <cmath>
#include <set>

#include "base/check.h"

namespace octet {
namespace {

int count_blocks(const std::vector<std::string>& layers) {
  const std::string prefix = "transformer_blocks.";
  int blocks = 0;
  for (const std::string& layer : layers) {
    if (!layer.starts_with(prefix)) continue;
    int n = -1;
    std::from_chars(layer.data() + prefix.size(), layer.data() + layer.size(), n);
    blocks = std::max(blocks, n + 1);
  }
  return blocks;
}

}  // namespace

LoraPatch::LoraPatch(std::string component, std::vector<WeightedLora> loras,
                     const std::vector<std::string>& layers, ThreadPool& pool)
    : component_(std::move(component)), loras_(std::move(loras)), pool_(pool) {
  const int blocks = count_blocks(layers);
  for (std::size_t i = 0; i < loras_.size(); ++i) claim(i, layers, blocks);
}

void LoraPatch::claim(std::size_t index, const std::vector<std::string>& layers, int blocks) {
  const LoraFile& file = *loras_[index].file;
  std::set<std::string> claimed;
  for (const std::string& layer : layers) {
    std::string first;
    for (LoraName& place : lora_names(component_, layer, blocks)) {
      const std::string module = place.name;
      if (file.modules().count(module) == 0 || module == first) continue;
      if (!first.empty()) {
        throw Error(
            Code::kModelMismatch,
            format("%s: LoRA: \"%s\" and \"%s\" mean the same layer of the %s", file.name().c_str(),
                   excerpt(first).c_str(), excerpt(module).c_str(), component_.c_str()));
      }
      first = module;
      claimed.insert(module);
      hits_[layer].push_back({.lora = index, .module = module, .place = std::move(place)});
      applied_[layer] = false;
    }
  }
  std::vector<std::string> unknown;
  for (const auto& [module, parts] : file.modules()) {
    if (claimed.count(module) == 0 && lora_component(module) == component_) {
      unknown.push_back(module);
    }
  }
  if (unknown.empty()) return;
  throw Error(
      Code::kModelMismatch,
      format("%s: LoRA: expected layers of this %s, found %zu others (%s)", file.name().c_str(),
             component_.c_str(), unknown.size(), first_names(unknown).c_str()));
}

LowRankChange LoraPatch::change(const Hit& hit, const std::string& layer, std::int64_t rows,
                                std::int64_t columns) const {
  const WeightedLora& lora = loras_[hit.lora];
  const LoraModule& module = lora.file->modules().at(hit.module);
  const std::int64_t all_rows = rows * hit.place.parts;
  LowRankChange c{.first_row = 0, .rows = rows, .rank = module.rank, .up = {}, .down = {}};
  c.down = lora.file->values(*module.down);
  const std::vector<float> up = lora.file->values(*module.up);
  if (c.down.size() != static_cast<std::size_t>(c.rank * columns) ||
      up.size() != static_cast<std::size_t>(all_rows * c.rank)) {
    throw Error(
        Code::kModelMismatch,
        format("%s: LoRA: \"%s\": expected [%lld, %lld] for layer %s of the %s, found [%lld, %lld]",
               lora.file->name().c_str(), excerpt(hit.module).c_str(),
               static_cast<long long>(all_rows), static_cast<long long>(columns), layer.c_str(),
               component_.c_str(), static_cast<long long>(up.size()) / c.rank,
               static_cast<long long>(c.down.size()) / c.rank));
  }
  const float scale = lora.weight * module.scale;
  c.up.reserve(static_cast<std::size_t>(rows * c.rank));
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t source = hit.place.part * rows + row;
    if (hit.place.swapped) source = row < rows / 2 ? row + rows / 2 : row - rows / 2;
    for (std::int64_t k = 0; k < c.rank; ++k) {
      c.up.push_back(scale * up[static_cast<std::size_t>(source * c.rank + k)]);
    }
  }
  return c;
}

void LoraPatch::apply(HostWeight& weight, std::span<const std::string> layers) {
  const auto rows = weight.dims[0] / static_cast<std::int64_t>(layers.size());
  std::int64_t columns = 1;
  for (std::size_t i = 1; i < weight.dims.size(); ++i) columns *= weight.dims[i];
  std::vector<LowRankChange> changes;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto hits = hits_.find(layers[i]);
    if (hits == hits_.end()) continue;
    applied_[layers[i]] = true;
    for (const Hit& hit : hits->second) {
      changes.push_back(change(hit, layers[i], rows, columns));
      changes.back().first_row = static_cast<std::int64_t>(i) * rows;
    }
  }
  if (changes.empty()) return;
  if (!weight.deferred.empty()) {
    weight.data = read_all(weight.deferred);
    weight.deferred.clear();
  }
  const RoundingError error = merge_low_rank(weight, changes, pool_);
  if (!std::isfinite(error.error) || !std::isfinite(error.value)) {
    throw Error(Code::kModelMismatch,
                format("LoRA: %s: expected values that %s holds, found larger ones after the merge",
                       excerpt(weight.name).c_str(), name_of(weight.dtype)));
  }
  RoundingError& sum = errors_[safetensors_name(weight.dtype)];
  sum.error += error.error;
  sum.value += error.value;
}

void LoraPatch::finish() const {
  std::vector<std::string> left;
  for (const auto& [layer, done] : applied_) {
    if (!done) left.push_back(layer);
  }
  if (left.empty()) return;
  throw Error(
      Code::kUnsupported,
      format("LoRA: %s: expected changes of linear and convolution layers, found %zu others "
             "(%s)",
             component_.c_str(), left.size(), first_names(left).c_str()));
}

int LoraPatch::layers_of(std::size_t index) const {
  int count = 0;
  for (const auto& [layer, hits] : hits_) {
    for (const Hit& hit : hits) count += hit.lora == index ? 1 : 0;
  }
  return count;
}

}  // namespace octet
