#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

namespace octet {
namespace {

TEST(ThreadPool, RunsEveryIndexOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::int64_t count : {0, 1, 2, 5, 100, 3000}) {
      std::vector<int> seen(static_cast<std::size_t>(count), 0);
      pool.parallel_for(count, [&](std::int64_t i, int worker) {
        EXPECT_GE(worker, 0);
        EXPECT_LT(worker, threads);
        ++seen[static_cast<std::size_t>(i)];
      });
      EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), std::int64_t{0}), count);
      for (const int n : seen) ASSERT_EQ(n, 1);
    }
  }
}

// Many short jobs in a row: a worker that is late for one must not run into the next. The plain
// counters make a lost or doubled index visible, and a data race to the thread sanitizer.
TEST(ThreadPool, ManyShortJobs) {
  ThreadPool pool(4);
  for (int job = 0; job < 3000; ++job) {
    std::int64_t slots[8] = {};
    pool.parallel_for(8, [&](std::int64_t i, int) { slots[i] = job + i; });
    for (std::int64_t i = 0; i < 8; ++i) ASSERT_EQ(slots[i], job + i);
  }
}

// Workers never share a number at the same time, so scratch memory may be indexed by it.
TEST(ThreadPool, WorkerNumbersAreExclusive) {
  ThreadPool pool(3);
  std::atomic<int> inside[3] = {};
  pool.parallel_for(500, [&](std::int64_t, int worker) {
    EXPECT_EQ(inside[worker].fetch_add(1), 0);
    inside[worker].fetch_sub(1);
  });
}

TEST(ThreadPool, FirstExceptionIsRethrownAndThePoolStaysUsable) {
  ThreadPool pool(3);
  for (int round = 0; round < 50; ++round) {
    EXPECT_THROW(pool.parallel_for(100,
                                   [](std::int64_t i, int) {
                                     if (i % 7 == 3) throw std::runtime_error("task");
                                   }),
                 std::runtime_error);
    std::atomic<int> done{0};
    pool.parallel_for(20, [&](std::int64_t, int) { ++done; });
    EXPECT_EQ(done, 20);
  }
}

TEST(ThreadPool, NestedLoopsRunInline) {
  ThreadPool pool(3);
  std::atomic<int> done{0};
  pool.parallel_for(6, [&](std::int64_t, int outer) {
    pool.parallel_for(5, [&](std::int64_t, int inner) {
      EXPECT_EQ(inner, outer);
      ++done;
    });
  });
  EXPECT_EQ(done, 30);
}

TEST(ThreadPool, SomeThreadIsAvailable) {
  EXPECT_GE(available_threads(), 1);
  EXPECT_EQ(ThreadPool().threads(), available_threads());
}

}  // namespace
}  // namespace octet
