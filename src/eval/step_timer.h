// Times steps of the CPU's executor by themselves, run as the executor runs them.
#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/machine.h"
#include "cpu/step.h"

namespace minnow {

class StepTimer {
 public:
  StepTimer(int n_threads, Isa isa);

  // Runs the steps of a batch once, one after the other, and returns the seconds that they took.
  double run_once(const std::vector<std::unique_ptr<Step>>& steps, const Batch& batch, KvCache* kv = nullptr);
  // Median of several runs after a warm-up.
  double run(const std::vector<std::unique_ptr<Step>>& steps, const Batch& batch, KvCache* kv = nullptr);
  // The machine's limits; of memory, as it is at this moment.
  MachineLimits limits_now();

  ThreadPool& pool() { return pool_; }

 private:
  ThreadPool pool_;
  const Kernels& kernels_;
  MachineLimits limits_;
  ReadProbe probe_;
};

// n tokens of one sequence at its start, for steps that look at rows only.
Batch rows_batch(int64_t n);

}  // namespace minnow
