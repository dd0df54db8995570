// A clock whose battery is empty: the calendar begins again in 1970. For LD_PRELOAD; the kernel has
// no namespace for the calendar's time.
#include <ctime>

extern "C" std::time_t time(std::time_t* where) noexcept {
  constexpr std::time_t kAfterTheStart = 86400;
  if (where != nullptr) *where = kAfterTheStart;
  return kAfterTheStart;
}
