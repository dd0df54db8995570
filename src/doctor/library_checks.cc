// CUDA's libraries beside the driver: which copies there are, which one is taken, why not others.
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/cuda_needs.h"
#include "base/format.h"
#include "base/shared_library.h"
#include "doctor/checks.h"
#include "doctor/cuda_driver.h"
#include "doctor/machine_code.h"

namespace octet::doctor {
namespace {

namespace fs = std::filesystem;

/// Where the loader and Octet look, and where installers put things.
std::vector<std::string> folders() {
  std::vector<std::string> all = named_library_folders();
  const char* path = std::getenv("LD_LIBRARY_PATH");
  std::istringstream entries(path == nullptr ? "" : path);
  for (std::string folder; std::getline(entries, folder, ':');) all.push_back(folder);
  for (const char* folder :
       {"/usr/local/cuda/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/local/lib"}) {
    all.emplace_back(folder);
  }
  std::error_code error;
  for (fs::directory_iterator at("/usr/local", error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().filename().string().starts_with("cuda-")) {
      all.push_back(at->path().string() + "/lib64");
    }
  }
  return all;
}

/// Files "NAME.so.*" of all folders in order, each file once, links resolved.
std::vector<std::string> candidates(const std::string& name) {
  std::vector<std::string> found;
  std::set<std::string> seen;
  for (const std::string& folder : folders()) {
    std::error_code error;
    std::set<std::string> here;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      if (at->path().filename().string().starts_with(name + ".so.")) {
        std::error_code own;
        const fs::path real = fs::canonical(at->path(), own);
        here.insert(own ? at->path().string() : real.string());
      }
    }
    for (const std::string& file : here) {
      if (seen.insert(file).second) found.push_back(file);
    }
  }
  return found;
}

std::string real_path(const std::string& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  return error ? path : real.string();
}

/// "libcublasLt.so.13.1.0.3" -> 13; 0 where the name has none.
int major_in(const std::string& file, const std::string& name) {
  const std::size_t place = file.rfind(name + ".so.");
  return place == std::string::npos ? 0 : std::atoi(file.c_str() + place + name.size() + 4);
}

Results listing(const std::string& name, const std::string& use) {
  Results results;
  for (const std::string& file : candidates(name)) {
    results.push_back({Level::kOk,
                       format("%s (version %d): %s", excerpt(file, 300).c_str(),
                              major_in(file, name), use.c_str()),
                       ""});
  }
  return results.empty() ? ok(name + " is not here; " + use) : results;
}

/// A folder that is named and not there is passed over by the loader without a word.
void add_missing_folders(Results& results) {
  for (const std::string& folder : named_library_folders()) {
    std::error_code error;
    if (fs::is_directory(folder, error)) continue;
    results.push_back({Level::kWarning,
                       format("OCTET_CUDA_LIBS names %s, expected a folder, found none",
                              excerpt(folder, 300).c_str()),
                       "correct it, or unset OCTET_CUDA_LIBS"});
  }
}

constexpr const char* kRemedy =
    "install CUDA 13's cuBLAS (sudo apt install libcublas-13-0), or name the folder that has it: "
    "export OCTET_CUDA_LIBS=/path/to/lib";

/// Opens the one that the backend takes; empty path: none will do, and `problem` says why.
std::string choose(std::string& problem) {
  using GetVersion = std::size_t();
  try {
    const SharedLibrary library({cuda::kCublasLtName}, "");
    std::string missing;
    for (const char* function : cuda::kCublasLtFunctions) {
      if (missing.empty() && !library.has(function)) missing = function;
    }
    GetVersion* get_version = nullptr;
    if (missing != "cublasLtGetVersion") {
      library.get(get_version, "cublasLtGetVersion");
      const std::size_t version = get_version();
      if (version < cuda::kOldestCublasLt || version >= cuda::kBeyondCublasLt) {
        problem = format("%s: expected cuBLASLt %d, found version %zu", library.path().c_str(),
                         cuda::kCudaMajor, version);
        return "";
      }
    }
    if (missing.empty()) {
      Dl_info info{};
      const bool told = ::dladdr(reinterpret_cast<void*>(get_version), &info) != 0;
      return real_path(told && info.dli_fname != nullptr ? info.dli_fname : library.path());
    }
    problem = format("%s: expected the function %s, found none (undefined symbol)",
                     library.path().c_str(), missing.c_str());
  } catch (const Error& error) {
    problem = error.what();
  }
  return "";
}

void add_others(Results& results, const std::string& chosen) {
  for (const std::string& file : candidates("libcublasLt")) {
    if (file == chosen) continue;
    const int major = major_in(file, "libcublasLt");
    const std::string why = major == cuda::kCudaMajor ? "another one comes first"
                                                      : format("version %d, expected 13", major);
    results.push_back({Level::kOk, excerpt(file, 300) + ": not taken, " + why, ""});
  }
}

}  // namespace

Results check_cublaslt(const Subject& subject, Depth depth) {
  const CudaDriver& d = cuda_driver();
  const bool wanted = *compiled_machine_code() != 0 || asked_gpu(subject).has_value();
  // Half a gigabyte, and it loads the driver, too, even a broken one.
  if (!wanted || !d.works() || d.gpus.empty()) {
    Results results = listing("libcublasLt", "not opened, since there is no GPU to use it with");
    add_missing_folders(results);
    return results;
  }
  std::string problem;
  const std::string chosen = choose(problem);
  Results results;
  if (!chosen.empty()) {
    results.push_back({Level::kOk, excerpt(chosen, 300) + ": taken", ""});
  } else {
    results.push_back(gpu_problem(subject, problem, kRemedy));
  }
  if (depth == Depth::kFull) add_others(results, chosen);
  add_missing_folders(results);
  return results;
}

Results check_cudnn(const Subject& /*subject*/, Depth /*depth*/) {
  return listing("libcudnn", "not used by Octet");
}

Results check_nccl(const Subject& /*subject*/, Depth /*depth*/) {
  return listing("libnccl", "not used by Octet");
}

Results check_one_copy(const Subject& subject, Depth /*depth*/) {
  std::map<std::string, std::set<std::string>> copies;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string path = line.substr(slash);
    const std::string file = path.substr(path.rfind('/') + 1);
    for (const char* name : {"libcuda", "libcublasLt", "libcublas", "libcudart", "libnvidia-ml"}) {
      if (file.starts_with(std::string(name) + ".so")) copies[name].insert(path);
    }
  }
  for (const auto& [name, paths] : copies) {
    if (paths.size() < 2) continue;
    std::string text;
    for (const std::string& path : paths) text += (text.empty() ? "" : " and ") + path;
    return {gpu_problem(subject,
                        format("two copies of %s are loaded: %s", name.c_str(), text.c_str()),
                        "unset LD_PRELOAD")};
  }
  return ok("no CUDA library is loaded twice");
}

}  // namespace octet::doctor
