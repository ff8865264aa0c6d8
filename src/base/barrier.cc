#include "base/barrier.h"

#include <sched.h>
#include <unistd.h>

namespace minnow {
namespace {

std::size_t n_seats() { return static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF))); }

}  // namespace

Barrier::Barrier(int n, int most_pauses) : n_(n), seats_(n_seats()), patience_(most_pauses) {}

void Barrier::take_seat(uint32_t phase) {
  const int cpu = ::sched_getcpu();
  if (cpu < 0 || static_cast<std::size_t>(cpu) >= seats_.size()) return;
  auto& last = seats_[static_cast<std::size_t>(cpu)].phase;
  if (last.load(std::memory_order_relaxed) == phase) {
    shared_seat_.store(phase, std::memory_order_relaxed);
  } else {
    last.store(phase, std::memory_order_relaxed);
  }
}

void Barrier::arrive_and_wait(const std::function<bool()>& idle) {
  const uint32_t phase = phase_.load(std::memory_order_acquire);
  if ((phase & kBrokenBit) != 0) throw Broken{};
  take_seat(phase);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == n_) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.fetch_add(kStep, std::memory_order_release);
    if (n_ > 1) phase_.notify_all();
    return;
  }
  while (idle && phase_.load(std::memory_order_acquire) == phase && idle()) {}
  patience_.wait_for_change(phase_, phase, crowded() ? Patience::kCrowded : patience_.pauses());
  if ((phase_.load(std::memory_order_acquire) & kBrokenBit) != 0) throw Broken{};
}

void Barrier::break_up() {
  phase_.fetch_or(kBrokenBit, std::memory_order_acq_rel);
  phase_.notify_all();
}

void Barrier::repair() {
  arrived_.store(0, std::memory_order_relaxed);
  phase_.fetch_and(~kBrokenBit, std::memory_order_release);
}

}  // namespace minnow
