// Internal consistency checks. A failed check is a bug in Octet and throws kInternal; input from
// files and requests is validated with typed errors instead, never with these.
#pragma once

#include "base/format.h"
#include "octet/error.h"

namespace octet {
[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const std::string& detail);
}  // namespace octet

/// Throws Error(kInternal) when the condition is false. The further arguments are a printf message:
/// what was found, since the condition alone does not say it.
#define OCTET_CHECK(condition, ...)                                                        \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      ::octet::check_failed(__FILE__, __LINE__, #condition, ::octet::format(__VA_ARGS__)); \
    }                                                                                      \
  } while (false)
