#include "base/machine_code.h"

#include <cctype>
#include <cstdlib>
#include <sstream>

#include "base/format.h"
#include "octet/error.h"

namespace octet::cuda {
namespace {

bool runs(const std::string& name, GpuVersion gpu) {
  char* rest = nullptr;
  const long number = std::strtol(name.c_str(), &rest, 10);
  const long found = 10L * gpu.major + gpu.minor;
  if (std::isalpha(static_cast<unsigned char>(*rest)) != 0) return found == number;  // 90a
  const bool compiled_by_driver = std::string(rest) != "-real";
  return found >= number && (number / 10 == gpu.major || compiled_by_driver);
}

}  // namespace

bool has_machine_code(const std::string& list, GpuVersion gpu) {
  std::istringstream names(list);
  for (std::string name; names >> name;) {
    if (runs(name, gpu)) return true;
  }
  return false;
}

void require_machine_code(const std::string& list, const char* name, GpuVersion gpu) {
  if (has_machine_code(list, gpu)) return;
  throw Error(Code::kDevice,
              format("device: %s: expected a GPU of a compute capability that this program has "
                     "kernels for (%s), found %d.%d; use --device cpu",
                     name, list.c_str(), gpu.major, gpu.minor));
}

}  // namespace octet::cuda
