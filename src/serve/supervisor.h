// Keeps one worker process alive and moves jobs to it and results back.
//
// run() belongs to one thread, which alone talks to the worker. A worker that dies is started
// again, at growing intervals while it does not become ready; what it was drawing is replayed
// (JobLimits::attempts). A model that cannot be loaded at the very start is the end: run() returns
// and status() says why. Thread-safety: all functions but run() from any thread.
// Errors: none leave run().
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "serve/child_process.h"
#include "serve/jobs.h"

namespace octet::serve {

enum class WorkerState : std::uint8_t { kLoading, kReady, kRestarting, kStopped };
[[nodiscard]] const char* name_of(WorkerState state);

struct WorkerStatus {
  WorkerState state = WorkerState::kLoading;
  std::vector<ModelCard> models;  // of the latest worker that was ready
  int slots = 1;
  pid_t pid = 0;  // 0: none
  std::uint64_t restarts = 0;
  std::string last_error;                   // how the latest worker ended; empty: none has
  std::optional<UnusableMessage> unusable;  // why there is no point in going on
};

class Supervisor {
 public:
  /// `words` start a worker: the hidden subcommand and its flags.
  Supervisor(std::vector<std::string> words, Jobs& jobs);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Serves jobs until stop() or until the model turns out to be unusable.
  void run();
  void stop();
  [[nodiscard]] WorkerStatus status() const;
  /// Called on run()'s thread whenever the status has changed.
  void on_status(std::function<void(const WorkerStatus&)> listener);

 private:
  void wake() const;
  void serve_worker(ChildProcess& worker);
  bool wait_for_news(const ChildProcess& worker) const;
  void hand_out(ChildProcess& worker);
  void receive(ToFront message);
  void sleep_before_restart(int failures);
  void change(const std::function<void(WorkerStatus&)>& edit);

  const std::vector<std::string> words_;
  Jobs& jobs_;
  int wake_descriptor_;
  std::atomic<bool> stop_{false};
  bool ready_ = false;
  bool was_ready_ = false;  // some worker was
  mutable std::mutex mutex_;
  WorkerStatus status_;
  std::function<void(const WorkerStatus&)> listener_;
};

}  // namespace octet::serve
