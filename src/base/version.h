// What this engine is, for records and locks.
#pragma once

namespace octet {

/// Version of Octet: "0.1.0".
[[nodiscard]] const char* engine_version();

/// Grows whenever the same request on the same model may give other bytes on the same kind of
/// device than before: another order of sums, another rounding, another sampler detail. The only
/// place where it is set.
inline constexpr int kNumericsVersion = 1;

}  // namespace octet
