// The base score of a CVSS 3.0 or 3.1 vector. Formula: first.org/cvss/v3.1/specification-document,
// section 7.1. Thread-safety: pure.
#pragma once

#include <optional>
#include <string_view>

namespace octet::bill {

/// 0 to 10 in steps of 0.1 for "CVSS:3.1/AV:N/AC:L/..."; nothing for any other text.
[[nodiscard]] std::optional<double> cvss_base_score(std::string_view vector);

}  // namespace octet::bill
