#include "backend/cuda/shared_library.h"

#include <dlfcn.h>

#include <cstdlib>

#include "base/format.h"
#include "octet/error.h"

namespace octet::cuda {
namespace {

std::vector<std::string> folders() {
  std::vector<std::string> result = {""};  // the loader's path
  if (const char* extra = std::getenv("OCTET_CUDA_LIBS")) {
    std::string folder;
    for (const char c : std::string(extra) + ":") {
      if (c != ':') {
        folder += c;
      } else if (!folder.empty()) {
        result.push_back(folder + "/");
        folder.clear();
      }
    }
  }
  result.emplace_back("/usr/local/cuda/lib64/");
  return result;
}

}  // namespace

SharedLibrary::SharedLibrary(const std::vector<std::string>& names, const std::string& remedy)
    : remedy_(remedy) {
  std::string tried;
  for (const std::string& folder : folders()) {
    for (const std::string& name : names) {
      path_ = folder + name;
      handle_ = dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (handle_ != nullptr) return;
      const char* reason = dlerror();
      tried +=
          format("%s%s", tried.empty() ? "" : "; ", reason == nullptr ? path_.c_str() : reason);
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
