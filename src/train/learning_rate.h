// How the learning rate goes over a run.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace minnow {

enum class RateShape : uint8_t { kCosine, kLinear, kConstant };
std::optional<RateShape> rate_shape_from_name(std::string_view name);  // "cosine", "linear", "constant"
std::string_view name(RateShape shape);

struct LearningRate {
  RateShape shape = RateShape::kCosine;
  double peak = 3e-4;
  double final_share = 0.1;  // of the peak, at the last step; kConstant stays at the peak
  int64_t warmup_steps = 0;  // rises evenly to the peak, which step `warmup_steps` has first
  int64_t total_steps = 1;

  // For steps 0 to total_steps - 1; later ones have that of the last.
  double at(int64_t step) const;
};

}  // namespace minnow
