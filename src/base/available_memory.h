// Memory of the machine that is to be had now, within the limit of the process's control group.
//
// Thread-safe. Errors: none; what the system does not tell is 0.
#pragma once

#include <cstddef>

namespace octet {

/// Bytes that the kernel would hand out without swapping, page cache included, and that no
/// control group holds back; 0 when it does not say.
[[nodiscard]] std::size_t available_memory();

}  // namespace octet
