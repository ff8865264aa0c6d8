#include "train/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace minnow {

std::optional<RateShape> rate_shape_from_name(std::string_view wanted) {
  for (const RateShape shape : {RateShape::kCosine, RateShape::kLinear, RateShape::kConstant}) {
    if (wanted == name(shape)) return shape;
  }
  return std::nullopt;
}

std::string_view name(RateShape shape) {
  return shape == RateShape::kCosine ? "cosine" : shape == RateShape::kLinear ? "linear" : "constant";
}

double LearningRate::at(int64_t step) const {
  if (step < warmup_steps) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup_steps + 1);
  if (shape == RateShape::kConstant) return peak;
  const auto length = static_cast<double>(std::max<int64_t>(1, total_steps - 1 - warmup_steps));
  const double way = std::min(1.0, static_cast<double>(step - warmup_steps) / length);
  const double left = shape == RateShape::kLinear ? 1 - way : (1 + std::cos(std::numbers::pi * way)) / 2;
  return peak * (final_share + (1 - final_share) * left);
}

}  // namespace minnow
