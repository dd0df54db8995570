// Engine: a loaded model on a device, ready to generate pictures.
//
//   octet::Engine engine(octet::EngineOptions{.model = "emoji"});
//   octet::GenerateResult r = engine.generate({.prompt = "a red apple"}, {});
//
// Ownership: the engine owns weights, device memory and threads. Thread-safety: one thread at a
// time. Errors: octet::Error; see error.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "octet/batch.h"
#include "octet/profile.h"
#include "octet/request.h"

namespace octet {

/// Low-rank changes of the model's weights, merged while they are loaded.
struct LoraOption {
  std::string path;  // safetensors, in the names of diffusers, kohya or ComfyUI
  float weight = 1;
};

/// Paths of what a single-file model does not hold itself; empty: not given.
struct ModelParts {
  std::string folder;  // text encoders and VAE are looked for in here
  std::string clip_l, clip_g, t5, vae;
  std::string t5_tokenizer;  // spiece.model or tokenizer.json of google/t5-v1_1-xxl
  bool operator==(const ModelParts&) const = default;
};

/// Bytes read so far and in all; false cancels. May be empty.
using ByteHook = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// Which weights wait in host memory until they are needed: none, the text encoders, or also the
/// modulation and as much of the transformer's blocks as there is no room for.
enum class Offload : std::uint8_t { kNone, kText, kAll };

struct MemoryOptions {
  std::string offload = "auto";  // "auto", "none", "text", "all"
  std::string limit;             // of device memory, everything included: "7.5GB"; empty: none
  GenerateRequest request{.prompt = "x", .negative_prompt = "x"};  // whose size is planned for
};

struct EngineOptions {
  std::string model = "emoji";        // a built-in name, a diffusers folder or a single file
  ModelParts parts;                   // with a single file
  std::optional<std::string> preset;  // "large", "large-turbo", "medium"; empty: as the model says
  std::string fp8_scheme =
      "auto";  // "plain": FP8 without scales is a plain cast, whatever its codes
  std::optional<std::string> variant;  // "fp8", "fp16", "bf16", "fp32"; empty: what is there
  std::string device = "auto";         // "auto", "cpu", "cuda", "cuda:1"
  std::string compute = "auto";        // "auto", "f32", "bf16", "w8a16", "fp8"
  int threads = 0;                     // CPU threads; 0: all that this process may use
  std::vector<LoraOption> loras;       // added up
  std::string lock;                    // lock file (lock.h) that the model must match; empty: none
  bool lock_full = false;              // in every byte, not only in sizes, headers and small files
  MemoryOptions memory;                // of the device
  ByteHook reading;                    // told how far the reading of weights is
};

/// Bytes of one stored dtype.
struct StoredBytes {
  std::string dtype;  // "F8_E4M3"
  std::uint64_t bytes = 0;
};

/// One part of the pipeline as it was loaded.
struct ComponentInfo {
  std::string name;                           // "transformer", "text_encoder", ..., "vae"
  std::string variant;                        // label of its files; empty: they carry none
  std::string layout;                         // whose names: "diffusers"; and FP8 scheme
  std::string architecture;                   // "sd3.5-large-like MMDiT, 5 blocks, width 320"
  std::string stored;                         // dtype of most of its weights in the file
  std::string compute;                        // in which numbers it computes
  std::string reason;                         // why the two differ; empty if they do not
  std::size_t bytes = 0;                      // memory held by its weights
  std::int64_t tensors = 0;                   // in its files
  std::vector<StoredBytes> dtypes;            // most bytes first
  std::string scales;                         // of FP8 weights: "per row (36 weights)", "none"
  float lowest_scale = 0, highest_scale = 0;  // over all weight scales; 0: there are none
};

/// What became of one LoRA file.
struct LoraInfo {
  std::string path;
  float weight = 1;
  int layers = 0;  // changed by it
};

/// Weights that LoRA changed: added in FP32, stored in their own dtype again.
struct LoraMerge {
  std::string component;
  std::string stored;   // "F8_E4M3"
  double rounding = 0;  // relative error of storing the changed weights, measured
};

struct ModelInfo {
  std::string name;
  std::string path;  // folder, or "built-in"
  std::string variant;
  std::string preset;  // whose settings are the default, and why
  std::string digest;  // SHA-256 over names and contents of the model's files and its LoRA
  std::vector<ComponentInfo> components;
  std::vector<LoraInfo> loras;
  std::vector<LoraMerge> lora_merges;
  std::string device;                 // "cpu: Intel(R) ... (avx512, 2 threads)"
  std::vector<std::string> warnings;  // of its files, one line each
  std::string memory;  // what the planner chose, with its numbers; empty: nothing to plan
  double load_seconds = 0;
  UsedSettings defaults;  // of a request that asks for nothing; its seed means nothing
  int side_multiple = 0;  // pixels: sides are multiples of it, and it is the shortest
  int longest_side = 0;
};

class Engine {
 public:
  explicit Engine(const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  [[nodiscard]] const ModelInfo& model() const;
  [[nodiscard]] GenerateResult generate(const GenerateRequest& request, const GenerateHooks& hooks);
  /// A running batch of many requests (batch.h). generate() may be called between its steps.
  [[nodiscard]] std::unique_ptr<Batch> start_batch(const BatchOptions& options);
  /// Work of such a request, counted without doing it.
  [[nodiscard]] Profile count(const GenerateRequest& request) const;
  /// Runs the request with a clock around every op.
  [[nodiscard]] Profile profile(const GenerateRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Names that `model` accepts besides paths.
[[nodiscard]] std::vector<std::string> builtin_models();

}  // namespace octet
