// Where the members of a team meet, and how long they wait for each other without giving up their core.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace minnow {

// How long a wait looks again and again before it sleeps. Waking up costs some ten microseconds, so looking pays when
// everybody runs and a wait is over sooner than that. It does not when another process keeps the one that is waited for
// from running. Each wait that ended in sleep tells which it was: a short one makes the next look longer, a long one
// shorter. Even the shortest look covers the ordinary differences between members, though: on a busy machine a thread
// that sleeps gives away the rest of its time slice, and with it the milliseconds in which the whole team runs.
// One object may be shared by several waiting threads.
class Patience {
 public:
  static constexpr int kMost = 4096;  // pauses of 10 to 40 nanoseconds each
  static constexpr int kLeast = 1024;
  static constexpr int kCrowded = 32;  // as `most`: for more threads than cores, where looking keeps another from coming
  static constexpr std::chrono::microseconds kShort{100};  // about as long as kMost pauses

  explicit Patience(int most = kMost) : most_(most), pauses_(most) {}

  int pauses() const { return pauses_.load(std::memory_order_relaxed); }

  // A wait that slept took this long in all.
  void learn(std::chrono::steady_clock::duration waited) {
    const int now = pauses(), least = std::min(kLeast, most_);
    pauses_.store(waited < kShort ? std::min(2 * now, most_) : std::max(now / 2, least), std::memory_order_relaxed);
  }

  // Returns when `value` differs from `old`. Who changes it calls value.notify_all().
  template <typename T>
  void wait_for_change(const std::atomic<T>& value, T old) {
    wait_for_change(value, old, pauses());
  }
  template <typename T>
  void wait_for_change(const std::atomic<T>& value, T old, int most_pauses) {
    for (int i = most_pauses; i > 0; --i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause();
    }
    const auto start = std::chrono::steady_clock::now();
    while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
    learn(std::chrono::steady_clock::now() - start);
  }

 private:
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");  // "yield" takes no time on most cores
#endif
  }

  const int most_;
  std::atomic<int> pauses_;
};

// All n threads meet, again and again. When two of them met on one CPU, looking would only keep the other from coming,
// and the next wait sleeps soon.
class Barrier {
 public:
  struct Broken {};  // thrown at those who wait when one of them will not come

  explicit Barrier(int n, int most_pauses = Patience::kMost);

  // Throws Broken once break_up() was called. While others are awaited, `idle` is called again and again until it returns
  // false; it should be short.
  void arrive_and_wait(const std::function<bool()>& idle = {});
  // Releases all who wait, and all who will.
  void break_up();
  // As new. Nobody may be inside.
  void repair();
  // Two arrived on one CPU in this phase or the one before.
  bool crowded() const {
    return phase_.load(std::memory_order_relaxed) - shared_seat_.load(std::memory_order_relaxed) <= kStep;
  }
  Patience& patience() { return patience_; }

 private:
  static constexpr uint32_t kBrokenBit = 1, kStep = 2;  // of phase_
  static constexpr uint32_t kNever = 1u << 31;
  struct alignas(64) Seat {
    std::atomic<uint32_t> phase{kNever};  // in which somebody arrived last on this CPU
  };
  void take_seat(uint32_t phase);

  const int n_;
  std::vector<Seat> seats_;  // by CPU
  std::atomic<uint32_t> shared_seat_{kNever};  // the last phase in which two arrived on one CPU
  alignas(64) std::atomic<int> arrived_{0};  // not on the line that the others look at
  alignas(64) std::atomic<uint32_t> phase_{0};
  alignas(64) Patience patience_;
};

}  // namespace minnow
