// A system that allows no further thread: an error with a remedy, not the end of the program.
#include "base/start_thread.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "base/log.h"
#include "base/thread_pool.h"
#include "octet/error.h"

namespace octet {
namespace {

// Nobody else has this user, so the limit counts this process's threads alone. Root has no limit.
constexpr uid_t kUser = 61233;

enum Outcome { kDone = 0, kRefused = 1, kOther = 2, kNoUser = 3 };

/// What becomes of `work` in a process that may have `threads` threads, itself included.
int outcome(rlim_t threads, const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{threads, threads};
    if (::setresuid(kUser, kUser, kUser) != 0) ::_exit(kNoUser);
    ::setrlimit(RLIMIT_NPROC, &limit);
    try {
      work();
    } catch (const Error& error) {
      const bool worded = std::string(error.what()).find("ulimit -u") != std::string::npos;
      ::_exit(error.code() == Code::kOutOfMemory && worded ? kRefused : kOther);
    } catch (...) {
      ::_exit(kOther);
    }
    ::_exit(kDone);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(StartThread, RunsWhatItIsGiven) {
  bool ran = false;
  start_thread([&ran] { ran = true; }).join();
  EXPECT_TRUE(ran);
}

TEST(StartThread, RefusalsEndWhatHasBegun) {
  const auto pool = [] { const ThreadPool four(4); };
  const auto log = [] { const Log one(LogFormat::kText, LogLevel::kInfo, -1); };
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the thread sanitizer has a thread of its own";
#endif
  if (outcome(100, [] {}) == kNoUser) GTEST_SKIP() << "another user needs root";
  for (const rlim_t threads : {1, 2, 3}) {
    EXPECT_EQ(outcome(threads, pool), kRefused) << threads;  // of 4
  }
  EXPECT_EQ(outcome(4, pool), kDone);
  EXPECT_EQ(outcome(1, log), kRefused);
  EXPECT_EQ(outcome(2, log), kDone);
}

}  // namespace
}  // namespace octet
