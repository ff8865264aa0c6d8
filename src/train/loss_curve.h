// The course of a run as a picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace minnow {

struct LossPoint {
  int64_t step;
  double loss;
};

// An SVG of both curves over the steps. Of more points than the picture has columns, each column shows their mean.
std::string loss_curve_svg(const std::vector<LossPoint>& training, const std::vector<LossPoint>& validation);

}  // namespace minnow
