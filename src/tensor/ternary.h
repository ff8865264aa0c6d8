// The one scale of a ternary tensor.
#pragma once

#include <cstdint>
#include <span>

namespace minnow {

// Two conventions exist. Weights that are ternary already, all 0 or plus or minus one size, have that size as their
// scale and come back exactly. Master weights get the mean of |w|, as BitNet b1.58 does in training.
class TernaryScale {
 public:
  void add(std::span<const float> values);
  bool is_ternary() const { return ternary_; }  // so far
  float value() const;

 private:
  double sum_ = 0;
  int64_t n_ = 0;
  float size_ = 0;  // of the first value that is not 0
  bool ternary_ = true;
};

}  // namespace minnow
