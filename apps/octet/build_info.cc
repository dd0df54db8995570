#include "build_info.h"

#include "base/format.h"
#include "base/version.h"
#include "octet_commit.h"  // written by git_commit.cmake at build time

namespace octet::cli {

const char* version() { return engine_version(); }

const char* commit() { return kCommit; }

std::int64_t commit_seconds() { return kCommitSeconds; }

std::string compiler() {
#if defined(__clang__)
  return format("clang++ %d.%d.%d", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return format("g++ %d.%d.%d", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

const char* instruction_set() {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq");
  if (avx512) return "avx512";
  return avx2 ? "avx2" : "x86-64-v2";
}

}  // namespace octet::cli
