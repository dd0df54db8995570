// Fuzz target: PNG files of unknown origin, down to pixels, texts and picture parameters. The
// first byte chooses whether the rest is a file or a text, so that parsers behind checksums are
// reached too.
#include <cstdint>
#include <cstdlib>

#include "image/parameters.h"
#include "octet/error.h"

namespace {

template <typename F>
void expect_value_or_error(F f) {
  try {
    f();
  } catch (const octet::Error& e) {
    if (e.code() == octet::Code::kInternal) std::abort();
  }
}

// What was read and written again must stay the same.
void check_stable(const octet::PictureParameters& parameters) {
  const auto again = octet::parameters_from_json(octet::parameters_to_json(parameters));
  if (!(again == parameters)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::span bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      expect_value_or_error([&] { (void)octet::decode_png(bytes, "fuzz"); });
      expect_value_or_error([&] { (void)octet::read_picture_parameters(bytes, "fuzz"); });
      break;
    case 1:
      expect_value_or_error([&] { check_stable(octet::parameters_from_text(text)); });
      break;
    default:
      expect_value_or_error([&] { check_stable(octet::parameters_from_json(text)); });
  }
  return 0;
}
