#include "tensor/ternary.h"

#include <cmath>

namespace minnow {

void TernaryScale::add(std::span<const float> values) {
  for (const float v : values) {
    const float size = std::abs(v);
    sum_ += static_cast<double>(size);
    if (size == 0) continue;
    if (size_ == 0) size_ = size;
    ternary_ &= size == size_;
  }
  n_ += static_cast<int64_t>(values.size());
}

float TernaryScale::value() const {
  if (ternary_) return size_;
  return static_cast<float>(sum_ / static_cast<double>(n_));
}

}  // namespace minnow
