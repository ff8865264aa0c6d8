// How fast a model runs here.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/machine.h"
#include "engine/engine.h"

namespace minnow {

struct BenchOptions {
  int64_t n_prompt = 512;      // tokens read at once; 0: skip
  int64_t n_generate = 128;    // tokens made one after the other; 0: skip
  int repetitions = 5;         // after one warm-up
  uint64_t seed = 1;
};

struct Rate {
  double median = 0, min = 0, max = 0;  // tokens per second
  std::vector<double> all;
};

struct BenchResult {
  Rate prompt, generation;
  uint64_t peak_rss = 0;         // bytes, of model and runs, before the machine's limits were measured
  MachineLimits limits;          // measured right after the runs
  double bandwidth_share = 0;    // of the read limit, reached while generating
  double multiply_share = 0;     // of the multiply rates of the weights' types, while reading the prompt
};

// The engine must have a context of at least max(n_prompt, n_generate) + 1 and reuse_prefixes off.
BenchResult bench(Engine& engine, const BenchOptions& options);

// Weight bytes that one token has to read, and multiply-adds that it costs by the type of the weights: the matrices of
// the model, the embedding only when it is the output projection too.
struct TokenCost {
  uint64_t bytes = 0;
  uint64_t quantized = 0, halves = 0, floats = 0;  // multiply-adds; halves: F16 and BF16
};
TokenCost token_cost(const Model& model);

}  // namespace minnow
