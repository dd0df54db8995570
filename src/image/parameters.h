// What a picture was made from, as text inside its file.
//
// Two texts are written into a PNG. "parameters" is what other programs show and read: the prompt,
// a line "Negative prompt: ...", and one line "Steps: 20, Sampler: Euler, ..." in the form known
// from AUTOMATIC1111's web UI. That form is ambiguous when a prompt contains such lines, so "octet"
// holds the same values as one JSON object, from which any prompt comes back exactly; reading
// prefers it. Every field is optional: what is missing is left to the model's default.
//
// To add a field: one member and one row in parameters.cc. Thread-safety: pure functions.
// Errors: Error(kCorruptFile) naming the field that cannot be read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "image/image.h"

namespace octet {

struct PictureSize {
  int width = 0;
  int height = 0;
  bool operator==(const PictureSize&) const = default;
};

struct PictureParameters {
  std::string prompt;
  std::string negative_prompt;
  std::optional<int> steps;
  std::optional<std::string> sampler, schedule;  // Octet's names: "dpmpp_2m", "sgm_uniform"
  std::optional<float> guidance;
  std::optional<std::uint64_t> seed;
  std::optional<PictureSize> size;
  std::optional<std::string> model, model_hash, variant;
  std::optional<float> shift;
  std::optional<double> strength;                   // of a picture that began with another one
  std::optional<std::string> init_hash, mask_hash;  // SHA-256 of the files that it began with
  std::optional<std::vector<int>> skip_layers;      // never empty
  std::optional<float> skip_scale, skip_start, skip_end;
  std::optional<int> t5_length;
  std::optional<std::vector<std::string>> loras;  // "FILE:WEIGHT", never empty
  std::optional<std::string> compat, compute, version;

  bool operator==(const PictureParameters&) const = default;
};

/// The texts to give to encode().
[[nodiscard]] std::vector<PngText> picture_texts(const PictureParameters& parameters);
/// Reads them back out of a PNG's texts, or out of the XMP of a JPEG or WebP (provenance.h); empty
/// when there are none. `name` is for messages.
[[nodiscard]] std::optional<PictureParameters> read_picture_parameters(
    std::span<const std::byte> bytes, const std::string& name);

/// The two forms by themselves.
[[nodiscard]] std::string parameters_to_text(const PictureParameters& parameters);
[[nodiscard]] PictureParameters parameters_from_text(std::string_view text);
[[nodiscard]] std::string parameters_to_json(const PictureParameters& parameters);
[[nodiscard]] PictureParameters parameters_from_json(std::string_view json);

/// The name shown in texts for a sampler or schedule ("dpmpp_2m": "DPM++ 2M"), itself if unknown;
/// and back.
[[nodiscard]] std::string display_name(const std::string& name);
[[nodiscard]] std::string internal_name(const std::string& display);

}  // namespace octet
