// For which GPUs the program was compiled, by the build's own word.
#pragma once

namespace octet::doctor {

/// As machine_code.h of base reads it: "80-real 90a-real 100"; empty: built without CUDA. In a file
/// of its own, so that a test's program can be of another build than itself.
[[nodiscard]] const char* compiled_machine_code();

}  // namespace octet::doctor
