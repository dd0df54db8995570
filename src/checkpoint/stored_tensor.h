// What a checkpoint stores, between files and models.
//
// A StoredTensor is one tensor of a file with the scales that belong to it. A CanonicalTensor is
// what a model asks for: rows of stored tensors, put one under the other. Nothing is copied until
// a WeightReader reads it. Plain values; they point into TensorFiles, which must outlive them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/tensor_file.h"

namespace octet {

/// A tensor and where it lies.
struct TensorRef {
  const TensorFile* file = nullptr;
  const TensorInfo* info = nullptr;
};

/// By name, as in the files but without the prefix of the component.
using NamedTensors = std::map<std::string, TensorRef>;

struct StoredTensor {
  TensorRef data;
  std::optional<TensorRef> weight_scale, input_scale;
  bool unit_input_scale_is_none = false;  // a stored 1.0 means "not calibrated"
  std::int64_t block = 0;                 // side of the scale blocks, where the scale has blocks
  std::string wide_inputs;  // why the file wants this layer's inputs in 16 bits; empty: it does not
};

/// Rows of one stored tensor.
struct Piece {
  const StoredTensor* tensor = nullptr;
  RowRange rows;
};

struct CanonicalTensor {
  std::string stored_name;  // for messages
  std::vector<std::int64_t> dims;
  std::vector<Piece> pieces;  // one under the other
  bool transposed = false;    // one piece [in, out] that is asked for as [out, in]
};

}  // namespace octet
