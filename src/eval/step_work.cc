#include "eval/step_work.h"

#include <algorithm>
#include <cmath>

namespace minnow {
namespace {

double as_double(int64_t n) { return static_cast<double>(n); }

// Of n tokens, each with `used` of the experts, how many experts have some on average.
double experts_hit(int64_t n_experts, int64_t used, double n_tokens) {
  const double missed = 1 - as_double(used) / as_double(n_experts);
  return as_double(n_experts) * (1 - std::pow(missed, n_tokens));
}

void add_product(StepWork& w, DType type, KvType kv, double matrices_read, double matrix_bytes, double operations) {
  w.weight_bytes += matrices_read * matrix_bytes;
  const bool in_f32 = type == DType::kF32 || computes_in_f32(kv);
  (is_quantized(type) ? w.int8_ops : in_f32 ? w.f32_ops : w.bf16_ops) += operations;
}

// Positions that the tokens see, summed over the tokens, and how many different ones.
struct Visible {
  double pairs = 0, positions = 0;
};

Visible visible(const AttentionAttrs& a, const StepShape& s) {
  const int64_t end = s.past + s.count;
  if (!a.causal) {
    const int64_t seen = a.window > 0 ? std::min<int64_t>(a.window, end) : end;
    return {as_double(s.count) * as_double(seen), as_double(end)};
  }
  if (a.window <= 0) return {as_double(s.count) * (as_double(s.past + 1 + end) / 2), as_double(end)};
  double pairs = 0;
  for (int64_t p = s.past; p < end; ++p) pairs += as_double(std::min<int64_t>(p + 1, a.window));
  return {pairs, as_double(std::min<int64_t>(end, s.count + a.window - 1))};
}

}  // namespace

StepWork& StepWork::operator+=(const StepWork& o) {
  weight_bytes += o.weight_bytes;
  kv_bytes += o.kv_bytes;
  int8_ops += o.int8_ops;
  bf16_ops += o.bf16_ops;
  f32_ops += o.f32_ops;
  return *this;
}

StepWork attention_work(const AttentionAttrs& attrs, const Shape& q, const Shape& k, KvType kv, StepShape shape) {
  const Visible seen = visible(attrs, shape);
  const auto page = static_cast<double>(KvCache::bytes_for({{k[1], k[2]}}, kv, kKvPage));
  StepWork work;
  work.kv_bytes = as_double(shape.sequences) * seen.positions * page / kKvPage;
  // Scores and weighted sums: a multiply and an add for each feature.
  (computes_in_f32(kv) ? work.f32_ops : work.bf16_ops) = as_double(shape.sequences) * 4 * seen.pairs * as_double(q[1] * q[2]);
  return work;
}

StepWork step_work(const Graph& graph, KvType kv, StepShape shape) {
  StepWork work;
  const double tokens = as_double(shape.sequences * shape.count);
  for (const Node& n : graph.nodes()) {
    if (n.op == Op::kMatMul) {
      const Node& w = graph.node(n.inputs[1]);
      const double rows = n.shape[0] == kOutputsDim ? as_double(shape.sequences) : tokens;
      add_product(work, w.constant.dtype, kv, 1, static_cast<double>(w.constant.bytes()), 2 * rows * as_double(w.shape.elements()));
    } else if (n.op == Op::kExpertMatMul) {
      const Node& w = graph.node(n.inputs[1]);
      const int64_t experts = w.shape[0], used = n.shape[1];
      const double bytes = static_cast<double>(w.constant.bytes()) / as_double(experts);
      const double operations = 2 * tokens * as_double(used) * as_double(w.shape.elements() / experts);
      add_product(work, w.constant.dtype, kv, experts_hit(experts, used, tokens), bytes, operations);
    } else if (n.op == Op::kAttention) {
      work += attention_work(n.get<AttentionAttrs>(), graph.node(n.inputs[0]).shape, graph.node(n.inputs[1]).shape, kv, shape);
    }
  }
  return work;
}

LowerBound lower_bound(const StepWork& w, const MachineLimits& limits) {
  const double memory = (w.weight_bytes + w.kv_bytes) / limits.read_bytes_per_second;
  const double products = w.int8_ops / multiply_rate(limits, DType::kQ8_0) + w.bf16_ops / multiply_rate(limits, DType::kBF16) +
                          w.f32_ops / multiply_rate(limits, DType::kF32);
  return {std::max(memory, products), memory > products};
}

}  // namespace minnow
