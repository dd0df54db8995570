// The system's clock.
#include <sys/stat.h>
#include <sys/timex.h>

#include <ctime>

#include "doctor/checks.h"

namespace octet::doctor {
namespace {

/// 2026-01-01 UTC: no clock that is right shows a time before this program was written.
constexpr std::time_t kWritten = 1767225600;

}  // namespace

Results check_clock(const Subject& /*subject*/, Depth /*depth*/) {
  const std::time_t now = std::time(nullptr);
  char text[32] = "";
  std::tm parts{};
  if (::gmtime_r(&now, &parts) != nullptr) {
    (void)std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  }
  const std::string says = std::string("the clock says ") + text;
  if (now < kWritten) {
    return warning(says + ", which is before this program was written",
                   "sudo timedatectl set-ntp true");
  }
  timex state{};
  const bool synchronised = ::adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
  return ok(says +
            (synchronised ? ", synchronised" : "; the kernel does not call it synchronised"));
}

}  // namespace octet::doctor
