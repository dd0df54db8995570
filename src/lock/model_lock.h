// ModelLock: what a model consists of, as far as it can be pinned down: every file with its size,
// digests and dtypes, what the parts are, and which engine and numerics looked at it.
//
// Two of them are compared: the one that a lock file holds and the one that was found. A model
// folder is locked as a whole, also the files of other variants; hidden files and "*.lock" are
// left out. Digests are SHA-256 in lower-case hexadecimal; the header digest of a weight file
// covers everything before the first tensor's bytes, so names, shapes, dtypes and metadata.
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace octet {

/// Tensors of one stored dtype.
struct DtypeCount {
  std::string dtype;  // as the file calls it: "F8_E4M3"
  std::int64_t tensors = 0;
  std::uint64_t bytes = 0;
  bool operator==(const DtypeCount&) const = default;
};

struct LockedFile {
  std::string name;  // relative to the model, with '/'
  std::uint64_t size = 0;
  std::string sha256;              // of every byte; empty: not read
  std::string header_sha256;       // empty: not a weight file
  std::vector<DtypeCount> dtypes;  // of a weight file, by name
  std::string problem;             // why it could not be read; never in a lock file
  bool operator==(const LockedFile&) const = default;
};

/// One part of the pipeline under the locked variant.
struct LockedComponent {
  std::string name;     // "transformer"
  std::string variant;  // "fp8"; empty: files without a label
  std::string dtypes;   // "F8_E4M3, BF16": by bytes, most first
  std::string scales;   // "per row (36 weights)", "none"
  std::int64_t tensors = 0;
  std::uint64_t bytes = 0;
  bool operator==(const LockedComponent&) const = default;
};

/// The files that make one tokenizer, together.
struct LockedTokenizer {
  std::string name;
  std::string sha256;
  bool operator==(const LockedTokenizer&) const = default;
};

/// A LoRA that the model is used with; its bytes are those of the file of that name.
struct LockedLora {
  std::string name;    // "lora/1/style.safetensors"
  std::string weight;  // "0.8"
  bool operator==(const LockedLora&) const = default;
};

struct ModelLock {
  std::string engine;         // version of Octet
  std::int64_t numerics = 0;  // kNumericsVersion
  std::string layout;         // "diffusers folder"
  std::string variant;        // that was asked for or chosen
  std::vector<LockedFile> files;
  std::vector<LockedComponent> components;
  std::vector<LockedTokenizer> tokenizers;
  std::vector<LockedLora> loras;
  bool operator==(const ModelLock&) const = default;
};

/// One line for each thing that differs, naming what was locked and what was found; empty when
/// nothing does. A digest that `found` left empty was not computed and is not compared.
[[nodiscard]] std::vector<std::string> differences(const ModelLock& locked, const ModelLock& found);

}  // namespace octet
