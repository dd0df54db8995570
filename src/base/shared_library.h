// A library opened at run time, so that one program starts with and without it.
//
// Looked for in the folders of OCTET_CUDA_LIBS (separated by colons), then in the loader's own
// path, then where CUDA's installer puts it. What a folder of OCTET_CUDA_LIBS holds is taken or
// refused: nothing else is used in its place. Never closed: CUDA libraries keep threads and exit
// handlers. Errors: Error(kDevice) that lists what was tried.
#pragma once

#include <string>
#include <vector>

namespace octet {

/// The folders of OCTET_CUDA_LIBS, each with a slash at its end.
[[nodiscard]] std::vector<std::string> named_library_folders();

class SharedLibrary {
 public:
  /// `names` in order of preference, e.g. {"libcublasLt.so.13"}; `remedy` ends the error message,
  /// empty: who catches the error adds one.
  SharedLibrary(const std::vector<std::string>& names, const std::string& remedy);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool has(const char* symbol) const;
  /// Error(kDevice) when the library lacks the symbol.
  template <typename F>
  void get(F*& function, const char* symbol) const {
    function = reinterpret_cast<F*>(find(symbol));
  }

 private:
  [[nodiscard]] void* find(const char* symbol) const;
  [[noreturn]] void refuse(const std::string& message) const;

  void* handle_ = nullptr;
  std::string path_, remedy_;
};

}  // namespace octet
