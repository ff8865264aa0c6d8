#include "cpu/machine.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/page_memory.h"
#include "cpu/executor.h"
#include "cpu/kernels.h"

namespace minnow {
namespace {

constexpr int64_t kReadBytes = int64_t{512} << 20;

using Clock = std::chrono::steady_clock;

// The best rate of fn, which does `amount` of something per call on each member, until the time is over.
template <typename Fn>
double best_rate(ThreadPool& pool, double seconds, Fn fn) {
  double best = 0;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  do {
    std::vector<double> amount(static_cast<std::size_t>(pool.size()));
    const auto start = Clock::now();
    pool.run([&](int member) { amount[static_cast<std::size_t>(member)] = fn(member); });
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    double total = 0;
    for (const double a : amount) total += a;
    best = std::max(best, total / took);
  } while (Clock::now() < end);
  return best;
}

}  // namespace

MachineLimits measure_limits(ThreadPool& pool, Isa isa, double seconds) {
  const Kernels& k = kernels_for(isa);
  MachineLimits limits;
  volatile double sink = 0;

  const int64_t bytes = std::min<int64_t>(kReadBytes, static_cast<int64_t>(available_memory() / 4)) / 4096 * 4096;
  const auto memory = PageMemory::allocate(static_cast<uint64_t>(bytes), "memory test");
  const int64_t share = bytes / pool.size() / 4096 * 4096;
  pool.run([&](int m) { std::fill_n(memory->data() + m * share, share, std::byte{1}); });
  limits.read_bytes_per_second = best_rate(pool, seconds / 2, [&](int m) {
    sink = k.read_memory(memory->data() + m * share, share);
    return static_cast<double>(share);
  });
  const auto rate = [&](auto kernel) {
    return best_rate(pool, seconds / 4, [&](int) {
      int64_t operations = 0;
      sink = kernel(2'000'000, &operations);
      return static_cast<double>(operations);
    });
  };
  limits.int8_ops_per_second = rate(k.int8_rate);
  if (k.bf16_rate != nullptr) limits.bf16_ops_per_second = rate(k.bf16_rate);
  limits.f32_ops_per_second = rate(k.f32_rate);
  (void)sink;
  return limits;
}

}  // namespace minnow
