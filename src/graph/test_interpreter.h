// A graph computed in float64, node by node and without a cache: what executors and passes are compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "graph/batch.h"
#include "graph/dropout.h"
#include "graph/graph.h"
#include "graph/test_expert_ops.h"
#include "graph/test_gradient_ops.h"
#include "graph/test_head_loss.h"
#include "tensor/codec.h"

namespace minnow::test {

// Of a weight, the same in the graph of a model and in that of its training.
inline std::string key_of(const Node& weight) {
  return weight.name + "@" + std::to_string(weight.get<WeightAttrs>().first_row);
}
using WeightValues = std::map<std::string, std::vector<double>>;  // by key; weights not named have the values of the graph

class Interpreter {
 public:
  using Values = std::vector<double>;
  // Computes all nodes. Quantized weights are multiplied with inputs as they are.
  Interpreter(const Graph& graph, const TrainingBatch& batch, const WeightValues& weights = {})
      : Interpreter(graph, batch, weights, false) {}
  const Values& value(NodeId id) const { return values_[static_cast<std::size_t>(id)]; }
  const Values& output() const { return value(graph_.output()); }
  // What was added to the gradient of a weight; nullptr when no node adds to it.
  const Values* gradient(NodeId weight) const {
    const auto at = gradients_.find(weight);
    return at == gradients_.end() ? nullptr : &at->second;
  }

  // The output of every token of one sequence (select_rows selects all). Quantized weights see rounded inputs, as in the executor.
  static Values run(const Graph& graph, std::span<const int32_t> tokens) {
    TrainingBatch batch;
    batch.tokens.assign(tokens.begin(), tokens.end());
    batch.sequences = {{.first = 0, .count = static_cast<int32_t>(tokens.size())}};
    batch.output_rows.resize(tokens.size());
    std::iota(batch.output_rows.begin(), batch.output_rows.end(), 0);
    return Interpreter(graph, batch, {}, true).output();
  }

 private:
  Interpreter(const Graph& graph, const TrainingBatch& batch, const WeightValues& weights, bool rounds_inputs)
      : graph_(graph), batch_(batch), weights_(weights), rounds_inputs_(rounds_inputs), n_tokens_(batch.tokens.size()) {
    for (const Node& n : graph.nodes()) {
      values_.push_back(is_weight_grad(n.op) ? Values() : compute(n));
      if (is_weight_grad(n.op)) add_gradient(trained_by(n)[0], weight_gradient(n));
    }
  }

  void add_gradient(NodeId weight, const Values& addend) {
    Values& sum = gradients_[weight];
    sum.resize(addend.size());
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += addend[i];
  }
  const Values& in(const Node& n, int i) const {
    return values_[static_cast<std::size_t>(n.inputs[static_cast<std::size_t>(i)])];
  }
  const Node& node(const Node& n, int i) const { return graph_.node(n.inputs[static_cast<std::size_t>(i)]); }

  template <typename Fn>
  static Values each(const Values& x, Fn fn) {
    Values y;
    for (const double v : x) y.push_back(fn(v));
    return y;
  }
  // b repeats over a.
  template <typename Fn>
  static Values pairs(const Values& a, const Values& b, Fn fn) {
    Values y;
    for (std::size_t i = 0; i < a.size(); ++i) y.push_back(fn(a[i], b[i % b.size()]));
    return y;
  }

