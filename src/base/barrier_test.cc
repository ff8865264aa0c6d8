#include "base/barrier.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>
#include <vector>

#include "base/topology.h"

namespace minnow {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(Patience, ShrinksWithLongWaitsAndGrowsWithShortOnes) {
  Patience patience;
  EXPECT_EQ(patience.pauses(), Patience::kMost);
  patience.learn(milliseconds(3));
  EXPECT_EQ(patience.pauses(), Patience::kMost / 2);
  for (int i = 0; i < 20; ++i) patience.learn(milliseconds(3));
  EXPECT_EQ(patience.pauses(), Patience::kLeast);
  patience.learn(microseconds(5));
  EXPECT_EQ(patience.pauses(), 2 * Patience::kLeast);
  for (int i = 0; i < 20; ++i) patience.learn(microseconds(5));
  EXPECT_EQ(patience.pauses(), Patience::kMost);
}

TEST(Patience, StaysWithinItsBound) {
  Patience patience(Patience::kCrowded);
  for (const auto waited : {microseconds(5), microseconds(5000)}) {
    patience.learn(waited);
    EXPECT_EQ(patience.pauses(), Patience::kCrowded);
  }
}

TEST(Patience, AWaitThatSleptTeaches) {
  Patience patience;
  std::atomic<int> value{0};
  for (int round = 0; patience.pauses() > Patience::kLeast; ++round) {
    ASSERT_LT(round, 1000);
    std::thread other([&] {
      std::this_thread::sleep_for(milliseconds(2));
      value = round + 1;
      value.notify_all();
    });
    patience.wait_for_change(value, round);
    EXPECT_EQ(value, round + 1);
    other.join();
  }
}

TEST(Barrier, SeparatesPhasesAtAnyPatience) {
  constexpr int kThreads = 4, kPhases = 50;
  for (const int pauses : {Patience::kCrowded, Patience::kMost}) {
    Barrier barrier(kThreads, pauses);
    std::vector<int> value(kThreads, 0);
    std::atomic<int> wrong{0};
    const auto member = [&](std::size_t m) {
      for (int phase = 1; phase <= kPhases; ++phase) {
        value[m] = phase;
        barrier.arrive_and_wait();
        if (std::accumulate(value.begin(), value.end(), 0) != phase * kThreads) ++wrong;
        barrier.arrive_and_wait();
      }
    };
    std::vector<std::thread> threads;
    for (std::size_t m = 0; m < kThreads; ++m) threads.emplace_back(member, m);
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

// Two threads meet some times on these CPUs; whether the barrier found them crowded in the end.
bool crowded_on(int first_cpu, int second_cpu) {
  Barrier barrier(2);
  std::atomic<bool> bound{false};
  const auto member = [&] {
    bound.wait(false);
    for (int phase = 0; phase < 100; ++phase) barrier.arrive_and_wait();
  };
  std::thread a(member), b(member);
  bind(a, {first_cpu});
  bind(b, {second_cpu});
  bound = true;
  bound.notify_all();
  a.join();
  b.join();
  return barrier.crowded();
}

TEST(Barrier, KnowsWhenItsThreadsShareACpu) {
  const auto cpus = allowed_cpus();
  EXPECT_TRUE(crowded_on(cpus[0], cpus[0]));
  if (cpus.size() > 1) {
    EXPECT_FALSE(crowded_on(cpus[0], cpus[1]));
  }
}

TEST(Barrier, BrokenUpItReleasesThoseWhoWaitAndThoseWhoCome) {
  Barrier barrier(3);
  std::atomic<int> arrived{0}, released{0};
  const auto member = [&] {
    ++arrived;
    try {
      barrier.arrive_and_wait();
    } catch (const Barrier::Broken&) {
      ++released;
    }
  };
  std::thread a(member), b(member);
  while (arrived < 2) std::this_thread::yield();
  barrier.break_up();
  a.join();
  b.join();
  EXPECT_THROW(barrier.arrive_and_wait(), Barrier::Broken);
  EXPECT_EQ(released, 2);
  barrier.repair();
  std::thread c(member), d(member), e(member);
  c.join();
  d.join();
  e.join();
  EXPECT_EQ(released, 2);
}

}  // namespace
}  // namespace minnow
