#include "cpu/machine.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <vector>

#include "cpu/executor.h"

namespace minnow {
namespace {

constexpr int64_t kReadBytes = int64_t{512} << 20;
constexpr int64_t kPage = 4096;
constexpr int64_t kRateRounds = 10'000;
constexpr double kRateSeconds = 0.004;

using Clock = std::chrono::steady_clock;

// CPU time of this thread, in seconds.
double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// What the members do in a second together. By CPU time: other load takes time away, not the rate. Of runs of some
// milliseconds each member's median counts, since the time of a short one is rough where the machine is a guest.
// More members than cores share the cores.
double multiply_rate_of(ThreadPool& pool, double seconds, double (*kernel)(int64_t, int64_t*)) {
  std::vector<double> rates(static_cast<std::size_t>(pool.size()));
  pool.run([&](int member) {
    volatile double sink = 0;
    std::vector<double> runs;
    int64_t rounds = kRateRounds;
    const double end = thread_seconds() + seconds;
    for (double start = thread_seconds(); start < end || runs.empty();) {
      int64_t operations = 0;
      sink = kernel(rounds, &operations);
      const double now = thread_seconds();
      if (operations == 0) return;  // the instruction set has no such product
      if (now - start >= kRateSeconds) {
        runs.push_back(static_cast<double>(operations) / (now - start));
      } else {
        rounds *= 2;
      }
      start = now;
    }
    (void)sink;
    std::nth_element(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(runs.size() / 2), runs.end());
    rates[static_cast<std::size_t>(member)] = runs[runs.size() / 2];
  });
  double total = 0;
  for (const double r : rates) total += r;
  return total * std::min(1.0, static_cast<double>(available_cores()) / pool.size());
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
  double best = 0;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  do {
    const auto start = Clock::now();
    pool_.run([&](int m) { sink = kernels_.read_memory(memory_->data() + m * share_, share_); });
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, static_cast<double>(share_ * pool_.size()) / took);
  } while (Clock::now() < end);
  return best;
}

MachineLimits measure_limits(ThreadPool& pool, Isa isa, double seconds) {
  const Kernels& k = kernels_for(isa);
  MachineLimits limits;
  limits.read_bytes_per_second = ReadProbe(pool, isa).bytes_per_second(seconds / 2);
  limits.int8_ops_per_second = multiply_rate_of(pool, seconds / 6, k.int8_rate);
  limits.f32_ops_per_second = multiply_rate_of(pool, seconds / 6, k.f32_rate);
  if (k.bf16_rate != nullptr) limits.bf16_ops_per_second = multiply_rate_of(pool, seconds / 6, k.bf16_rate);
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
