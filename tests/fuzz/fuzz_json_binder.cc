// libFuzzer target: the binder of request bodies. Whatever comes, each value is within its field's
// range or the request is refused with a status that a client can read.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/generation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  octet::api::Generation g;
  try {
    octet::api::bind_fields(octet::api::fields_of(g), body, octet::api::Unknown::kRefuse);
    octet::api::set_size(g.request, g.size);
  } catch (const octet::api::RequestError& error) {
    if (error.status() != 400) __builtin_trap();
    return 0;
  }
  const octet::GenerateRequest& r = g.request;
  if (r.batch < 1 || r.batch > 10 || (r.steps && (*r.steps < 1 || *r.steps > 1000)))
    __builtin_trap();
  if (r.guidance && !(*r.guidance >= 0 && *r.guidance <= 100)) __builtin_trap();
  if (r.prompt.size() > 32 << 10 || r.prompt.find('\0') != std::string::npos) __builtin_trap();
  if (r.width && (*r.width <= 0 || *r.height <= 0)) __builtin_trap();
  return 0;
}
