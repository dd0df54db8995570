#include "api/trace.h"

#include <sys/random.h>

#include <cstdint>

#include "base/format.h"

namespace octet::api {
namespace {

constexpr std::size_t kLength = 55;  // of version 00

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

/// Not 0, which would be no id. Traces are no secrets: without random bits the id is a fixed one.
std::uint64_t fresh_id() {
  std::uint64_t id = 0;
  const bool got = ::getrandom(&id, sizeof(id), GRND_NONBLOCK) == sizeof(id);
  return got && id != 0 ? id : 1;
}

}  // namespace

bool is_traceparent(std::string_view header) {
  if (header.size() < kLength) return false;
  const std::string_view version = header.substr(0, 2);
  if (!is_hex(version) || version == "ff") return false;
  // Later versions may append fields.
  if (header.size() > kLength && (version == "00" || header[kLength] != '-')) return false;
  const std::string_view trace = header.substr(3, 32), parent = header.substr(36, 16);
  return header[2] == '-' && header[35] == '-' && header[52] == '-' && is_hex(trace) &&
         !is_zero(trace) && is_hex(parent) && !is_zero(parent) && is_hex(header.substr(53, 2));
}

std::string continue_trace(std::string_view header) {
  const bool known = is_traceparent(header);
  const std::string trace =
      known ? std::string(header.substr(3, 32))
            : format("%016llx%016llx", static_cast<unsigned long long>(fresh_id()),
                     static_cast<unsigned long long>(fresh_id()));
  // Of the flags version 00 knows "sampled" alone.
  const bool sampled =
      known && std::string_view("13579bdf").find(header[54]) != std::string_view::npos;
  return format("00-%s-%016llx-%s", trace.c_str(), static_cast<unsigned long long>(fresh_id()),
                sampled ? "01" : "00");
}

std::string trace_id(const std::string& traceparent) {
  return traceparent.size() < kLength ? "" : traceparent.substr(3, 32);
}

}  // namespace octet::api
