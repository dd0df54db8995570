#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/start_thread.h"

namespace octet {
namespace {

// Layout of ThreadPool::state_: job number, then the open flag, then the count of workers inside.
constexpr std::uint64_t kInside = 0x7FFF;
constexpr std::uint64_t kOpen = 0x8000;
constexpr int kJobShift = 16;
std::uint64_t job_of(std::uint64_t state) { return state >> kJobShift; }

constexpr int kSpins = 400;  // of about 40 to 140 cycles each: some ten microseconds

// True while this thread runs a task of any pool: nested loops then run inline.
thread_local bool inside_task = false;
thread_local int current_worker = 0;

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

int affinity_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Reads two numbers, of which the first may be the word "max"; 0 when there is no limit.
double quota_of(const std::string& quota, const std::string& period) {
  double q = 0;
  double p = 0;
  if (std::sscanf(quota.c_str(), "%lf", &q) != 1) return 0;
  if (std::sscanf(period.c_str(), "%lf", &p) != 1) return 0;
  return q > 0 && p > 0 ? q / p : 0;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

double v2_quota(const std::string& folder) {
  std::istringstream words(first_line(folder + "/cpu.max"));
  std::string quota;
  std::string period;
  words >> quota >> period;
  return quota_of(quota, period);
}

double v1_quota(const std::string& folder) {
  return quota_of(first_line(folder + "/cpu.cfs_quota_us"),
                  first_line(folder + "/cpu.cfs_period_us"));
}

// The tightest quota on the way from this process's group to the root.
int quota_count(int limit) {
  double tightest = limit;
  const auto apply = [&tightest](double q) {
    if (q > 0) tightest = std::min(tightest, q);
  };
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    while (true) {
      if (controllers.empty()) {
        apply(v2_quota("/sys/fs/cgroup" + path));
      } else if (controllers.find("cpu") != std::string::npos) {
        apply(v1_quota("/sys/fs/cgroup/cpu" + path));
      }
      const std::size_t slash = path.rfind('/');
      if (path.empty() || slash == std::string::npos) break;
      path.resize(slash);
    }
  }
  // Inside a container the group's own folder is often mounted as the root.
  apply(v2_quota("/sys/fs/cgroup"));
  apply(v1_quota("/sys/fs/cgroup/cpu"));
  return std::max(1, static_cast<int>(tightest + 0.999));
}

}  // namespace

int available_threads() {
  const int processors = affinity_count();
  return std::min(processors, quota_count(processors));
}

ThreadPool::ThreadPool(int threads) {
  const int total = threads > 0 ? threads : available_threads();
  workers_.reserve(static_cast<std::size_t>(total - 1));
  try {
    for (int i = 1; i < total; ++i) workers_.push_back(start_thread([this, i] { work(i); }));
  } catch (...) {
    end_workers();
    throw;
  }
}

ThreadPool::~ThreadPool() { end_workers(); }

void ThreadPool::end_workers() {
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true, std::memory_order_release);
  }
  job_changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::int64_t count, void* object, Call call) {
  if (count <= 0) return;
  if (inside_task || workers_.empty() || count == 1) {
    const int worker = inside_task ? current_worker : 0;
    for (std::int64_t i = 0; i < count; ++i) call(object, i, worker);
    return;
  }
  object_ = object;
  call_ = call;
  count_ = count;
  next_.store(0, std::memory_order_relaxed);
  const std::uint64_t job = job_of(state_.load(std::memory_order_relaxed)) + 1;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);  // a worker between its last look and its sleep sees this
    state_.store(job << kJobShift | kOpen, std::memory_order_release);
    wake = sleepers_ > 0;
  }
  if (wake) job_changed_.notify_all();
  take_tasks(0);
  close_job();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::take_tasks(int worker) {
  inside_task = true;
  current_worker = worker;
  for (std::int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) {
    try {
      call_(object_, i, worker);
    } catch (...) {
      next_.store(count_, std::memory_order_relaxed);
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }
  inside_task = false;
}

// Lets no further worker in and waits until those inside have left.
void ThreadPool::close_job() {
  state_.fetch_and(~kOpen, std::memory_order_acq_rel);
  const auto empty = [this] { return (state_.load(std::memory_order_acquire) & kInside) == 0; };
  for (int i = 0; i < kSpins; ++i) {
    if (empty()) return;
    relax();
  }
  std::unique_lock lock(mutex_);
  job_empty_.wait(lock, empty);
}

// Waits for an open job newer than `seen` and enters it; false when the pool ends.
bool ThreadPool::enter_job(std::uint64_t& seen) {
  const auto news = [&] {
    const std::uint64_t state = state_.load(std::memory_order_acquire);
    return ((state & kOpen) != 0 && job_of(state) != seen) || stop_.load(std::memory_order_acquire);
  };
  while (true) {
    for (int i = 0; i < kSpins && !news(); ++i) relax();
    if (!news()) {
      std::unique_lock lock(mutex_);
      ++sleepers_;
      job_changed_.wait(lock, news);
      --sleepers_;
    }
    if (stop_.load(std::memory_order_acquire)) return false;
    std::uint64_t state = state_.load(std::memory_order_acquire);
    if ((state & kOpen) == 0 || job_of(state) == seen) continue;  // closed meanwhile
    if (state_.compare_exchange_strong(state, state + 1, std::memory_order_acq_rel)) {
      seen = job_of(state);
      return true;
    }
  }
}

void ThreadPool::leave_job() {
  const std::uint64_t state = state_.fetch_sub(1, std::memory_order_acq_rel) - 1;
  if ((state & (kOpen | kInside)) == 0) {
    const std::lock_guard lock(mutex_);
    job_empty_.notify_one();
  }
}

void ThreadPool::work(int worker) {
  for (std::uint64_t seen = 0; enter_job(seen);) {
    take_tasks(worker);
    leave_job();
  }
}

}  // namespace octet
