#include "build_info.h"

#include "base/format.h"
#include "octet_commit.h"  // written by git_commit.cmake at build time

namespace octet::cli {

const char* version() { return OCTET_VERSION; }

const char* commit() { return kCommit; }

std::string compiler() {
#if defined(__clang__)
  return format("clang++ %d.%d.%d", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return format("g++ %d.%d.%d", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

const char* instruction_set() {
  if (__builtin_cpu_supports("avx512bf16")) return "avx512-bf16";
  if (__builtin_cpu_supports("avx512f")) return "avx512";
  return __builtin_cpu_supports("avx2") ? "avx2" : "x86-64";
}

}  // namespace octet::cli
