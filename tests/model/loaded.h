// Loading a tiny model on a backend, with the strict end of reading.
#pragma once

#include "model/layers.h"
#include "support/tiny_models.h"

namespace octet::test {

template <typename Model, typename... Options>
Model load_tiny(Backend& backend, const TensorMap& tensors, Compute compute,
                const Options&... options) {
  WeightReader reader = reader_of("component", {tensors});
  Model model(Loader(reader, backend, compute), options...);
  reader.finish();
  return model;
}

}  // namespace octet::test
