// The bodies of POST /sdapi/v1/txt2img and /img2img, as far as they mean something here.
//
// Thread-safety: plain values. Errors: none; the binder checks (fields.h).
#pragma once

#include <string>
#include <vector>

#include "api/fields.h"
#include "octet/request.h"

namespace octet::api {

inline constexpr std::size_t kA1111PictureBytes = std::size_t{32} << 20;  // of a body

struct Txt2Img {
  GenerateRequest request;
  std::string sampler, sampler_index, scheduler;
  std::optional<float> cfg;
  std::int64_t seed = -1;
  int iterations = 1;
  bool send_images = true;
  std::string model;  // of override_settings
  std::vector<Field> settings;
};

struct Img2Img : Txt2Img {
  std::vector<std::string> pictures;
  std::optional<std::string> mask;
  std::optional<double> strength;
  int resize_mode = 0;  // 0 each side by itself, 1 cut, 2 filled, 3 as 0
  std::optional<int> fill;
  int invert = 0;
  std::optional<bool> full_size;
};

/// The tables, pointing into what they are made for.
[[nodiscard]] std::vector<Field> fields_of(Txt2Img& t);
[[nodiscard]] std::vector<Field> fields_of(Img2Img& t);

}  // namespace octet::api
