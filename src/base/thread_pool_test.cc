#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <numeric>
#include <stdexcept>

#include "base/error.h"

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

TEST(ThreadPool, AnExceptionOfAnyMemberReachesTheCallerWhileOthersWaitAtBarriers) {
  constexpr int kThreads = 4;
  ThreadPool pool(kThreads);
  for (int round = 0; round < 200; ++round) {
    const int thrower = round % kThreads, phase = round % 7;
    std::atomic<int> left{0};
    try {
      pool.run([&](int member) {
        struct Leaving {
          std::atomic<int>& count;
          ~Leaving() { ++count; }
        } leaving{left};
        for (int p = 0; p < 7; ++p) {
          if (member == thrower && p == phase) throw std::runtime_error(std::to_string(round));
          pool.barrier();
        }
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& e) {
      EXPECT_EQ(e.what(), std::to_string(round));
    }
    EXPECT_EQ(left, kThreads) << "run() returned while a member was in the job";
    std::atomic<int> done{0};  // the team works on
    pool.run([&](int) {
      pool.barrier();
      ++done;
      pool.barrier();
      if (done != kThreads) ++left;
    });
    EXPECT_EQ(done, kThreads);
    EXPECT_EQ(left, kThreads);
  }
}

TEST(ThreadPool, OfManyExceptionsTheCallerGetsOne) {
  for (const int n : {1, 3}) {
    ThreadPool pool(n);
    for (int round = 0; round < 50; ++round) {
      EXPECT_THROW(pool.run([](int) { throw Error(ErrorCode::kIo, "all at once"); }), Error);
    }
  }
}

TEST(ThreadPool, ParallelForBeginsNothingMoreAfterAnException) {
  ThreadPool pool(2);
  constexpr int64_t kMany = int64_t{1} << 50;  // never to be finished
  EXPECT_THROW(pool.parallel_for(kMany, 1, [](int64_t begin, int64_t) {
    if (begin == 100) throw std::runtime_error("stop");
  }), std::runtime_error);
}

TEST(ThreadPool, WorkersKeepToTheirBindingAndTheCallerToItsOwn) {
  const auto all = allowed_cpus();
  const std::vector<int> last = {all.back()};
  ThreadPool pool(2, {last, last});
  std::vector<std::vector<int>> seen(2);
  pool.run([&](int member) { seen[static_cast<std::size_t>(member)] = allowed_cpus(); });
  EXPECT_EQ(seen[0], all);
  EXPECT_EQ(seen[1], last);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(MINNOW_EMULATED)
TEST(ThreadPoolDeathTest, AnswersWithAnErrorWhenTheSystemGivesNoMoreThreads) {
  const auto start_many = [] {
    const rlimit little = {2ull << 30, 2ull << 30};  // of address space: stacks take 8 MiB each
    ::setrlimit(RLIMIT_AS, &little);
    try {
      ThreadPool pool(100'000);
    } catch (const Error& e) {
      ::_exit(e.code() == ErrorCode::kLimit && e.hint().find("--threads") != std::string::npos ? 3 : 4);
    }
    ::_exit(5);
  };
  EXPECT_EXIT(start_many(), testing::ExitedWithCode(3), "");
}
#endif

}  // namespace
}  // namespace minnow
