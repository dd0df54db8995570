// How many threads and processes this user may still start.
#include <sys/resource.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/format.h"
#include "base/start_thread.h"
#include "base/thread_pool.h"
#include "doctor/checks.h"
#include "octet/error.h"

namespace octet::doctor {
namespace {

/// A limit's number does not tell how much of it others have used, so threads are really started.
int can_start(int wanted) {
  std::mutex mutex;
  std::condition_variable changed;
  bool end = false;
  std::vector<std::thread> threads;
  try {
    while (static_cast<int>(threads.size()) < wanted) {
      threads.push_back(start_thread([&] {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&end] { return end; });
      }));
    }
  } catch (const Error&) {
    // As many as there are.
  }
  {
    const std::lock_guard lock(mutex);
    end = true;
  }
  changed.notify_all();
  for (std::thread& thread : threads) thread.join();
  return static_cast<int>(threads.size());
}

}  // namespace

Result process_limit(const Subject& subject) {
  const int threads = subject.engine.threads > 0 ? subject.engine.threads : available_threads();
  const int helpers = subject.address.empty() ? 2 : 8;  // encoder, log, HTTP, worker
  const int wanted = threads + helpers;
  const int found = can_start(wanted);
  if (found == wanted) return {Level::kOk, format("%d further threads can be started", wanted), ""};
  return {
      Level::kFailure,
      format("%d further threads or processes can be started, expected %d", found, wanted),
      "allow more: ulimit -u unlimited, TasksMax= of the systemd unit, docker run --pids-limit"};
}

}  // namespace octet::doctor
