// All jobs of the server: the bounded queue, what the worker has, and what is kept afterwards.
//
// The HTTP side submits, watches and cancels; the supervisor takes jobs for the worker and reports
// what becomes of them. Every accepted job ends exactly once: done, failed or cancelled.
// Thread-safety: all functions from any thread; listeners are called without a lock held.
// Errors: none; what cannot be accepted is a value of Submission.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>

#include "serve/job.h"
#include "serve/pace.h"

namespace octet::serve {

struct JobLimits {
  std::size_t queued = 64;             // jobs that wait
  int attempts = 2;                    // how often a job is begun when workers die over it
  double keep_seconds = 600;           // after the end, of jobs that are kept
  std::size_t keep_bytes = 64u << 20;  // pictures of jobs that are over
};

enum class Verdict : std::uint8_t { kAccepted, kFull, kTooLate, kDraining };

struct Submission {
  Verdict verdict = Verdict::kAccepted;
  JobId id = 0;
  std::string token;
  double wait = 0;  // seconds until it would begin, or until there may be room; an estimate
};

class Jobs {
 public:
  explicit Jobs(const JobLimits& limits) : limits_(limits) {}

  /// `wake` is called when there is something for the supervisor to do.
  void on_work(std::function<void()> wake);
  /// Told about every job before it can begin, under the lock: it must not come back here.
  void on_accept(std::function<void(const JobSpec&, const std::string& token)> listener);
  /// Told about every step of a running batch.
  void on_step(std::function<void(const StepMessage&)> listener);
  /// Told about every job that has ended; before its listeners are.
  void on_end(JobListener listener);

  // The clients' side.
  [[nodiscard]] Submission submit(JobSpec spec, JobListener listener);
  [[nodiscard]] std::optional<JobView> find(const std::string& token) const;
  /// Calls `listener` now and at every later change; the result is for unwatch, 0: no such job.
  std::uint64_t watch(const std::string& token, JobListener listener);
  void unwatch(const std::string& token, std::uint64_t watcher);
  /// Asks for the end of a job; false when there is none, or it is over.
  bool cancel(const std::string& token, CancelCause cause);
  /// Asks for the end of all jobs of an owner; returns how many.
  std::size_t cancel_all_of(const std::string& owner, CancelCause cause);
  void cancel_all(CancelCause cause);
  /// Accepts nothing from now on.
  void drain();
  [[nodiscard]] bool draining() const;
  [[nodiscard]] bool idle() const;  // nothing waits and nothing runs
  [[nodiscard]] std::array<std::size_t, kPriorities> queued() const;
  [[nodiscard]] std::size_t running() const;
  /// How many jobs were ever accepted.
  [[nodiscard]] std::uint64_t accepted() const;
  [[nodiscard]] std::vector<JobView> of_owner(const std::string& owner) const;
  /// The kept job that has a picture with this digest; with an owner, one of that owner's.
  [[nodiscard]] std::optional<JobView> with_picture(const std::string& digest,
                                                    const std::optional<std::string>& owner) const;

  // The supervisor's side.
  void set_models(const std::vector<ModelCard>& models);
  [[nodiscard]] std::optional<JobMessage> take();
  [[nodiscard]] std::vector<JobId> take_cancels();
  void receive(const ProgressMessage& message);
  void receive(PreviewMessage message);
  void receive(PictureMessage message);
  void receive(const DoneMessage& message);
  void receive(const FailedMessage& message);
  void receive(const StepMessage& message);
  /// The worker is gone: its jobs go back to the head of the queue or, after the last attempt,
  /// fail.
  void worker_lost(const std::string& cause);
  /// Deadlines, and jobs that need no longer be kept.
  void expire();

 private:
  using Clock = std::chrono::steady_clock;
  struct Job {
    JobSpec spec;
    JobView view;
    double work = 0;
    Clock::time_point accepted, began, ended;
    bool cancel_sent = false;
    std::map<std::uint64_t, JobListener> listeners;
  };
  /// What is to be said once the lock is released.
  struct Note {
    JobView view;
    std::vector<JobListener> listeners;
  };
  using Notes = std::vector<Note>;

  void changed(Job& job, Notes& notes);
  void queue_changed(Notes& notes);
  void end(Job& job, JobState state, Notes& notes);
  [[nodiscard]] bool replaying() const;
  void requeue(Job& job);
  bool cancel_locked(Job& job, CancelCause cause, Notes& notes);
  void forget_old(Clock::time_point now);
  Job* running_job(JobId id);
  [[nodiscard]] JobView view_of(const Job& job) const;
  [[nodiscard]] double work_before(const Job& job) const;
  [[nodiscard]] double work_left(const Job& job) const;
  [[nodiscard]] double all_work(Priority priority) const;
  [[nodiscard]] const ModelCard* card_of(const std::string& model) const;
  [[nodiscard]] std::size_t queued_count() const;
  void say(const Notes& notes) const;

  const JobLimits limits_;
  mutable std::mutex mutex_;
  std::unordered_map<JobId, Job> jobs_;
  std::unordered_map<std::string, JobId> tokens_;
  std::array<std::deque<JobId>, kPriorities> queues_;
  std::vector<JobId> running_;
  std::deque<JobId> over_;  // in order of their ends
  std::size_t kept_bytes_ = 0;
  std::vector<ModelCard> models_;
  Pace pace_;
  Clock::time_point busy_since_{};
  std::function<void()> wake_;
  std::function<void(const JobSpec&, const std::string&)> on_accept_;
  std::function<void(const StepMessage&)> on_step_;
  JobListener on_end_;
  JobId next_id_ = 1;
  std::uint64_t next_watcher_ = 1, next_revision_ = 1;
  bool draining_ = false;
};

}  // namespace octet::serve
