#include "base/shared_library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "base/format.h"
#include "base/whole_library.h"
#include "octet/error.h"

namespace octet {

std::vector<std::string> named_library_folders() {
  const char* named = std::getenv("OCTET_CUDA_LIBS");
  std::istringstream entries(named == nullptr ? "" : named);
  std::vector<std::string> result;
  for (std::string folder; std::getline(entries, folder, ':');) {
    if (!folder.empty()) result.push_back(folder + "/");
  }
  return result;
}

namespace {

// Null when it cannot be loaded; then `reason` says why.
void* open(const std::string& path, std::string& reason) {
  const std::string file = path.find('/') == std::string::npos ? locate_library(path) : path;
  const std::string fault =
      file.empty() || access(file.c_str(), F_OK) != 0 ? "" : library_fault(file);
  if (!fault.empty()) {
    reason = file + ": " + fault;
    return nullptr;
  }
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
  for (const std::string& folder : named_library_folders()) {
    for (const std::string& name : names) {
      path_ = folder + name;
      if (access(path_.c_str(), F_OK) != 0) continue;
      handle_ = open(path_, reason);
      if (handle_ != nullptr) return;
      refuse(format("%s, named by OCTET_CUDA_LIBS: expected a library, found: %s",
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
  refuse(format("expected %s, found none (%s)", names[0].c_str(), excerpt(tried, 600).c_str()));
}

void SharedLibrary::refuse(const std::string& message) const {
  throw Error(Code::kDevice, "cuda: " + message + (remedy_.empty() ? "" : "; " + remedy_));
}

bool SharedLibrary::has(const char* symbol) const { return dlsym(handle_, symbol) != nullptr; }

void* SharedLibrary::find(const char* symbol) const {
  void* address = dlsym(handle_, symbol);
  if (address != nullptr) return address;
  refuse(format("%s: expected the function %s, found none", path_.c_str(), symbol));
}

}  // namespace octet
