// What a caller asks for and what comes back. Plain values; no CUDA, JSON or HTTP in here.
//
// Every optional field that is left empty takes the model's own default; GenerateResult::used
// reports what was used. Validation happens in Engine::generate and throws
// Error(kInvalidArgument) naming the field.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace octet {

/// Whose habits to follow where implementations differ: T5 length, padding and truncation, a
/// missing T5, long CLIP prompts, rounding to bytes.
enum class Compat : std::uint8_t { kDiffusers, kComfyUi, kReference };

/// FP32 values with their dimensions, row-major.
struct FloatArray {
  std::vector<std::int64_t> dims;
  std::vector<float> values;
};

/// A picture to begin with: 8-bit sRGB, rows from top to bottom, no padding. Of any size: it is
/// resized to the size that is drawn (Lanczos, sides independent of each other).
struct InitPicture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  // width*height*3
};

/// Where the picture may change: from 128 up it is drawn anew, below 128 it is kept. Resized like
/// the picture. (A1111's white; the transparent part of an OpenAI mask is 255 here.)
struct InitMask {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> values;  // width*height
};

struct GenerateRequest {
  std::string prompt;                   // UTF-8
  std::string negative_prompt;          // UTF-8; encoded normally when empty
  std::optional<int> steps;             // 1..1000
  std::optional<float> guidance;        // classifier-free guidance scale; <= 1 means without
  std::optional<float> shift;           // sigma shift, > 0
  std::optional<std::uint64_t> seed;    // image i uses seed + i; empty: drawn and reported
  std::optional<int> width, height;     // pixels, multiples of 16; default: init's, rounded
  int batch = 1;                        // pictures of this prompt
  std::optional<std::string> sampler;   // a name of kSamplers
  std::optional<std::string> schedule;  // a name of kSchedules
  std::vector<int> skip_layers;         // blocks that skip-layer guidance skips; empty: off
  std::optional<float> skip_scale;      // skip-layer guidance scale, default 2.8
  std::optional<float> skip_start;      // active for start*steps < i < end*steps; default 0.01
  std::optional<float> skip_end;        // default 0.2
  std::optional<int> t5_length;         // T5 tokens; see Compat for the default
  Compat compat = Compat::kDiffusers;
  std::optional<FloatArray> noise;  // [batch, C, H/8, W/8] instead of the seed's
  std::optional<InitPicture> init;  // image to image
  std::optional<InitMask> mask;     // inpainting; needs init
  std::optional<double> strength;   // how much of init changes, above 0 to 1; default 0.6
  bool dump_steps = false;          // also dump latents.0, latents.1, ...
};

enum class Stage : std::uint8_t { kInit, kText, kModulation, kDenoise, kDecode };

/// Sent after each unit of work; kInit only for requests with a picture. `step` counts from 1; only
/// kDenoise has several.
struct Progress {
  Stage stage;
  int step;
  int steps;
  double seconds;  // since the stage began
};

struct Picture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  // width*height*3
  std::uint64_t seed = 0;
};

/// The request with every default filled in.
struct UsedSettings {
  int steps = 0;
  int run_steps = 0;      // that run: `steps`, or fewer from an init picture
  int skipped_steps = 0;  // of the schedule, before those: 0 but from an init picture
  double strength = 0;    // 0: no init picture
  float guidance = 0;
  float shift = 0;
  std::uint64_t seed = 0;
  int width = 0;
  int height = 0;
  std::string sampler;
  std::string schedule;
  float skip_scale = 0, skip_start = 0, skip_end = 0;
  int t5_length = 0;  // 0: no T5 rows
};

/// Called on the generating thread. All members may be empty.
struct GenerateHooks {
  /// Returns false to cancel: generate throws Error(kCancelled) within one step.
  std::function<bool(const Progress&)> progress;
  /// Receives prompt_embeds, pooled_prompt_embeds, their negative_ twins, noise, latents, image
  /// [B,3,H,W] in 0..1, with init init_latents and, with dump_steps, latents.N.
  std::function<void(const std::string& name, FloatArray value)> dump;
  /// Receives each picture as soon as it is decoded, so that another thread can encode it while the
  /// next one is. It stays where it is for as long as the result lives.
  std::function<void(const Picture& picture, const UsedSettings& used)> picture;
};

struct StageSeconds {
  double init = 0;  // encoding the init picture
  double text = 0;
  double modulation = 0;  // adaLN vectors of all steps
  double denoise = 0;     // the steps
  double decode = 0;
};

struct GenerateResult {
  std::vector<Picture> pictures;
  UsedSettings used;
  StageSeconds seconds;
  std::size_t activation_peak_bytes = 0;
  std::vector<std::string> warnings;  // one line each, for example a truncated prompt
};

}  // namespace octet
