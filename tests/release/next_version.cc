// The engine_version of a later Octet, for the test that runs two versions side by side. It stands
// in front of the library that has the real one.

#include "base/version.h"

namespace octet {

const char* engine_version() { return "99.0.0"; }

}  // namespace octet
