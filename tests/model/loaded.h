// Loading a tiny model on a backend, with the strict end of reading.
#pragma once

#include <gtest/gtest.h>

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

/// Runs `action` and checks that it took nothing from the arena for good.
template <typename Action>
void expect_gives_back(Arena& arena, Action&& action) {
  const auto next = [&] {
    const Arena::Scope scope(arena);
    return arena.tensor(DType::kU8, {1}).data;
  };
  const void* before = next();
  action();
  EXPECT_EQ(next(), before) << "memory is left in the arena";
}

}  // namespace octet::test
