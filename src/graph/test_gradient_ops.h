// Operations of training in float64 on plain vectors, each written out from its definition: what kernels and the gradients
// of a graph are compared with. Values are rows, one after another.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "graph/ops.h"

namespace minnow::test {

using Doubles = std::vector<double>;

inline double activation(UnaryFn fn, double x) {
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

// The derivative of activation.
inline double slope(UnaryFn fn, double x) {
  switch (fn) {
    case UnaryFn::kSilu: {
      const double s = 1 / (1 + std::exp(-x));
      return s + x * s * (1 - s);
    }
    case UnaryFn::kGeluTanh: {
      const double t = std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x);
    }
    case UnaryFn::kGelu: return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
    case UnaryFn::kRelu: return x > 0 ? 1 : 0;
    case UnaryFn::kReluSquared: return x > 0 ? 2 * x : 0;
    case UnaryFn::kTanh: return 1 - std::tanh(x) * std::tanh(x);
  }
  return 1;
}

// a [T, n] b [n, k]
inline Doubles product(const Doubles& a, const Doubles& b, std::size_t n) {
  const std::size_t k = b.size() / n;
  Doubles y(a.size() / n * k, 0.0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < k; ++j) y[i / n * k + j] += a[i] * b[i % n * k + j];
  }
  return y;
}

// a^T b for a [T, n], b [T, k]
inline Doubles transposed_product(const Doubles& a, const Doubles& b, std::size_t k) {
  const std::size_t rows = b.size() / k, n = rows > 0 ? a.size() / rows : 0;
  Doubles y(n * k, 0.0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < k; ++j) y[i % n * k + j] += a[i] * b[i / n * k + j];
  }
  return y;
}

inline Doubles sum_of_rows(const Doubles& a, std::size_t width) {
  Doubles sum(width, 0.0);
  for (std::size_t i = 0; i < a.size(); ++i) sum[i % width] += a[i];
  return sum;
}

struct NormGrads {
  Doubles d_x, d_weight;
};

inline NormGrads rms_norm_grads(const Doubles& dy, const Doubles& x, const Doubles& weight, double eps) {
  const std::size_t d = weight.size();
  NormGrads g{Doubles(x.size()), Doubles(d, 0.0)};
  for (std::size_t b = 0; b < x.size(); b += d) {
    double squares = 0, along = 0;
    for (std::size_t i = 0; i < d; ++i) squares += x[b + i] * x[b + i] / static_cast<double>(d);
    const double r = 1 / std::sqrt(squares + eps);
    for (std::size_t i = 0; i < d; ++i) along += dy[b + i] * weight[i] * x[b + i] / static_cast<double>(d);
    for (std::size_t i = 0; i < d; ++i) {
      g.d_x[b + i] = r * dy[b + i] * weight[i] - r * r * r * x[b + i] * along;
      g.d_weight[i] += dy[b + i] * x[b + i] * r;
    }
  }
  return g;
}

inline NormGrads layer_norm_grads(const Doubles& dy, const Doubles& x, const Doubles& weight, double eps) {
  const std::size_t d = weight.size();
  const auto n = static_cast<double>(d);
  NormGrads g{Doubles(x.size()), Doubles(d, 0.0)};
  for (std::size_t b = 0; b < x.size(); b += d) {
    double mean = 0, variance = 0, mean_g = 0, along = 0;
    for (std::size_t i = 0; i < d; ++i) mean += x[b + i] / n;
    for (std::size_t i = 0; i < d; ++i) variance += (x[b + i] - mean) * (x[b + i] - mean) / n;
    const double r = 1 / std::sqrt(variance + eps);
    for (std::size_t i = 0; i < d; ++i) {
      mean_g += dy[b + i] * weight[i] / n;
      along += dy[b + i] * weight[i] * (x[b + i] - mean) * r / n;
    }
    for (std::size_t i = 0; i < d; ++i) {
      const double normal = (x[b + i] - mean) * r;
      g.d_x[b + i] = r * (dy[b + i] * weight[i] - mean_g - normal * along);
      g.d_weight[i] += dy[b + i] * normal;
    }
  }
  return g;
}

struct AttentionShape {
  std::vector<std::size_t> lengths;  // of the sequences
  std::size_t heads, kv_heads, d;
  AttentionAttrs attrs;

  // fn(row of the query, first row it sees, end of them)
  template <typename Fn>
  void for_queries(Fn fn) const {
    std::size_t begin = 0;
    for (const std::size_t n : lengths) {
      for (std::size_t t = 0; t < n; ++t) {
        const auto reach = static_cast<std::size_t>(attrs.causal ? std::max(attrs.window - 1, 0) : attrs.window / 2);
        const std::size_t first = attrs.window > 0 && t > reach ? t - reach : 0;
        std::size_t last = attrs.causal ? t : n - 1;
        if (!attrs.causal && attrs.window > 0) last = std::min(last, t + reach);
        fn(begin + t, begin + first, begin + last + 1);
      }
      begin += n;
    }
  }
  std::size_t kv_row(std::size_t t, std::size_t head) const { return (t * kv_heads + head / (heads / kv_heads)) * d; }
};

