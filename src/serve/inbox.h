// What the front has sent and the worker's loop has not yet taken.
//
// Filled by the reading thread, emptied by the drawing one. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>

#include "serve/messages.h"

namespace octet::serve {

class Inbox {
 public:
  void put(ToWorker message);
  /// The next job; waits for one, or for the shutdown, when `wait` is set.
  [[nodiscard]] std::optional<JobMessage> take(bool wait);
  /// Shutdown was asked for and no job is left.
  [[nodiscard]] bool finished() const;
  [[nodiscard]] bool cancelled(JobId id) const;
  /// The job is over; a cancel that comes too late must not be kept.
  void forget(JobId id);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<JobMessage> jobs_;
  std::set<JobId> known_, cancelled_;
  bool shutdown_ = false;
};

}  // namespace octet::serve
