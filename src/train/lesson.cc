#include "train/lesson.h"

namespace minnow {

double Objective::loss(std::span<const float> losses, const TrainingBatch& batch) {
  const std::size_t rows = batch.output_rows.size();
  const std::size_t width = rows > 0 ? losses.size() / rows : 1;
  double sum = 0;
  for (std::size_t r = 0; r < rows; ++r) sum += losses[r * width];
  return sum;
}

}  // namespace minnow
