#include "bill/documents.h"

#include <ctime>
#include <span>

#include "base/format.h"
#include "base/sha256.h"

namespace octet::bill {

std::string utc_time(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  return format("%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string content_uuid(const std::string& content) {
  std::string hex = sha256_hex(std::as_bytes(std::span(content)));
  hex[12] = '8';  // version and variant of RFC 9562
  hex[16] = "89ab"[hex[16] % 4];
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
         hex.substr(16, 4) + "-" + hex.substr(20, 12);
}

}  // namespace octet::bill
