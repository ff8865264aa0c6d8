// Runs of a training graph on the CPU, compared with the float64 interpreter.
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "cpu/test_values.h"
#include "cpu/train_executor.h"
#include "graph/test_interpreter.h"

namespace minnow::test {

struct TrainingResult {
  std::vector<float> output;
  std::vector<std::vector<float>> gradients;
};

inline TrainingResult result_of(TrainExecutor& executor, const TrainingBatch& batch) {
  executor.clear_gradients();
  const auto out = executor.run(batch);
  TrainingResult r{{out.begin(), out.end()}, {}};
  for (std::size_t i = 0; i < executor.gradients().size(); ++i) {
    r.gradients.emplace_back(executor.gradient(i).begin(), executor.gradient(i).end());
  }
  return r;
}

// Error relative to the largest number, or 1e-3 where all are less: gradients that are nothing but rounding.
inline double relative_error(const std::vector<float>& got, const std::vector<double>& wanted) {
  if (got.size() != wanted.size()) return INFINITY;
  double largest = 1e-3, error = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(wanted[i]));
    error = std::max(error, std::isnan(got[i]) ? INFINITY : std::abs(got[i] - wanted[i]));
  }
  return error / largest;
}

// Output and every gradient at `tolerance` of their largest number, and equal bits for teams of 1, 2 and 3.
inline void expect_training(const TrainingGraph& training, const TrainingBatch& batch, TrainExecutorOptions options, double tolerance) {
  const Interpreter wanted(training.graph, batch);
  TrainingResult first;
  for (const int team : {1, 2, 3}) {
    options.n_threads = team;
    TrainExecutor executor(training, options);
    const TrainingResult got = result_of(executor, batch);
    ASSERT_EQ(got.gradients.size(), training.gradients.size());
    if (team > 1) {
      EXPECT_TRUE(same_bits(got.output, first.output)) << "team of " << team;
      for (std::size_t i = 0; i < got.gradients.size(); ++i) EXPECT_TRUE(same_bits(got.gradients[i], first.gradients[i])) << "team of " << team;
      continue;
    }
    first = got;
    EXPECT_LT(relative_error(got.output, wanted.output()), tolerance);
    for (std::size_t i = 0; i < got.gradients.size(); ++i) {
      EXPECT_LT(relative_error(got.gradients[i], *wanted.gradient(training.gradients[i].weight)), tolerance)
          << training.graph.node(training.gradients[i].weight).name << " of " << got.gradients[i].size();
    }
  }
}

}  // namespace minnow::test
