// What this machine can do at most, measured: the yardsticks of every speed that minnow reports.
#pragma once

#include "base/thread_pool.h"
#include "cpu/isa.h"

namespace minnow {

struct MachineLimits {
  double read_bytes_per_second = 0;  // memory read, a buffer much larger than the caches
  double int8_ops_per_second = 0;    // multiplies and adds of the widest 8-bit dot product
  double bf16_ops_per_second = 0;    // multiplies and adds of the bf16 dot product; 0 where there is none
  double f32_ops_per_second = 0;     // multiplies and adds of f32
};

// With all members of the pool at once; takes about `seconds` in all. The best of several short runs: other load only
// ever makes a run slower.
MachineLimits measure_limits(ThreadPool& pool, Isa isa, double seconds = 0.6);

}  // namespace minnow
