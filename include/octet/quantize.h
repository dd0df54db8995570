// Making and judging FP8 variants of a model's transformer.
//
//   octet::QuantizeOptions o{.model = "path", .calibration = prompts, .holdout = others,
//                            .out = "path/transformer/diffusion_pytorch_model.fp8.safetensors"};
//   octet::QuantizeReport r = octet::quantize(o, {});
//
// The source draws the calibration prompts and every input of every large linear layer is watched;
// weights become E4M3 codes with scales, inputs get one static scale per layer. Then both models
// draw the held-out prompts from the same noise, and what they drew decides whether a file appears.
// docs/quantize.md explains numbers, limits and file layouts.
//
// Thread-safety: pure functions besides files and threads of their own. Errors: octet::Error; a
// gate that is not passed is no error here but stands in the report (failures).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "octet/engine.h"

namespace octet {

/// One scale for each output channel of a weight, or one for the whole weight.
enum class WeightScale : std::uint8_t { kRow, kTensor };
/// A variant file for a diffusers folder, or a single file for ComfyUI (scales per tensor only).
enum class Fp8Layout : std::uint8_t { kDiffusers, kComfyUi };

/// What a result must keep to. The first three are means over the held-out pictures.
struct GateLimits {
  double psnr = 28.0;          // dB, at least
  double ssim = 0.94;          // at least
  double gmsd = 0.08;          // at most
  double weight_error = 0.10;  // at most, of the worst row of any layer: relative L2
  double layer_error = 0.15;   // at most, of any layer's output: relative L2
  double saturated = 1e-3;     // at most: share of a layer's inputs beyond its range
  double range_low = 0.125;    // at least: end of a layer's range / largest input seen
  double range_high = 4.0;     // at most
};

struct QuantizeOptions {
  std::string model;                   // a diffusers folder or a single file
  ModelParts parts;                    // with a single file
  std::optional<std::string> variant;  // of the source; empty: the 16-bit or FP32 one that is there
  std::string lock;                    // lock file that the source must match; empty: none
  std::vector<std::string> calibration, holdout;  // prompts
  std::string out;                                // the file to write
  std::string candidate;  // judge this file instead of making one; calibration and out are unused

  Fp8Layout layout = Fp8Layout::kDiffusers;
  WeightScale weight_scale = WeightScale::kRow;
  std::optional<double> percentile;  // of |input| that the static scale covers; empty: the largest
  bool modulation_fp8 = false;       // modulation weights in FP8 too; their inputs stay 16-bit
  double block_error = 0.10;         // a block with a layer of a larger error stays in 16 bit

  std::optional<int> calibration_steps, gate_steps;  // empty: the model's
  std::optional<int> width, height;                  // of all pictures; empty: the model's
  std::uint64_t seed = 0;                            // of the first picture; the next has one more
  int threads = 0;

  GateLimits limits;
  bool accept_quality_loss = false;
};

enum class QuantizeStage : std::uint8_t { kCalibrate, kQuantize, kReference, kJudge };
[[nodiscard]] const char* name_of(QuantizeStage stage);

struct QuantizeProgress {
  QuantizeStage stage;
  int done, total;  // denoising steps, or layers
  double seconds;   // since the stage began
};

struct QuantizeHooks {
  /// Returns false to cancel: Error(kCancelled). May be empty.
  std::function<bool(const QuantizeProgress&)> progress;
};

/// A linear layer that may be quantised; q, k and v of an attention count as one.
struct LayerReport {
  std::string name;                  // "transformer_blocks.0.attn.to_q" (with to_k and to_v)
  bool quantised = false;            // false: its block was kept in 16 bit
  double calibration_error = 0;      // relative L2 of the output on calibration inputs, as FP8
  double weight_error = 0;           // relative L2 of the worst row
  double output_error = 0;           // relative L2 of the output on held-out inputs
  float amax = 0;                    // largest |input| while calibrating
  float percentile = 0;              // of |input|, options' percentile or 99.99
  std::optional<float> input_scale;  // static; empty: per token
  float held_out_amax = 0;           // largest |input| of the source on held-out prompts
  std::uint64_t inputs = 0;          // values seen there
  std::uint64_t saturated = 0;       // of them beyond 448 * input_scale
};

/// A held-out picture of the candidate, compared with the source's.
struct PictureReport {
  std::string prompt;
  std::uint64_t seed = 0;
  double psnr = 0, ssim = 0, gmsd = 0;
};

struct QuantizeReport {
  std::string source;         // what was quantised: variant and stored dtype
  std::string source_digest;  // SHA-256 of the transformer's files
  std::vector<LayerReport> layers;
  std::vector<PictureReport> pictures;
  double psnr = 0, ssim = 0, gmsd = 0;  // means
  std::vector<int> kept_blocks;
  std::vector<std::string> failures;  // limits that were not kept, one line each; empty: passed
  std::string file;                   // judged; written if `written`
  std::uint64_t file_bytes = 0;
  bool written = false;
  std::string json;  // all of this as one object, as it stands in the file's metadata
};

[[nodiscard]] QuantizeReport quantize(const QuantizeOptions& options, const QuantizeHooks& hooks);

}  // namespace octet