  Values compute(const Node& n) {
    switch (n.op) {
      case Op::kTokens: return {batch_.tokens.begin(), batch_.tokens.end()};
      case Op::kPositions: return of_each_token([](const SequenceSlice&, int32_t i) { return static_cast<double>(i); });
      case Op::kSegments:
        return of_each_token(
            [](const SequenceSlice& s, int32_t i) { return s.second_segment >= 0 && i >= s.second_segment ? 1.0 : 0.0; });
      case Op::kTargets: return {batch_.targets.begin(), batch_.targets.end()};
      case Op::kLossWeights: return {batch_.loss_weights.begin(), batch_.loss_weights.end()};
      case Op::kTeacher: return {batch_.teacher.begin(), batch_.teacher.end()};
      case Op::kOutputGrad: return {batch_.output_grad.begin(), batch_.output_grad.end()};
      case Op::kWeight: return weight(n);
      case Op::kEmbed: return embed(n);
      case Op::kMatMul: return matmul(n);
      case Op::kAdd: return pairs(in(n, 0), in(n, 1), [](double a, double b) { return a + b; });
      case Op::kMul: return pairs(in(n, 0), in(n, 1), [](double a, double b) { return a * b; });
      case Op::kScale: return each(in(n, 0), [f = n.get<ScaleAttrs>().factor](double x) { return f * x; });
      case Op::kUnary: return each(in(n, 0), [fn = n.get<UnaryAttrs>().fn](double x) { return activation(fn, x); });
      case Op::kGated:
        return pairs(in(n, 0), in(n, 1),
                     [fn = n.get<UnaryAttrs>().fn](double g, double u) { return activation(fn, g) * u; });
      case Op::kSoftCap:
        return each(in(n, 0), [cap = n.get<SoftCapAttrs>().cap](double x) { return cap * std::tanh(x / cap); });
      case Op::kRmsNorm: return rms_norm(n);
      case Op::kLayerNorm: return layer_norm(n);
      case Op::kShortConv: return short_conv(n);
      case Op::kRoute: return route(n);
      case Op::kExpertMatMul: return expert_matmul(n);
      case Op::kExpertSum: return expert_sum(n);
      case Op::kRopeTable: return rope_table(n);
      case Op::kRope: return rotated(n, 1);
      case Op::kAttention: return attention(n).y;
      case Op::kBatchAttention: {
        const Attended a = attention(n);
        parts_ = {a.ln_sums};
        return a.y;
      }
      case Op::kReshape: return in(n, 0);
      case Op::kSelectRows: return select_rows(n);
      case Op::kRoundInput:
        return rounded(in(n, 0), static_cast<std::size_t>(n.shape.last()), static_cast<std::size_t>(n.get<RoundInputAttrs>().block));
      case Op::kDropout:
        return dropout(n);
      case Op::kInverseRowNorms: return inverse_row_norms(n);
      case Op::kPart: return parts_[static_cast<std::size_t>(n.get<PartAttrs>().index) - 1];
      case Op::kHeadLoss: return head_loss(n);
      default: return gradient_of_value(n);
    }
  }

  // fn(sequence, position within it)
  template <typename Fn>
  Values of_each_token(Fn fn) const {
    Values y;
    for (const SequenceSlice& s : batch_.sequences) {
      for (int32_t i = 0; i < s.count; ++i) y.push_back(fn(s, i));
    }
    return y;
  }

  Values weight(const Node& n) const {
    if (const auto at = weights_.find(key_of(n)); at != weights_.end()) return at->second;
    const std::vector<float> w = to_f32(n.values());
    return {w.begin(), w.end()};
  }

  Values select_rows(const Node& n) const {
    const std::size_t width = in(n, 0).size() / n_tokens_;
    Values y;
    for (const int32_t row : batch_.output_rows) {
      const double* x = in(n, 0).data() + static_cast<std::size_t>(row) * width;
      y.insert(y.end(), x, x + width);
    }
    return y;
  }

  Values dropout(const Node& n) const {
    const auto& attrs = n.get<DropoutAttrs>();
    const std::size_t width = in(n, 0).size() / n_tokens_;
    Values y = in(n, 0);
    for (std::size_t i = 0; i < y.size(); ++i) {
      const uint32_t key = dropout_row_key(batch_.seed, attrs.salt, static_cast<uint32_t>(i / width));
      const bool dropped = dropout_bits(key, static_cast<uint32_t>(i % width)) < dropout_threshold(attrs.p);
      y[i] = dropped ? 0 : y[i] / (1 - static_cast<double>(attrs.p));
    }
    return y;
  }

