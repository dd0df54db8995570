// What this binary is: version, commit, compiler, instruction set. Pure functions.
#pragma once

#include <cstdint>
#include <string>

namespace octet::cli {

[[nodiscard]] const char* version();

/// Commit that the sources were at, with "+" when they had been changed; empty when unknown.
[[nodiscard]] const char* commit();

/// Time of that commit in seconds since 1970, UTC, or what SOURCE_DATE_EPOCH said; 0 when unknown.
[[nodiscard]] std::int64_t commit_seconds();

/// "g++ 12.2.0".
[[nodiscard]] std::string compiler();

/// The widest kernels that this machine can run: "avx512", "avx2" or "x86-64-v2".
[[nodiscard]] const char* instruction_set();

}  // namespace octet::cli
