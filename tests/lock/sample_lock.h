// A lock with every kind of entry, and names that need care in TOML.
#pragma once

#include "lock/model_lock.h"

namespace octet::test {

inline ModelLock sample_lock() {
  ModelLock lock;
  lock.engine = "0.1.0";
  lock.numerics = 3;
  lock.layout = "diffusers folder";
  lock.variant = "fp8";
  lock.files = {
      {.name = "model_index.json", .size = 12, .sha256 = std::string(64, 'a')},
      {.name = "odd \"na\\me\"\n\x7f\xc3\xa9.json", .size = 0, .sha256 = std::string(64, 'b')},
      {.name = "transformer/w.safetensors",
       .size = (std::uint64_t{1} << 62) + 1,
       .sha256 = std::string(64, '1'),
       .header_sha256 = std::string(64, '2'),
       .dtypes = {{.dtype = "BF16", .tensors = 2, .bytes = 8},
                  {.dtype = "F8_E4M3", .tensors = 3, .bytes = 700}}}};
  lock.components = {{.name = "transformer",
                      .variant = "fp8",
                      .dtypes = "F8_E4M3, BF16",
                      .scales = "per row (3 weights)",
                      .tensors = 5,
                      .bytes = 708}};
  lock.tokenizers = {{.name = "tokenizer", .sha256 = std::string(64, 'c')}};
  lock.loras = {{.name = "lora/1/style.safetensors", .weight = "0.8"}};
  return lock;
}

}  // namespace octet::test
