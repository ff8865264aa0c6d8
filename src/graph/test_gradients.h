// Compares the gradients that a graph computes with finite differences of its loss, all in float64.
#pragma once

#include <gtest/gtest.h>

#include "base/random.h"
#include "graph/differentiate.h"
#include "graph/test_interpreter.h"

namespace minnow::test {

// Two documents of 5 and 3 tokens, one of them twice; targets for five rows, one of which has none, and signed weights.
inline TrainingBatch small_batch(int32_t n_vocab) {
  TrainingBatch batch;
  Random random(91);
  for (int i = 0; i < 8; ++i) batch.tokens.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(n_vocab))));
  batch.tokens[6] = batch.tokens[1];
  batch.sequences = {{.first = 0, .count = 5}, {.first = 5, .count = 3}};
  batch.output_rows = {0, 2, 3, 5, 7};
  for (int i = 0; i < 5; ++i) batch.targets.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(n_vocab))));
  batch.targets[3] = -1;
  batch.loss_weights = {0.5f, -0.25f, 1.0f, 0.75f, 0.125f};
  return batch;
}

// The gradient of an output of this size when the loss is not of tokens.
inline std::vector<float> random_grad(std::size_t n) {
  Random random(92);
  std::vector<float> grad(n);
  for (float& g : grad) g = static_cast<float>(random.normal());
  return grad;
}

struct GradientCheck {
  const Graph& forward;
  TrainingBatch batch;
  DifferentiateOptions options;

  // The loss from the forward graph alone.
  double loss(const WeightValues& weights) const {
    const std::vector<double> out = Interpreter(forward, batch, weights).output();
    double sum = 0;
    if (options.loss == LossKind::kGiven) {
      for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * batch.output_grad[i];
      return sum;
    }
    const TeacherAttrs& teacher = options.teacher;
    const double share = teacher.top_k > 0 ? teacher.alpha : 0;
    const std::size_t rows = batch.targets.size(), n = out.size() / rows;
    for (std::size_t r = 0; r < rows; ++r) {
      const Doubles z(out.begin() + static_cast<std::ptrdiff_t>(r * n),
                      out.begin() + static_cast<std::ptrdiff_t>((r + 1) * n));
      const double cross_entropy =
          batch.targets[r] < 0 ? 0 : -std::log(softmax(z)[static_cast<std::size_t>(batch.targets[r])]);
      sum +=
          batch.loss_weights[r] * ((1 - share) * cross_entropy + (teacher.top_k > 0 ? share * divergence_of_row(r, z) : 0));
    }
    return sum;
  }

  double divergence_of_row(std::size_t r, const Doubles& z) const {
    const Doubles none, teacher(batch.teacher.begin(), batch.teacher.end());
    return divergence({none, none, none, none, none, teacher, 1, {.teacher = options.teacher}}, r, z, 0, nullptr);
  }

  // The slope of the loss when `values` of a weight move along a direction. Four points: the error falls with step^4.
  double slope_along(const std::string& key, const Doubles& values, const Doubles& direction, double step) const {
    const auto at = [&](double distance) {
      Doubles moved = values;
      for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += distance * direction[i];
      return loss({{key, moved}});
    };
    return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
  }

  // Runs `check(weight, its values, its gradient)` for each trained weight.
  template <typename Fn>
  void for_gradients(const TrainingGraph& training, Fn check) const {
    const Interpreter run(training.graph, batch);
    for (const WeightGradient& g : training.gradients) {
      const Doubles* gradient = run.gradient(g.weight);
      ASSERT_NE(gradient, nullptr);
      const Node& weight = training.graph.node(g.weight);
      ASSERT_EQ(static_cast<int64_t>(gradient->size()), weight.shape.elements());
      check(weight, run.value(g.weight), *gradient);
    }
  }

  // Every number of every gradient, relative to the largest of its weight. The output depends on all trained weights.
  void expect_right_gradients(double step = 1e-4) const {
    const TrainingGraph training = differentiate(forward, options);
    const auto is_trained = [&](const Node& n) { return n.op == Op::kWeight && options.trains(n); };
    EXPECT_EQ(static_cast<std::ptrdiff_t>(training.gradients.size()),
              std::count_if(forward.nodes().begin(), forward.nodes().end(), is_trained));
    for_gradients(training, [&](const Node& weight, const Doubles& values, const Doubles& gradient) {
      double largest = 0, error = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        Doubles direction(values.size(), 0.0);
        direction[i] = 1;
        const double wanted = slope_along(key_of(weight), values, direction, step);
        largest = std::max(largest, std::abs(wanted));
        error = std::max(error, std::abs(gradient[i] - wanted));
      }
      EXPECT_GT(largest, 0) << weight.name;
      EXPECT_LT(error, 1e-6 * largest) << weight.name << ", largest " << largest;
    });
  }

  // The slope along one random direction for each weight, which all its numbers have a part in: for whole models.
  void expect_right_slopes(const TrainingGraph& training, double step = 1e-5) const {
    Random random(93);
    EXPECT_FALSE(training.gradients.empty());
    for_gradients(training, [&](const Node& weight, const Doubles& values, const Doubles& gradient) {
      Doubles direction(values.size());
      double got = 0, size = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        direction[i] = random.normal();
        got += gradient[i] * direction[i];
        size += gradient[i] * gradient[i];
      }
      const double wanted = slope_along(key_of(weight), values, direction, step);
      // Some gradients are nothing: a bias of keys without positions moves all scores of a query alike.
      const double size_or_rounding = std::max(std::sqrt(size), 1e-3);
      EXPECT_LT(std::abs(got - wanted), 1e-6 * size_or_rounding) << weight.name << ": " << got << " instead of " << wanted;
    });
  }
};

inline bool train_all(const Node&) { return true; }

}  // namespace minnow::test
