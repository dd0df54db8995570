#include "base/version.h"

namespace octet {

const char* engine_version() { return OCTET_VERSION; }

}  // namespace octet
