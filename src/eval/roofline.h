// Each shape of matrix of a model, and its attention, multiplied alone: how near they come to the machine's limits.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cpu/isa.h"
#include "cpu/kv_cache.h"
#include "graph/graph.h"

namespace minnow {

class StepTimer;

struct RooflineOptions {
  int n_threads = 1;
  Isa isa = Isa::kBaseline;
  KvType kv_type = KvType::kF16;
  std::vector<int64_t> columns = {1, 4, 8, 16, 512};  // tokens at once
  int64_t depth = 4096;                               // positions that attention sees
  std::function<void(const std::string& what)> progress;
};

// One shape at one number of columns.
struct RooflinePoint {
  std::string what;        // "attn_q", of which the layers have one each; "attention"
  std::string dtype;       // of the weights, or of the cache
  int64_t n_rows = 0, k = 0;
  int64_t count = 0;       // matrices of this shape in the model
  int64_t n_columns = 0;
  double seconds = 0;      // of one product, median
  double operations = 0, bytes = 0;
  double limit_share = 0;  // of what the tighter limit allows
  bool memory_bound = false;
};

// Weights are read from memory, not from a cache: products go round all matrices of a shape, and copies of them where
// they are few. Inputs are random. Limits are measured beside each shape. Throws what packing throws, and kLimit.
std::vector<RooflinePoint> roofline(const Graph& graph, const RooflineOptions& options);
// Its second part: attention at the depth, with a sequence for each column up to 16, else one chunk of a prompt.
std::vector<RooflinePoint> roofline_attention(const Graph& graph, const RooflineOptions& options, StepTimer& timer);

}  // namespace minnow
