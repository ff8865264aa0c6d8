#include "eval/step_timer.h"

#include <chrono>

#include "cpu/executor.h"
#include "eval/spread.h"

namespace minnow {
namespace {

constexpr double kSeconds = 0.25;  // of runs, at least
constexpr std::size_t kRuns = 5;
constexpr double kProbeSeconds = 0.05;

}  // namespace

StepTimer::StepTimer(int n_threads, Isa isa)
    : pool_(n_threads), kernels_(kernels_for(isa)), limits_(measure_limits(pool_, isa)), probe_(pool_, isa) {}

double StepTimer::run_once(const std::vector<std::unique_ptr<Step>>& steps, const Batch& batch, KvCache* kv) {
  const auto n = static_cast<int64_t>(batch.tokens.size());
  std::vector<int32_t> positions;
  for (const SequenceSlice& s : batch.sequences) {
    for (int32_t i = 0; i < s.count; ++i) positions.push_back(s.past + i);
  }
  const std::vector<int32_t> segments(batch.tokens.size());
  const RunContext run{kernels_, batch, positions, segments, {n, n}, kv, pool_.size()};
  for (const auto& step : steps) step->begin(run);
  const auto start = std::chrono::steady_clock::now();
  pool_.run([&](int member) {
    for (const auto& step : steps) {
      pool_.barrier();
      step->work(run, member);
    }
  });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double StepTimer::run(const std::vector<std::unique_ptr<Step>>& steps, const Batch& batch, KvCache* kv) {
  run_once(steps, batch, kv);
  std::vector<double> all;
  for (double total = 0; all.size() < kRuns || total < kSeconds; total += all.back()) all.push_back(run_once(steps, batch, kv));
  return spread_of(std::move(all)).median;
}

MachineLimits StepTimer::limits_now() {
  limits_.read_bytes_per_second = probe_.bytes_per_second(kProbeSeconds);
  return limits_;
}

Batch rows_batch(int64_t n) {
  Batch batch;
  batch.tokens.resize(static_cast<std::size_t>(n));
  batch.sequences = {{0, static_cast<int32_t>(n), 0, {}}};
  return batch;
}

}  // namespace minnow
