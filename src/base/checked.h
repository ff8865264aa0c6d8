// Unsigned 64-bit arithmetic that remembers overflow, for sizes taken from files.
#pragma once

#include <cstdint>

namespace minnow {

class Checked {
 public:
  constexpr Checked(uint64_t value)
      : value_(value) {}  // NOLINT: implicit on purpose, so that sums read naturally

  constexpr bool ok() const { return ok_; }
  // Meaningful only when ok().
  constexpr uint64_t value() const { return value_; }
  constexpr bool exceeds(uint64_t limit) const { return !ok_ || value_ > limit; }

  friend constexpr Checked operator+(Checked a, Checked b) {
    Checked r(0);
    r.ok_ = !__builtin_add_overflow(a.value_, b.value_, &r.value_) && a.ok_ && b.ok_;
    return r;
  }
  friend constexpr Checked operator*(Checked a, Checked b) {
    Checked r(0);
    r.ok_ = !__builtin_mul_overflow(a.value_, b.value_, &r.value_) && a.ok_ && b.ok_;
    return r;
  }
  // Rounded up to a multiple of `alignment`, which must be a power of two.
  constexpr Checked aligned(uint64_t alignment) const {
    Checked r = *this + (alignment - 1);
    r.value_ &= ~(alignment - 1);
    return r;
  }

 private:
  uint64_t value_;
  bool ok_ = true;
};

}  // namespace minnow
