#include "serve/inbox.h"

#include <utility>

namespace octet::serve {

void Inbox::put(ToWorker message) {
  {
    const std::lock_guard lock(mutex_);
    if (auto* job = std::get_if<JobMessage>(&message)) {
      known_.insert(job->id);
      jobs_.push_back(std::move(*job));
    } else if (const auto* cancel = std::get_if<CancelMessage>(&message)) {
      if (known_.contains(cancel->id)) cancelled_.insert(cancel->id);
    } else {
      shutdown_ = true;
    }
  }
  changed_.notify_all();
}

std::optional<JobMessage> Inbox::take(bool wait) {
  std::unique_lock lock(mutex_);
  if (wait) changed_.wait(lock, [this] { return shutdown_ || !jobs_.empty(); });
  if (jobs_.empty()) return std::nullopt;
  JobMessage job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

bool Inbox::finished() const {
  const std::lock_guard lock(mutex_);
  return shutdown_ && jobs_.empty();
}

bool Inbox::cancelled(JobId id) const {
  const std::lock_guard lock(mutex_);
  return cancelled_.contains(id);
}

void Inbox::forget(JobId id) {
  const std::lock_guard lock(mutex_);
  known_.erase(id);
  cancelled_.erase(id);
}

}  // namespace octet::serve
