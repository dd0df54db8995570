#include "checkpoint/pickle.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "octet/error.h"

namespace octet {

bool is_pickle(const ByteSource& source) {
  std::array<std::byte, 9> start{};
  if (source.size() < start.size()) return false;
  source.read(0, start);
  const auto begins = [&](std::initializer_list<int> bytes) {
    return std::equal(bytes.begin(), bytes.end(), start.begin(),
                      [](int a, std::byte b) { return a == std::to_integer<int>(b); });
  };
  if (begins({'P', 'K', 3, 4})) return true;
  // PROTO and its version. The same bytes may begin the header length of a safetensors file.
  const auto version = std::to_integer<int>(start[1]);
  return begins({0x80}) && version >= 2 && version <= 5 && start[8] != std::byte{'{'};
}

bool is_pickle_name(const std::string& file) {
  constexpr const char* kSuffixes[] = {".bin", ".ckpt", ".pt", ".pth", ".pkl"};
  return std::any_of(std::begin(kSuffixes), std::end(kSuffixes),
                     [&](const char* suffix) { return file.ends_with(suffix); });
}

void refuse_pickle(const std::string& file) {
  throw Error(Code::kUnsupported,
              format("%s: expected safetensors, found a Python pickle, which can run any program; "
                     "convert it where you trust it: python3 -c \"import torch, safetensors.torch "
                     "as s; s.save_file(torch.load('in.bin', weights_only=True), "
                     "'out.safetensors')\"",
                     excerpt(file, 200).c_str()));
}

}  // namespace octet
