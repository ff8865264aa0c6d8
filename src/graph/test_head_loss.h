// The loss of a language model's head and its gradients in float64, from its definition.
#pragma once

#include "graph/test_gradient_ops.h"

namespace minnow::test {

struct HeadLossInputs {
  const Doubles &x, &weight, &targets, &loss_weights, &bias, &teacher;  // the last two may be empty
  std::size_t width;                                                    // D
  HeadLossAttrs attrs;

  std::size_t vocabulary() const { return weight.size() / width; }
  std::size_t top_k() const { return static_cast<std::size_t>(attrs.teacher.top_k); }
};

struct HeadLossGrads {
  Doubles losses, d_x, d_weight, d_bias;
};

inline Doubles softmax(Doubles z, double temperature = 1) {
  const double top = *std::max_element(z.begin(), z.end());
  double sum = 0;
  for (double& v : z) sum += v = std::exp((v - top) / temperature);
  for (double& v : z) v /= sum;
  return z;
}

// A row's divergence from its teacher times T^2; d_z (if given) gets its gradient times `factor`.
inline double divergence(const HeadLossInputs& in, std::size_t row, const Doubles& z, double factor, Doubles* d_z) {
  const TeacherAttrs& attrs = in.attrs.teacher;
  const double temperature = attrs.temperature;
  std::vector<std::size_t> ids;
  Doubles student, teacher;
  for (std::size_t j = 0; j < in.top_k(); ++j) {
    const double id = in.teacher[row * 2 * in.top_k() + j];
    if (id < 0) continue;
    ids.push_back(static_cast<std::size_t>(id));
    student.push_back(z[ids.back()]);
    teacher.push_back(in.teacher[(row * 2 + 1) * in.top_k() + j]);
  }
  if (ids.empty()) return 0;
  const Doubles q = softmax(student, temperature), p = softmax(teacher, temperature);
  const bool forward = attrs.divergence == Divergence::kForward;
  double kl = 0;
  for (std::size_t j = 0; j < ids.size(); ++j) kl += forward ? p[j] * std::log(p[j] / q[j]) : q[j] * std::log(q[j] / p[j]);
  for (std::size_t j = 0; d_z != nullptr && j < ids.size(); ++j) {
    const double slope = forward ? q[j] - p[j] : q[j] * (std::log(q[j] / p[j]) - kl);
    (*d_z)[ids[j]] += factor * temperature * slope;
  }
  return temperature * temperature * kl;
}

inline HeadLossGrads head_loss_grads(const HeadLossInputs& in) {
  const std::size_t d = in.width, n = in.vocabulary(), rows = in.x.size() / d;
  const HeadLossAttrs& a = in.attrs;
  HeadLossGrads g{{}, Doubles(in.x.size(), 0.0), Doubles(in.weight.size(), 0.0), Doubles(n, 0.0)};
  const double share = in.top_k() > 0 ? a.teacher.alpha : 0;
  for (std::size_t r = 0; r < rows; ++r) {
    Doubles z(n);
    for (std::size_t v = 0; v < n; ++v) {
      double sum = in.bias.empty() ? 0 : in.bias[v];
      for (std::size_t i = 0; i < d; ++i) sum += in.x[r * d + i] * in.weight[v * d + i];
      z[v] = a.softcap > 0 ? a.softcap * std::tanh(a.scale * sum / a.softcap) : a.scale * sum;
    }
    Doubles d_z(n, 0.0);
    g.losses.push_back(0);
    if (in.targets[r] >= 0) {
      const auto target = static_cast<std::size_t>(in.targets[r]);
      d_z = softmax(z);
      g.losses.back() = -std::log(d_z[target]);
      d_z[target] -= 1;
      for (double& v : d_z) v *= in.loss_weights[r] * (1 - share);
    }
    if (in.top_k() > 0) g.losses.push_back(divergence(in, r, z, in.loss_weights[r] * share, &d_z));
    for (std::size_t v = 0; v < n; ++v) {
      const double capped = a.softcap > 0 ? 1 - z[v] / a.softcap * (z[v] / a.softcap) : 1;
      const double d_sum = d_z[v] * capped * a.scale;
      g.d_bias[v] += d_sum;
      for (std::size_t i = 0; i < d; ++i) {
        g.d_x[r * d + i] += d_sum * in.weight[v * d + i];
        g.d_weight[v * d + i] += d_sum * in.x[r * d + i];
      }
    }
  }
  return g;
}

}  // namespace minnow::test
