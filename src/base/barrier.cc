#include "base/barrier.h"

namespace minnow {

void Barrier::arrive_and_wait(const std::function<bool()>& idle) {
  const uint32_t phase = phase_.load(std::memory_order_acquire);
  if ((phase & kBrokenBit) != 0) throw Broken{};
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == n_) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.fetch_add(kStep, std::memory_order_release);
    if (n_ > 1) phase_.notify_all();
    return;
  }
  while (idle && phase_.load(std::memory_order_acquire) == phase && idle()) {}
  patience_.wait_for_change(phase_, phase);
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
