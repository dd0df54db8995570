// ThreadPool: a fixed set of threads that run the pieces of one operation.
//
// parallel_for hands out indices one at a time (dynamic), so a worker that the system delays does
// not hold up the rest; callers must therefore write to places that depend on the index only.
// Waiting threads spin for some microseconds, then sleep. The calling thread takes part; nested
// calls run inline on the thread that makes them.
//
// Errors: the first exception of a task is rethrown by parallel_for after all running tasks ended;
// indices not yet started are then skipped. The constructor: those of start_thread. Thread-safety:
// parallel_for belongs to one thread at a time (the owner); tasks run concurrently.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace octet {

/// Processors this process may use: scheduling affinity and cgroup quota (v1 and v2), at least 1.
[[nodiscard]] int available_threads();

class ThreadPool {
 public:
  /// `threads` counts the caller; 0 means available_threads().
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls task(index, worker) once for each index in [0, count); worker in [0, threads()) tells
  /// concurrently running tasks apart, for scratch memory.
  template <typename Task>
  void parallel_for(std::int64_t count, Task&& task) {
    using Plain = std::remove_reference_t<Task>;
    run(count, const_cast<void*>(static_cast<const void*>(&task)),
        [](void* object, std::int64_t index, int worker) {
          (*static_cast<Plain*>(object))(index, worker);
        });
  }

 private:
  using Call = void (*)(void* object, std::int64_t index, int worker);

  void run(std::int64_t count, void* object, Call call);
  void work(int worker);
  void take_tasks(int worker);
  bool enter_job(std::uint64_t& seen);
  void leave_job();
  void close_job();
  void end_workers();

  std::vector<std::thread> workers_;
  // The current job: written by the owner while no worker is inside one.
  void* object_ = nullptr;
  Call call_ = nullptr;
  std::int64_t count_ = 0;
  std::atomic<std::int64_t> next_{0};
  // Number of the job, whether it is open, and how many workers are inside. A worker enters only an
  // open job, so the owner never waits for one that wakes up too late to help.
  std::atomic<std::uint64_t> state_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;  // guards sleepers_, error_ and both conditions
  int sleepers_ = 0;
  std::condition_variable job_changed_, job_empty_;
  std::exception_ptr error_;
};

}  // namespace octet