  Values inverse_row_norms(const Node& n) const {
    const auto rows = static_cast<std::size_t>(node(n, 0).shape[0]), k = static_cast<std::size_t>(node(n, 0).shape[1]),
               rank = static_cast<std::size_t>(node(n, 1).shape[0]);
    const Values &w = in(n, 0), &a = in(n, 1), &b = in(n, 2);
    Values y;
    for (std::size_t i = 0; i < rows; ++i) {
      double squares = 0;
      for (std::size_t j = 0; j < k; ++j) {
        double v = w[i * k + j];
        for (std::size_t r = 0; r < rank; ++r) v += static_cast<double>(n.get<ScaleAttrs>().factor) * b[i * rank + r] * a[r * k + j];
        squares += v * v;
      }
      y.push_back(squares > 0 ? 1 / std::sqrt(squares) : 0);
    }
    return y;
  }

  Values head_loss(const Node& n) {
    const auto& attrs = n.get<HeadLossAttrs>();
    const auto width = static_cast<std::size_t>(node(n, 1).shape[1]);
    const Values none;
    const HeadLossGrads g = head_loss_grads({in(n, 0), in(n, 1), in(n, 2), in(n, 3), attrs.has_bias ? in(n, 4) : none,
                                             attrs.teacher.top_k > 0 ? in(n, attrs.has_bias ? 5 : 4) : none, width, attrs});
    if (attrs.trains_weight) add_gradient(n.inputs[1], g.d_weight);
    if (attrs.trains_bias) add_gradient(n.inputs[4], g.d_bias);
    parts_ = {g.d_x};
    return g.losses;
  }

  Values embed(const Node& n) const {
    const auto d = static_cast<std::size_t>(n.shape.last());
    Values y;
    for (const double row_number : in(n, 1)) {
      const double* row = in(n, 0).data() + static_cast<std::size_t>(row_number) * d;
      y.insert(y.end(), row, row + d);
    }
    return y;
  }

  // What the weights of a product see of its input.
  Values multiplied(const Node& n) const {
    const Node& weight = node(n, 1);
    if (!rounds_inputs_ || !is_quantized(weight.constant.dtype)) return in(n, 0);
    return rounded(in(n, 0), static_cast<std::size_t>(weight.shape.last()), info(weight.constant.dtype).block_size == 32 ? 32 : 256);
  }

  // The codes nearest to x, of 127 steps either side in blocks of the values of a row of k.
  static Values rounded(Values x, std::size_t k, std::size_t block) {
    for (std::size_t begin = 0; begin < x.size();) {
      const std::size_t end = std::min(begin + block, (begin / k + 1) * k);
      double largest = 0;
      for (std::size_t i = begin; i < end; ++i) largest = std::max(largest, std::abs(x[i]));
      const double d = largest / 127;
      for (std::size_t i = begin; i < end; ++i) x[i] = d > 0 ? std::nearbyint(x[i] / d) * d : 0;
      begin = end;
    }
    return x;
  }

  Values layer_norm(const Node& n) const {
    const auto d = static_cast<std::size_t>(n.shape.last());
    Values y = in(n, 0);
    for (std::size_t b = 0; b < y.size(); b += d) {
      double mean = 0, variance = 0;
      for (std::size_t i = 0; i < d; ++i) mean += y[b + i] / static_cast<double>(d);
      for (std::size_t i = 0; i < d; ++i) variance += (y[b + i] - mean) * (y[b + i] - mean) / static_cast<double>(d);
      const double factor = 1 / std::sqrt(variance + n.get<NormAttrs>().eps);
      for (std::size_t i = 0; i < d; ++i) {
        y[b + i] = (y[b + i] - mean) * factor * in(n, 1)[i] + (n.n_inputs() > 2 ? in(n, 2)[i] : 0);
      }
    }
    return y;
  }

