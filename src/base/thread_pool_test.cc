#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>

namespace minnow {
namespace {

TEST(ThreadPool, RunsTheJobOnceOnEveryMember) {
  for (int n : {1, 2, 5}) {
    ThreadPool pool(n);
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(n));
    for (int round = 0; round < 100; ++round) pool.run([&](int m) { ++calls[static_cast<std::size_t>(m)]; });
    for (auto& c : calls) EXPECT_EQ(c, 100);
  }
}

TEST(ThreadPool, BarrierSeparatesPhasesEvenWithMoreThreadsThanCores) {
  constexpr int kThreads = 8, kPhases = 50;
  ThreadPool pool(kThreads);
  std::vector<int> value(kThreads, 0);
  std::atomic<int> wrong{0};
  pool.run([&](int m) {
    for (int phase = 1; phase <= kPhases; ++phase) {
      value[static_cast<std::size_t>(m)] = phase;
      pool.barrier();
      if (std::accumulate(value.begin(), value.end(), 0) != phase * kThreads) ++wrong;
      pool.barrier();
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST(ThreadPool, ParallelForCoversEveryIndexOnce) {
  ThreadPool pool(3);
  std::vector<std::atomic<int>> hits(1001);
  pool.parallel_for(1001, 10, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) ++hits[static_cast<std::size_t>(i)];
  });
  for (auto& h : hits) EXPECT_EQ(h, 1);
  pool.parallel_for(0, 10, [&](int64_t, int64_t) { FAIL(); });
}

}  // namespace
}  // namespace minnow
