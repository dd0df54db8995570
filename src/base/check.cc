#include "base/check.h"

namespace octet {

void check_failed(const char* file, int line, const char* condition, const std::string& detail) {
  throw Error(Code::kInternal, format("%s:%d: %s: %s", file, line, condition, detail.c_str()));
}

}  // namespace octet
