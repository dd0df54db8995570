#include "backend/cuda/shared_library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "base/format.h"
#include "octet/error.h"

namespace octet::cuda {
namespace {

std::vector<std::string> named_folders() {
  const char* named = std::getenv("OCTET_CUDA_LIBS");
  std::istringstream entries(named == nullptr ? "" : named);
  std::vector<std::string> result;
  for (std::string folder; std::getline(entries, folder, ':');) {
    if (!folder.empty()) result.push_back(folder + "/");
  }
  return result;
}

// Null when it cannot be loaded; then `reason` says why.
void* open(const std::string& path, std::string& reason) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const char* error = handle == nullptr ? dlerror() : nullptr;
  if (handle == nullptr) reason = error == nullptr ? path : error;
  return handle;
}

}  // namespace

SharedLibrary::SharedLibrary(const std::vector<std::string>& names, const std::string& remedy)
    : remedy_(remedy) {
  std::string reason;
  std::string tried;
  for (const std::string& folder : named_folders()) {
    for (const std::string& name : names) {
      path_ = folder + name;
      if (access(path_.c_str(), F_OK) != 0) continue;
      handle_ = open(path_, reason);
      if (handle_ != nullptr) return;
      throw Error(Code::kDevice,
                  format("cuda: %s, named by OCTET_CUDA_LIBS: expected a library, found: %s",
                         excerpt(path_, 300).c_str(), excerpt(reason, 300).c_str()));
    }
  }
  for (const char* folder : {"", "/usr/local/cuda/lib64/"}) {
    for (const std::string& name : names) {
      path_ = folder + name;
      handle_ = open(path_, reason);
      if (handle_ != nullptr) return;
      tried += (tried.empty() ? "" : "; ") + reason;
    }
  }
  throw Error(Code::kDevice, format("cuda: expected %s, found none (%s); %s", names[0].c_str(),
                                    excerpt(tried, 600).c_str(), remedy.c_str()));
}

void* SharedLibrary::find(const char* symbol) const {
  void* address = dlsym(handle_, symbol);
  if (address != nullptr) return address;
  throw Error(Code::kDevice, format("cuda: %s: expected the function %s, found none; %s",
                                    path_.c_str(), symbol, remedy_.c_str()));
}

}  // namespace octet::cuda
