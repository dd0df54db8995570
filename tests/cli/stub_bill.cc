// A list of components for the tests of the command line, as the build would write it.

#include "bill/bill.h"

namespace octet::bill {

std::string_view built_in_bill() {
  return R"({"distribution": {"id": "debian", "version": "12", "codename": "bookworm"},
    "build": {"type": "Release", "flags": "-O3", "cuda": "13.0", "architectures": "90a-real"},
    "components": [
      {"name": "libpng", "kind": "library", "licence": "libpng-2.0", "package": "libpng-dev",
       "version": "1.6.39-2", "source": "libpng1.6", "source_version": "1.6.39-2",
       "architecture": "amd64", "files": [{"name": "libpng16.a", "sha256": "00"}]},
      {"name": "CUDA run time", "kind": "library", "licence": "LicenseRef-NVIDIA-CUDA-EULA",
       "package": "", "version": "13.0", "source": "", "source_version": "", "architecture": "",
       "files": []}]})";
}

}  // namespace octet::bill