// What one query's head makes of the keys it sees.
struct Scores {
  Doubles probability, score;
  double ln_sum = 0;
};

inline Scores scores_of(const double* query, const Doubles& k, const AttentionShape& s, std::size_t head, std::size_t first,
                        std::size_t end) {
  Scores out;
  double sum = 0;
  for (std::size_t j = first; j < end; ++j) {
    double score = 0;
    for (std::size_t i = 0; i < s.d; ++i) score += query[i] * k[s.kv_row(j, head) + i];
    score *= s.attrs.scale;
    if (s.attrs.softcap > 0) score = s.attrs.softcap * std::tanh(score / s.attrs.softcap);
    out.score.push_back(score);
  }
  const double top = *std::max_element(out.score.begin(), out.score.end());
  for (const double score : out.score) sum += std::exp(score - top);
  for (const double score : out.score) out.probability.push_back(std::exp(score - top) / sum);
  out.ln_sum = top + std::log(sum);
  return out;
}

struct Attended {
  Doubles y, ln_sums;
};

inline Attended attend(const Doubles& q, const Doubles& k, const Doubles& v, const AttentionShape& s) {
  Attended out{Doubles(q.size(), 0.0), {}};
  s.for_queries([&](std::size_t t, std::size_t first, std::size_t end) {
    for (std::size_t h = 0; h < s.heads; ++h) {
      const std::size_t at = (t * s.heads + h) * s.d;
      const Scores scores = scores_of(q.data() + at, k, s, h, first, end);
      out.ln_sums.push_back(scores.ln_sum);
      for (std::size_t j = first; j < end; ++j) {
        for (std::size_t i = 0; i < s.d; ++i) out.y[at + i] += scores.probability[j - first] * v[s.kv_row(j, h) + i];
      }
    }
  });
  return out;
}

struct AttentionGrads {
  Doubles d_q, d_k, d_v;
};

inline AttentionGrads attend_grads(const Doubles& dy, const Doubles& q, const Doubles& k, const Doubles& v,
                                   const AttentionShape& s) {
  AttentionGrads g{Doubles(q.size(), 0.0), Doubles(k.size(), 0.0), Doubles(v.size(), 0.0)};
  s.for_queries([&](std::size_t t, std::size_t first, std::size_t end) {
    for (std::size_t h = 0; h < s.heads; ++h) {
      const std::size_t at = (t * s.heads + h) * s.d;
      const Scores scores = scores_of(q.data() + at, k, s, h, first, end);
      Doubles d_p(end - first, 0.0);
      double mean = 0;
      for (std::size_t j = first; j < end; ++j) {
        for (std::size_t i = 0; i < s.d; ++i) d_p[j - first] += dy[at + i] * v[s.kv_row(j, h) + i];
        mean += scores.probability[j - first] * d_p[j - first];
      }
      for (std::size_t j = first; j < end; ++j) {
        const double p = scores.probability[j - first], capped = scores.score[j - first] / s.attrs.softcap;
        const double d_score = p * (d_p[j - first] - mean) * (s.attrs.softcap > 0 ? 1 - capped * capped : 1) * s.attrs.scale;
        for (std::size_t i = 0; i < s.d; ++i) {
          const std::size_t kv = s.kv_row(j, h) + i;
          g.d_q[at + i] += d_score * k[kv];
          g.d_k[kv] += d_score * q[at + i];
          g.d_v[kv] += p * dy[at + i];
        }
      }
    }
  });
  return g;
}

// fn(row of y, row of x, tap): all the products of a short convolution.
template <typename Fn>
void for_conv_taps(const std::vector<std::size_t>& lengths, std::size_t taps, Fn fn) {
  std::size_t begin = 0;
  for (const std::size_t n : lengths) {
    for (std::size_t t = 0; t < n; ++t) {
      for (std::size_t j = 0; j < taps; ++j) {
        if (t + 1 + j >= taps) fn(begin + t, begin + t + 1 + j - taps, j);
      }
    }
    begin += n;
  }
}

inline Doubles short_conv_grad(const Doubles& dy, const Doubles& weight, const std::vector<std::size_t>& lengths,
                               std::size_t taps) {
  const std::size_t d = weight.size() / taps;
  Doubles d_x(dy.size(), 0.0);
  for_conv_taps(lengths, taps, [&](std::size_t to, std::size_t from, std::size_t j) {
    for (std::size_t i = 0; i < d; ++i) d_x[from * d + i] += dy[to * d + i] * weight[i * taps + j];
  });
  return d_x;
}

inline Doubles short_conv_weight_grad(const Doubles& dy, const Doubles& x, const std::vector<std::size_t>& lengths,
                                      std::size_t taps) {
  std::size_t n = 0;
  for (const std::size_t length : lengths) n += length;
  const std::size_t d = x.size() / n;
  Doubles d_weight(d * taps, 0.0);
  for_conv_taps(lengths, taps, [&](std::size_t to, std::size_t from, std::size_t j) {
    for (std::size_t i = 0; i < d; ++i) d_weight[i * taps + j] += dy[to * d + i] * x[from * d + i];
  });
  return d_weight;
}

}  // namespace minnow::test
