// Bills of materials in the two forms that other programs read: CycloneDX 1.5 and SPDX 2.3, both
// JSON.
//
// The same program writes the same bytes at every call: the serial number is made from the content,
// the time is that of the commit. Formats: cyclonedx.org/docs/1.5/json and
// spdx.github.io/spdx-spec/v2.3. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "bill/bill.h"

namespace octet::bill {

struct Product {
  std::string version;       // "0.1.0"
  std::string commit;        // empty when unknown
  std::int64_t created = 0;  // seconds since 1970, UTC
};

[[nodiscard]] std::string cyclonedx(const Bill& bill, const Product& product);
[[nodiscard]] std::string spdx(const Bill& bill, const Product& product);

/// "2026-11-25T13:30:00Z".
[[nodiscard]] std::string utc_time(std::int64_t seconds);
/// A UUID (version 8: of the user's own making) from the SHA-256 of `content`.
[[nodiscard]] std::string content_uuid(const std::string& content);

}  // namespace octet::bill
