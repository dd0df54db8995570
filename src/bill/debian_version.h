// Order of Debian package versions, "[epoch:]upstream[-revision]".
// Rules: Debian Policy 5.6.12 ("~" sorts before everything, even the end). Thread-safety: pure.
#pragma once

#include <string_view>

namespace octet::bill {

/// Below, at or above zero, as `a` is older than, equal to or newer than `b`. Any text is accepted.
[[nodiscard]] int compare_debian_versions(std::string_view a, std::string_view b);

}  // namespace octet::bill
