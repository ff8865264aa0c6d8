// A graph computed in float64 for one sequence from its beginning, node by node and without a cache: what the
// executor is compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "cpu/panels.h"
#include "graph/graph.h"
#include "tensor/codec.h"

namespace minnow::test {

class Interpreter {
 public:
  // The output for every token (select_rows selects all).
  static std::vector<double> run(const Graph& graph, std::span<const int32_t> tokens) {
    Interpreter interpreter(graph, tokens);
    for (const Node& n : graph.nodes()) interpreter.values_.push_back(interpreter.compute(n));
    return interpreter.values_[static_cast<std::size_t>(graph.output())];
  }

 private:
  using Values = std::vector<double>;
  Interpreter(const Graph& graph, std::span<const int32_t> tokens) : graph_(graph), tokens_(tokens) {}

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
  static double activation(UnaryFn fn, double x) {
    switch (fn) {
      case UnaryFn::kSilu: return x / (1 + std::exp(-x));
      case UnaryFn::kGeluTanh: return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
      case UnaryFn::kGelu: return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
      case UnaryFn::kRelu: return std::max(x, 0.0);
      case UnaryFn::kReluSquared: return x > 0 ? x * x : 0;
      case UnaryFn::kTanh: return std::tanh(x);
    }
    return x;
  }

  Values compute(const Node& n) const {
    switch (n.op) {
      case Op::kTokens:
        return {tokens_.begin(), tokens_.end()};
      case Op::kPositions: {
        Values y(tokens_.size());
        for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<double>(i);
        return y;
      }
      case Op::kSegments:
        return Values(tokens_.size(), 0.0);
      case Op::kWeight: {
        const std::vector<float> w = to_f32(n.constant);
        return {w.begin(), w.end()};
      }
      case Op::kEmbed:
        return embed(n);
      case Op::kMatMul:
        return matmul(n);
      case Op::kAdd:
        return pairs(in(n, 0), in(n, 1), [](double a, double b) { return a + b; });
      case Op::kMul:
        return pairs(in(n, 0), in(n, 1), [](double a, double b) { return a * b; });
      case Op::kScale:
        return each(in(n, 0), [f = n.get<ScaleAttrs>().factor](double x) { return f * x; });
      case Op::kUnary:
        return each(in(n, 0), [fn = n.get<UnaryAttrs>().fn](double x) { return activation(fn, x); });
      case Op::kGated:
        return pairs(in(n, 0), in(n, 1),
                     [fn = n.get<UnaryAttrs>().fn](double g, double u) { return activation(fn, g) * u; });
      case Op::kSoftCap:
        return each(in(n, 0),
                    [cap = n.get<SoftCapAttrs>().cap](double x) { return cap * std::tanh(x / cap); });
      case Op::kRmsNorm:
        return rms_norm(n);
      case Op::kLayerNorm:
        return layer_norm(n);
      case Op::kShortConv:
        return short_conv(n);
      case Op::kRoute:
        return route(n);
      case Op::kExpertMatMul:
        return expert_matmul(n);
      case Op::kExpertSum:
        return expert_sum(n);
      case Op::kRopeTable:
        return rope_table(n);
      case Op::kRope:
        return rope(n);
      case Op::kAttention:
        return attention(n);
      case Op::kReshape:
      case Op::kSelectRows:
        return in(n, 0);
    }
    return {};
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

  // What the weights of a product see of its input: quantized ones the codes nearest to x, of 127 steps either side in blocks of 32 or
  // 256 values of a row of k.
  Values multiplied(const Node& n) const {
    const Node& weight = node(n, 1);
    Values x = in(n, 0);
    if (!is_quantized(weight.constant.dtype)) return x;
    const auto k = static_cast<std::size_t>(weight.shape.last());
    const std::size_t block = info(weight.constant.dtype).block_size == 32 ? 32 : 256;
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
    for (std::size_t t = 0; t < tokens_.size(); ++t) {
      for (std::size_t j = 0; j < taps; ++j) {
        if (t + 1 + j < taps) continue;
        for (std::size_t i = 0; i < d; ++i) y[t * d + i] += in(n, 1)[i * taps + j] * in(n, 0)[(t + 1 + j - taps) * d + i];
      }
    }
    return y;
  }

  Values route(const Node& n) const {
    const auto& attrs = n.get<RouteAttrs>();
    const auto n_experts = static_cast<std::size_t>(node(n, 0).shape[1]), k = static_cast<std::size_t>(attrs.n_used);
    Values y;
    for (std::size_t t = 0; t < tokens_.size(); ++t) {
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
    for (std::size_t pair = 0; pair < tokens_.size() * k; ++pair) {
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
    Values y(tokens_.size() * d, 0.0);
    for (std::size_t pair = 0; pair < tokens_.size() * k; ++pair) {
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

  Values rope(const Node& n) const {
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
        a = a0 * table[i] - b0 * table[n_freq + i];
        b = a0 * table[n_freq + i] + b0 * table[i];
      }
    }
    return y;
  }

  Values attention(const Node& n) const {
    const auto& attrs = n.get<AttentionAttrs>();
    const auto heads = static_cast<std::size_t>(node(n, 0).shape[1]),
               d = static_cast<std::size_t>(node(n, 0).shape[2]);
    const auto kv_heads = static_cast<std::size_t>(node(n, 1).shape[1]);
    const Values &q = in(n, 0), &k = in(n, 1), &v = in(n, 2);
    Values y(q.size());
    for (std::size_t t = 0; t < tokens_.size(); ++t) {
      const auto reach = static_cast<std::size_t>(attrs.causal ? std::max(attrs.window - 1, 0) : attrs.window / 2);
      const std::size_t first = attrs.window > 0 && t > reach ? t - reach : 0;
      std::size_t last = attrs.causal ? t : tokens_.size() - 1;
      if (!attrs.causal && attrs.window > 0) last = std::min(last, t + reach);
      for (std::size_t h = 0; h < heads; ++h) {
        const double* query = q.data() + (t * heads + h) * d;
        const auto at = [&](std::size_t j) { return (j * kv_heads + h / (heads / kv_heads)) * d; };
        Values weight;
        double sum = 0;
        for (std::size_t j = first; j <= last; ++j) {
          double score = 0;
          for (std::size_t i = 0; i < d; ++i) score += query[i] * k[at(j) + i];
          score *= attrs.scale;
          if (attrs.softcap > 0) score = attrs.softcap * std::tanh(score / attrs.softcap);
          weight.push_back(std::exp(score));
          sum += weight.back();
        }
        for (std::size_t j = first; j <= last; ++j) {
          for (std::size_t i = 0; i < d; ++i)
            y[(t * heads + h) * d + i] += weight[j - first] / sum * v[at(j) + i];
        }
      }
    }
    return y;
  }

  const Graph& graph_;
  std::span<const int32_t> tokens_;
  std::vector<Values> values_;
};

}  // namespace minnow::test
