// What one step of a model costs at least: the bytes that it must read and the operations that it must do.
#pragma once

#include <cstdint>
#include <string_view>

#include "cpu/kv_cache.h"
#include "cpu/machine.h"
#include "graph/graph.h"

namespace minnow {

// A step that gives `count` tokens to each of `sequences` sequences, which hold `past` tokens already.
struct StepShape {
  int64_t sequences = 1;
  int64_t count = 1;
  int64_t past = 0;
};

struct StepWork {
  double weight_bytes = 0;  // matrices, as they lie in the file, each once
  double kv_bytes = 0;      // keys and values that attention sees, each once
  double int8_ops = 0;      // multiplies and adds with quantized weights
  double bf16_ops = 0;      // what an engine with this cache type multiplies in bf16, where there is a unit for it
  double f32_ops = 0;

  StepWork& operator+=(const StepWork& o);
};

// Of a graph as build_graph makes it. Of experts as many are counted as tokens that choose at random hit on average.
// Each sequence asks for one row of output, as it does when it generates or its prompt ends.
StepWork step_work(const Graph& graph, KvType kv, StepShape shape);

// Of one attention over queries [T, heads, D] and keys [T, KV heads, D].
StepWork attention_work(const AttentionAttrs& attrs, const Shape& q, const Shape& k, KvType kv, StepShape shape);

// What the machine would need if nothing but one of its two limits held it up.
struct LowerBound {
  double seconds = 0;
  bool by_memory = false;  // else by multiplications
};
LowerBound lower_bound(const StepWork& work, const MachineLimits& limits);

}  // namespace minnow
