// The program as a build with the CUDA backend calls itself: it says that it has machine code for
// Hopper. It has none, so nothing may get as far as using it.
#include "doctor/machine_code.h"

namespace octet::doctor {

const char* compiled_machine_code() { return "90a-real"; }

}  // namespace octet::doctor
