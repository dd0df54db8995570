#include "doctor/machine_code.h"

namespace octet::doctor {

const char* compiled_machine_code() { return OCTET_MACHINE_CODE; }

}  // namespace octet::doctor
