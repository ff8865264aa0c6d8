// Softmax cross entropy of one row of logits, with its gradient in place, and distillation from a teacher's largest
// log-probabilities (Hinton, Vinyals and Dean 2015).
#pragma once

#include "cpu/body/elementwise.h"
#include "cpu/train_kernels.h"

namespace minnow::body {

// The first n values, then `fill`.
template <class V>
inline typename V::F load_filled(const float* p, int n, float fill) {
  if (n == V::kLanes) return V::load(p);
  float lanes[V::kLanes];
  for (int i = 0; i < V::kLanes; ++i) lanes[i] = i < n ? p[i] : fill;
  return V::load(lanes);
}

template <class V>
inline float largest_of(const float* x, int64_t n) {
  auto largest = V::set(-__builtin_inff());
  for_vectors<V>(n, [&](int64_t i, int m) { largest = V::max(largest, load_filled<V>(x + i, m, -__builtin_inff())); });
  return V::max_lane(largest);
}

// The sum of e^((x - top) * factor). Lanes are emptied into a double before they have lost digits.
template <class V>
inline double exp_sum(const float* x, int64_t n, float top, float factor) {
  constexpr int64_t kPiece = 2048;
  double total = 0;
  for (int64_t from = 0; from < n; from += kPiece) {
    auto sum = V::zero();
    for_vectors<V>(n - from < kPiece ? n - from : kPiece, [&](int64_t i, int m) {
      const auto v = load_filled<V>(x + from + i, m, -__builtin_inff());
      sum = V::add(sum, exp<V>(V::mul(V::sub(v, V::set(top)), V::set(factor))));
    });
    total += V::sum(sum);
  }
  return total;
}

// softmax((x - top) / temperature) of a row.
struct Softmax {
  float top;
  float factor;  // 1 / temperature
  double sum;
};
template <class V>
inline Softmax softmax_of(const float* x, int64_t n, float temperature) {
  const float top = largest_of<V>(x, n);
  return {top, 1 / temperature, exp_sum<V>(x, n, top, 1 / temperature)};
}

// How far a logit moves what the loss sees: the derivative of the cap.
template <class V>
inline float cap_slope(float logit, float softcap) {
  return softcap > 0 ? 1 - (logit / softcap) * (logit / softcap) : 1.0f;
}

// Leaves in scratch what each id takes from the gradient, before alpha and temperature. Gives T^2 KL(p_T || q_T).
template <class V>
double soft_targets(const CrossEntropyRow& r, const Softmax& student) {
  const SoftTargets& t = r.soft;
  const Softmax teacher = softmax_of<V>(t.log_probs, t.n, t.temperature);
  const double ln_teacher = __builtin_log(teacher.sum), ln_student = __builtin_log(student.sum);
  const auto inverse = static_cast<float>(1 / teacher.sum);
  for_vectors<V>(t.n, [&](int64_t i, int m) {
    const auto x = V::mul(V::sub(load<V>(t.log_probs + i, m), V::set(teacher.top)), V::set(teacher.factor));
    store<V>(t.scratch + i, V::mul(exp<V>(x), V::set(inverse)), m);
  });
  double divergence = 0;
  for (int64_t i = 0; i < t.n; ++i) {
    const float logit = r.logits[t.ids[i]];
    const double ln_p = (static_cast<double>(t.log_probs[i]) - teacher.top) * teacher.factor - ln_teacher;
    const double ln_q = (static_cast<double>(logit) - student.top) * student.factor - ln_student;
    if (t.scratch[i] > 0) divergence += t.scratch[i] * (ln_p - ln_q);
    t.scratch[i] *= cap_slope<V>(logit, r.softcap);
  }
  return static_cast<double>(t.temperature) * t.temperature * divergence;
}

template <class V>
void bring_to_logits(const CrossEntropyRow& r) {
  if (r.scale == 1 && r.softcap <= 0) return;
  for_vectors<V>(r.n, [&](int64_t i, int m) {
    const auto x = V::mul(load<V>(r.logits + i, m), V::set(r.scale));
    store<V>(r.logits + i, r.softcap > 0 ? softcapped<V>(x, r.softcap) : x, m);
  });
}

// hard * softmax(z) + soft * softmax(z / T), times the slope of the cap.
template <class V>
void weigh_softmax(const CrossEntropyRow& r, const Softmax& plain, float hard, const Softmax& warm, float soft) {
  const auto plain_scale = V::set(static_cast<float>(hard / plain.sum));
  const auto warm_scale = V::set(soft != 0 ? static_cast<float>(soft / warm.sum) : 0.0f);
  const auto inverse_cap = V::set(r.softcap > 0 ? 1 / r.softcap : 0.0f);
  for_vectors<V>(r.n, [&](int64_t i, int m) {
    const auto z = load<V>(r.logits + i, m);
    auto g = V::mul(exp<V>(V::sub(z, V::set(plain.top))), plain_scale);
    if (soft != 0) g = V::fma(exp<V>(V::mul(V::sub(z, V::set(warm.top)), V::set(warm.factor))), warm_scale, g);
    if (r.softcap > 0) {
      const auto t = V::mul(z, inverse_cap);
      g = V::mul(g, V::sub(V::set(1.0f), V::mul(t, t)));
    }
    store<V>(r.logits + i, g, m);
  });
}

template <class V>
RowLoss cross_entropy(const CrossEntropyRow& r) {
  if (r.target < 0) {
    for (int64_t i = 0; r.gradient && i < r.n; ++i) r.logits[i] = 0;
    return {0, 0};
  }
  bring_to_logits<V>(r);
  const Softmax plain = softmax_of<V>(r.logits, r.n, 1.0f);
  const float logit = r.logits[r.target];
  RowLoss loss = {__builtin_log(plain.sum) + plain.top - logit, 0};
  Softmax warm = plain;
  if (r.soft.n > 0) {
    warm.factor = 1 / r.soft.temperature;
    warm.sum = exp_sum<V>(r.logits, r.n, warm.top, warm.factor);
    loss.distillation = soft_targets<V>(r, warm);
  }
  if (!r.gradient) return loss;

  const float alpha = r.soft.n > 0 ? r.soft.alpha : 0.0f;
  const float unit = r.weight * r.scale, hard = unit * (1 - alpha), soft = unit * alpha * r.soft.temperature;
  weigh_softmax<V>(r, plain, hard, warm, alpha > 0 ? soft : 0.0f);
  r.logits[r.target] -= hard * cap_slope<V>(logit, r.softcap);
  for (int64_t i = 0; alpha > 0 && i < r.soft.n; ++i) r.logits[r.soft.ids[i]] -= soft * r.soft.scratch[i];
  return loss;
}

}  // namespace minnow::body
