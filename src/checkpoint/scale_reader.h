// Reading the scales of rows of a weight: values checked, blocks refined to where rows were cut.
//
// Internal to src/checkpoint. Errors: Error(kCorruptFile) for values that cannot be,
// Error(kModelMismatch) for shapes, Error(kUnsupported) for dtypes; messages name the scale.
#pragma once

#include <string>

#include "backend/weight.h"
#include "checkpoint/stored_tensor.h"

namespace octet {

/// The scales of some rows, as HostWeight holds them.
struct RowScales {
  ScaleKind kind = ScaleKind::kNone;
  std::vector<float> values;
  std::int64_t block = 0;  // kBlock: side of the squares
};

/// Checks shape against the weight's from the headers alone; kNone without a scale.
[[nodiscard]] ScaleKind scale_kind(const std::string& component, const StoredTensor& weight);

/// The scales of `rows`. Blocks that the rows' borders cut are refined to smaller squares.
[[nodiscard]] RowScales read_scales(const std::string& component, const StoredTensor& weight,
                                    RowRange rows);
/// Scales of rows put under each other: `total` rows so far, `rows` more of `columns` each.
void append_scales(RowScales& joint, std::int64_t total, RowScales more, std::int64_t rows,
                   std::int64_t columns);

/// The static scale of the inputs; empty: none, inputs are scaled as they come.
[[nodiscard]] std::optional<float> read_input_scale(const std::string& component,
                                                    const StoredTensor& weight);

}  // namespace octet
