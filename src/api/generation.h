// The request for pictures that /v1/images/generations and /v1/jobs share: fields of OpenAI's API
// and plain extensions, and the job that they become.
//
// Thread-safety: plain values, pure functions. Errors: RequestError naming the field.
#pragma once

#include "api/service.h"

namespace octet::api {

inline constexpr std::size_t kGenerationBytes = std::size_t{1} << 20;  // of a body

struct Generation {
  GenerateRequest request;
  std::optional<std::string> model;
  std::string size = "auto", quality = "auto", background = "auto";
  std::string response_format = "b64_json", output_format = "png";
  std::optional<int> compression;
  std::string priority = "normal";
  std::optional<float> deadline;
  bool stream = false;
  int partial_images = 0;
};

/// The table, pointing into `generation`.
[[nodiscard]] std::vector<Field> fields_of(Generation& generation);

/// Checks what one field alone does not tell, and moves the request into a job.
[[nodiscard]] serve::JobSpec spec_of(Generation& generation, const serve::ModelCard& card,
                                     const http::Request& request);

}  // namespace octet::api
