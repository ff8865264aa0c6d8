// Gradients of mixtures of experts in float64, as in test_gradient_ops.h.
#pragma once

#include "graph/test_gradient_ops.h"

namespace minnow::test {

struct RouteShape {
  std::size_t tokens, experts;
  RouteAttrs attrs;

  std::size_t used() const { return static_cast<std::size_t>(attrs.n_used); }
  std::size_t expert(const Doubles& route, std::size_t pair) const {
    return static_cast<std::size_t>(route[pair / used() * 2 * used() + pair % used()]);
  }
  std::size_t weight_at(std::size_t pair) const { return pair / used() * 2 * used() + used() + pair % used(); }
};

// dy [T, k, N] of products with weight [E, N, K]; by_pair: x was [T, k, K], else [T, K].
inline Doubles expert_matmul_grad(const Doubles& dy, const Doubles& weight, const Doubles& route, std::size_t rows,
                                  const RouteShape& s, bool by_pair) {
  const std::size_t width = weight.size() / s.experts / rows, pairs = s.tokens * s.used();
  Doubles d_x((by_pair ? pairs : s.tokens) * width, 0.0);
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    const double* matrix = weight.data() + s.expert(route, pair) * rows * width;
    double* to = d_x.data() + (by_pair ? pair : pair / s.used()) * width;
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t i = 0; i < width; ++i) to[i] += dy[pair * rows + r] * matrix[r * width + i];
    }
  }
  return d_x;
}

inline Doubles expert_matmul_weight_grad(const Doubles& dy, const Doubles& x, const Doubles& route, std::size_t rows,
                                         std::size_t width, const RouteShape& s) {
  const std::size_t pairs = s.tokens * s.used();
  const bool by_pair = x.size() == pairs * width;
  Doubles d_weight(s.experts * rows * width, 0.0);
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    const double* from = x.data() + (by_pair ? pair : pair / s.used()) * width;
    double* matrix = d_weight.data() + s.expert(route, pair) * rows * width;
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t i = 0; i < width; ++i) matrix[r * width + i] += dy[pair * rows + r] * from[i];
    }
  }
  return d_weight;
}

inline Doubles expert_sum_grad(const Doubles& dy, const Doubles& route, const RouteShape& s) {
  const std::size_t d = dy.size() / s.tokens;
  Doubles d_x;
  for (std::size_t pair = 0; pair < s.tokens * s.used(); ++pair) {
    for (std::size_t i = 0; i < d; ++i) d_x.push_back(route[s.weight_at(pair)] * dy[pair / s.used() * d + i]);
  }
  return d_x;
}

inline Doubles expert_sum_route_grad(const Doubles& dy, const Doubles& x, const RouteShape& s) {
  const std::size_t d = dy.size() / s.tokens;
  Doubles d_route(s.tokens * 2 * s.used(), 0.0);
  for (std::size_t pair = 0; pair < s.tokens * s.used(); ++pair) {
    for (std::size_t i = 0; i < d; ++i) d_route[s.weight_at(pair)] += dy[pair / s.used() * d + i] * x[pair * d + i];
  }
  return d_route;
}

// By the quotient rule on weight_j = scale * p_j / sum, where sum is 1 or that of the chosen probabilities.
inline Doubles route_grad(const Doubles& d_route, const Doubles& logits, const Doubles& route, const RouteShape& s) {
  Doubles d_logits(logits.size(), 0.0);
  for (std::size_t t = 0; t < s.tokens; ++t) {
    Doubles p(s.experts), d_p(s.experts, 0.0);
    double total = 0, chosen = 0, mean = 0;
    for (std::size_t e = 0; e < s.experts; ++e) total += p[e] = std::exp(logits[t * s.experts + e]);
    for (double& value : p) value /= total;
    for (std::size_t j = 0; j < s.used(); ++j) chosen += p[s.expert(route, t * s.used() + j)];
    const double sum = s.attrs.normalize ? chosen : 1;
    for (std::size_t j = 0; j < s.used(); ++j) {
      const std::size_t pair = t * s.used() + j, e = s.expert(route, pair);
      const double g = d_route[s.weight_at(pair)] * s.attrs.scale;
      d_p[e] += g / sum;
      for (std::size_t i = 0; s.attrs.normalize && i < s.used(); ++i)
        d_p[s.expert(route, t * s.used() + i)] -= g * p[e] / (sum * sum);
    }
    for (std::size_t e = 0; e < s.experts; ++e) mean += p[e] * d_p[e];
    for (std::size_t e = 0; e < s.experts; ++e) d_logits[t * s.experts + e] = p[e] * (d_p[e] - mean);
  }
  return d_logits;
}

}  // namespace minnow::test
