#include "train/lesson.h"

#include <numeric>

namespace minnow {

double Objective::loss(std::span<const float> losses, const TrainingBatch& batch) {
  const std::size_t rows = batch.output_rows.size();
  const std::size_t width = rows > 0 ? losses.size() / rows : 1;
  double sum = 0;
  for (std::size_t r = 0; r < rows; ++r) sum += losses[r * width];
  return sum;
}

Objective::Measured Objective::measure(const TrainingBatch& batch, const TrainBatch& data, TrainExecutor& evaluator) {
  const std::span<const float> losses = evaluator.run(batch);
  return {std::accumulate(losses.begin(), losses.end(), 0.0), static_cast<double>(data.n_loss_tokens)};
}

}  // namespace minnow
