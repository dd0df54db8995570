// The index of a sharded component: "<stem>.safetensors.index[.<variant>].json" or
// "<stem>.<variant>.safetensors.index.json", with {"weight_map": {tensor: shard}}.
//
// Errors: Error(kCorruptFile) for an index that cannot be read, Error(kModelMismatch) naming what
// it lists and what is there.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/files.h"
#include "checkpoint/tensor_file.h"

namespace octet {

/// The index of one variant, empty when there is none. `stem` with the component's folder:
/// "transformer/diffusion_pytorch_model".
[[nodiscard]] std::string find_shard_index(const FileSet& files, const std::string& stem,
                                           const std::string& variant);

/// Refuses unless `shards` (names in `files`, opened as `opened`) are exactly those that the index
/// lists, beside it, each with exactly the tensors that it lists there.
void check_shard_index(const FileSet& files, const std::string& index,
                       const std::vector<std::string>& shards, const TensorFiles& opened);

}  // namespace octet