  Values short_conv(const Node& n) const {
    const auto d = static_cast<std::size_t>(n.shape[1]), taps = static_cast<std::size_t>(node(n, 1).shape[1]);
    Values y(in(n, 0).size(), 0.0);
    for_conv_taps(lengths(), taps, [&](std::size_t to, std::size_t from, std::size_t j) {
      for (std::size_t i = 0; i < d; ++i) y[to * d + i] += in(n, 1)[i * taps + j] * in(n, 0)[from * d + i];
    });
    return y;
  }

  std::vector<std::size_t> lengths() const {
    std::vector<std::size_t> all;
    for (const SequenceSlice& s : batch_.sequences) all.push_back(static_cast<std::size_t>(s.count));
    return all;
  }

  Values route(const Node& n) const {
    const auto& attrs = n.get<RouteAttrs>();
    const auto n_experts = static_cast<std::size_t>(node(n, 0).shape[1]), k = static_cast<std::size_t>(attrs.n_used);
    Values y;
    for (std::size_t t = 0; t < n_tokens_; ++t) {
      Values p(n_experts);
      double sum = 0;
      for (std::size_t e = 0; e < n_experts; ++e) sum += p[e] = std::exp(in(n, 0)[t * n_experts + e]);
      Values ids, weights;
      double chosen = 0;
      for (std::size_t i = 0; i < k; ++i) {
        const auto best = std::max_element(p.begin(), p.end());
        ids.push_back(static_cast<double>(best - p.begin()));
        weights.push_back(*best / sum);
        chosen += *best / sum;
        *best = -1;
      }
      for (double& w : weights) w *= attrs.scale / (attrs.normalize ? chosen : 1);
      y.insert(y.end(), ids.begin(), ids.end());
      y.insert(y.end(), weights.begin(), weights.end());
    }
    return y;
  }

  // Pairs in the order of tokens and slots.
  Values expert_matmul(const Node& n) const {
    const Values x = multiplied(n);
    const auto k = static_cast<std::size_t>(n.shape[1]), rows = static_cast<std::size_t>(n.shape[2]);
    const auto width = static_cast<std::size_t>(node(n, 1).shape[2]);
    const bool per_pair = node(n, 0).shape.rank() == 3;
    Values y;
    for (std::size_t pair = 0; pair < n_tokens_ * k; ++pair) {
      const double* row = x.data() + (per_pair ? pair : pair / k) * width;
      const auto expert = static_cast<std::size_t>(in(n, 2)[pair / k * 2 * k + pair % k]);
      for (std::size_t r = 0; r < rows; ++r) {
        double sum = 0;
        for (std::size_t i = 0; i < width; ++i) sum += row[i] * in(n, 1)[(expert * rows + r) * width + i];
        y.push_back(sum);
      }
    }
    return y;
  }

  Values expert_sum(const Node& n) const {
    const auto d = static_cast<std::size_t>(n.shape[1]), k = static_cast<std::size_t>(node(n, 0).shape[1]);
    Values y(n_tokens_ * d, 0.0);
    for (std::size_t pair = 0; pair < n_tokens_ * k; ++pair) {
      const double weight = in(n, 1)[pair / k * 2 * k + k + pair % k];
      for (std::size_t i = 0; i < d; ++i) y[pair / k * d + i] += weight * in(n, 0)[pair * d + i];
    }
    return y;
  }

  Values matmul(const Node& n) const {
    const Values x = multiplied(n);
    const Values& w = in(n, 1);
    const auto k = static_cast<std::size_t>(node(n, 1).shape[1]);
    Values y;
    for (std::size_t t = 0; t < x.size(); t += k) {
      for (std::size_t r = 0; r < w.size(); r += k) {
        double sum = 0;
        for (std::size_t i = 0; i < k; ++i) sum += x[t + i] * w[r + i];
        y.push_back(sum);
      }
    }
    return y;
  }

