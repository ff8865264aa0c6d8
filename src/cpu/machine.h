// What this machine is, and what it can do at most: the yardsticks of every speed that minnow reports.
#pragma once

#include <memory>
#include <string>

#include "base/page_memory.h"
#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/kernels.h"
#include "tensor/dtype.h"

namespace minnow {

struct MachineLimits {
  double read_bytes_per_second = 0;  // memory read, a buffer much larger than the caches
  double int8_ops_per_second = 0;    // multiplies and adds of the widest 8-bit dot product
  double bf16_ops_per_second = 0;    // multiplies and adds of the bf16 dot product; 0 where there is none
  double f32_ops_per_second = 0;     // multiplies and adds of f32
};

// With all members of the pool at once; takes about `seconds` in all. Memory by the clock, the best of several passes,
// since other load only ever makes one slower; multiplication by each thread's CPU time, the median of several runs.
MachineLimits measure_limits(ThreadPool& pool, Isa isa, double seconds = 0.6);

// The rate that bounds products with weights of this type: 8-bit for quantized ones, bf16 for F16 and BF16 where there is an
// instruction, else f32.
double multiply_rate(const MachineLimits& limits, DType weights);

// Measures read bandwidth again and again, beside other measurements. It keeps its buffer (up to 512 MB), and no thread
// of it runs in between.
class ReadProbe {
 public:
  // The pool must outlive it. Throws kLimit when there is no memory to spare.
  ReadProbe(ThreadPool& pool, Isa isa);
  // The best of the passes over the buffer that fit into the time; at least one.
  double bytes_per_second(double seconds);

 private:
  ThreadPool& pool_;
  const Kernels& kernels_;
  int64_t share_;  // bytes of each member
  std::shared_ptr<PageMemory> memory_;
};

// "AMD EPYC 9755 128-Core Processor" as the system says it; empty when it does not.
std::string cpu_model();

}  // namespace minnow
