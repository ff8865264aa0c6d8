#include "cpu/machine.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <vector>

#include "cpu/executor.h"

namespace minnow {
namespace {

constexpr int64_t kReadBytes = int64_t{512} << 20;
constexpr int64_t kPage = 4096;
constexpr int64_t kRateRounds = 500'000;

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

ReadProbe::ReadProbe(ThreadPool& pool, Isa isa) : pool_(pool), kernels_(kernels_for(isa)) {
  const int64_t bytes = std::min<int64_t>(kReadBytes, static_cast<int64_t>(available_memory() / 4));
  share_ = std::max<int64_t>(1, bytes / pool.size() / kPage) * kPage;
  memory_ = PageMemory::allocate(static_cast<uint64_t>(share_ * pool.size()), "memory test");
  pool.run([&](int m) { std::fill_n(memory_->data() + m * share_, share_, std::byte{1}); });
}

double ReadProbe::bytes_per_second(double seconds) {
  volatile double sink = 0;
  return best_rate(pool_, seconds, [&](int m) {
    sink = kernels_.read_memory(memory_->data() + m * share_, share_);
    return static_cast<double>(share_);
  });
}

MachineLimits measure_limits(ThreadPool& pool, Isa isa, double seconds) {
  const Kernels& k = kernels_for(isa);
  MachineLimits limits;
  limits.read_bytes_per_second = ReadProbe(pool, isa).bytes_per_second(seconds / 2);
  volatile double sink = 0;
  const auto rate = [&](auto kernel) {
    return best_rate(pool, seconds / 6, [&](int) {
      int64_t operations = 0;
      sink = kernel(kRateRounds, &operations);
      return static_cast<double>(operations);
    });
  };
  limits.int8_ops_per_second = rate(k.int8_rate);
  if (k.bf16_rate != nullptr) limits.bf16_ops_per_second = rate(k.bf16_rate);
  limits.f32_ops_per_second = rate(k.f32_rate);
  (void)sink;
  return limits;
}

double multiply_rate(const MachineLimits& limits, DType weights) {
  if (is_quantized(weights)) return limits.int8_ops_per_second;
  const bool bf16 = (weights == DType::kF16 || weights == DType::kBF16) && limits.bf16_ops_per_second > 0;
  return bf16 ? limits.bf16_ops_per_second : limits.f32_ops_per_second;
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return {};
}

}  // namespace minnow