  Values rms_norm(const Node& n) const {
    const auto d = static_cast<std::size_t>(n.shape.last());
    Values y = in(n, 0);
    for (std::size_t b = 0; b < y.size(); b += d) {
      double squares = 0;
      for (std::size_t i = 0; i < d; ++i) squares += y[b + i] * y[b + i];
      const double factor = 1 / std::sqrt(squares / static_cast<double>(d) + n.get<NormAttrs>().eps);
      for (std::size_t i = 0; i < d; ++i) y[b + i] *= factor * in(n, 1)[i];
    }
    return y;
  }

  Values rope_table(const Node& n) const {
    const auto& attrs = n.get<RopeTableAttrs>();
    Values y;
    for (const double position : in(n, 0)) {
      const double magnitude =
          attrs.magnitude * (1 + attrs.temperature_beta * std::log(1 + std::floor(position / attrs.temperature_length)));
      for (const double f : attrs.inv_freq) y.push_back(std::cos(position * f) * magnitude);
      for (const double f : attrs.inv_freq) y.push_back(std::sin(position * f) * magnitude);
    }
    return y;
  }

  // sign: 1, or -1 for the transposed rotation.
  Values rotated(const Node& n, double sign) const {
    const auto heads = static_cast<std::size_t>(n.shape[1]), d = static_cast<std::size_t>(n.shape[2]);
    const auto n_freq = static_cast<std::size_t>(node(n, 1).shape.last()) / 2;
    const bool halves = n.get<RopeAttrs>().layout == RopeLayout::kHalves;
    Values y = in(n, 0);
    for (std::size_t row = 0; row < y.size() / d; ++row) {
      const double* table = in(n, 1).data() + row / heads * 2 * n_freq;
      for (std::size_t i = 0; i < n_freq; ++i) {
        double& a = y[row * d + (halves ? i : 2 * i)];
        double& b = y[row * d + (halves ? i + n_freq : 2 * i + 1)];
        const double a0 = a, b0 = b;
        a = a0 * table[i] - sign * b0 * table[n_freq + i];
        b = sign * a0 * table[n_freq + i] + b0 * table[i];
      }
    }
    return y;
  }

  AttentionShape attention_shape(const Node& q, const Node& k, const AttentionAttrs& attrs) const {
    return {lengths(), static_cast<std::size_t>(q.shape[1]), static_cast<std::size_t>(k.shape[1]),
            static_cast<std::size_t>(q.shape[2]), attrs};
  }

  Attended attention(const Node& n) const {
    return attend(in(n, 0), in(n, 1), in(n, 2), attention_shape(node(n, 0), node(n, 1), n.get<AttentionAttrs>()));
  }

  RouteShape route_shape(const Node& route) const {
    return {n_tokens_, static_cast<std::size_t>(graph_.node(route.inputs[0]).shape[1]), route.get<RouteAttrs>()};
  }

  Values gradient_of_value(const Node& n) {
    const Values &dy = in(n, 0), &b = in(n, std::min(1, n.n_inputs() - 1)), &c = in(n, std::min(2, n.n_inputs() - 1));
    switch (n.op) {
      case Op::kMatMulGrad: return product(dy, b, static_cast<std::size_t>(node(n, 1).shape[0]));
      case Op::kUnaryGrad:
        return pairs(dy, b, [fn = n.get<UnaryAttrs>().fn](double g, double x) { return g * slope(fn, x); });
      case Op::kGatedGrad: {
        const UnaryFn fn = n.get<UnaryAttrs>().fn;
        parts_ = {pairs(dy, b, [fn](double g, double gate) { return g * activation(fn, gate); })};
        return pairs(pairs(dy, c, [](double g, double up) { return g * up; }), b,
                     [fn](double g, double gate) { return g * slope(fn, gate); });
      }
      case Op::kSoftCapGrad:
        return pairs(dy, b,
                     [cap = n.get<SoftCapAttrs>().cap](double g, double x) { return g / std::pow(std::cosh(x / cap), 2); });
      case Op::kRmsNormGrad: return rms_norm_grads(dy, b, c, n.get<NormAttrs>().eps).d_x;
      case Op::kLayerNormGrad: return layer_norm_grads(dy, b, c, n.get<NormAttrs>().eps).d_x;
      case Op::kRopeGrad: return rotated(n, -1);
      case Op::kBatchAttentionGrad: {
        // From q, k and v alone: results and sums of the forward pass are there for executors.
        const AttentionGrads g =
            attend_grads(dy, in(n, 1), in(n, 2), in(n, 3), attention_shape(node(n, 1), node(n, 2), n.get<AttentionAttrs>()));
        parts_ = {g.d_k, g.d_v};
        return g.d_q;
      }
      case Op::kShortConvGrad: return short_conv_grad(dy, b, lengths(), static_cast<std::size_t>(node(n, 1).shape[1]));
      case Op::kScatterRows: return scatter_rows(n);
      case Op::kExpertMatMulGrad:
        return expert_matmul_grad(dy, b, c, static_cast<std::size_t>(node(n, 1).shape[1]), route_shape(node(n, 2)),
                                  n.shape.rank() == 3);
      case Op::kExpertSumGrad: return expert_sum_grad(dy, b, route_shape(node(n, 1)));
      case Op::kExpertSumRouteGrad: return expert_sum_route_grad(dy, b, route_shape(node(n, 2)));
      case Op::kRouteGrad: return route_grad(dy, b, c, route_shape(node(n, 2)));
      default: return {};
    }
  }

  Values scatter_rows(const Node& n) const {
    const std::size_t width = in(n, 0).size() / std::max<std::size_t>(batch_.output_rows.size(), 1);
    Values y(n_tokens_ * width, 0.0);
    for (std::size_t r = 0; r < batch_.output_rows.size(); ++r) {
      for (std::size_t i = 0; i < width; ++i)
        y[static_cast<std::size_t>(batch_.output_rows[r]) * width + i] += in(n, 0)[r * width + i];
    }
    return y;
  }

  Values weight_gradient(const Node& n) const {
    const Values &dy = in(n, 0), &x = in(n, 1);
    const Node& weight = graph_.node(trained_by(n)[0]);
    const auto size = static_cast<std::size_t>(weight.shape.elements()),
               last = static_cast<std::size_t>(weight.shape.last());
    switch (n.op) {
      case Op::kEmbedWeightGrad: {
        Values d(size, 0.0);
        for (std::size_t i = 0; i < dy.size(); ++i) d[static_cast<std::size_t>(x[i / last]) * last + i % last] += dy[i];
        return d;
      }
      case Op::kMatMulWeightGrad: return transposed_product(dy, x, last);
      case Op::kBiasGrad: return sum_of_rows(dy, last);
      case Op::kGainGrad: return sum_of_rows(pairs(dy, x, [](double a, double b) { return a * b; }), last);
      case Op::kRmsNormWeightGrad: return rms_norm_grads(dy, x, Values(last, 1.0), n.get<NormAttrs>().eps).d_weight;
      case Op::kLayerNormWeightGrad: return layer_norm_grads(dy, x, Values(last, 1.0), n.get<NormAttrs>().eps).d_weight;
      case Op::kShortConvWeightGrad: return short_conv_weight_grad(dy, x, lengths(), last);
      case Op::kExpertMatMulWeightGrad:
        return expert_matmul_weight_grad(dy, x, in(n, 2), static_cast<std::size_t>(weight.shape[1]), last,
                                         route_shape(node(n, 2)));
      default: return {};
    }
  }

  const Graph& graph_;
  const TrainingBatch& batch_;
  const WeightValues& weights_;
  bool rounds_inputs_;
  std::size_t n_tokens_;
  std::vector<Values> values_;
  std::vector<Values> parts_;  // of the last node with several values: all but the first
  std::map<NodeId, Values> gradients_;
};

}  // namespace minnow::test
