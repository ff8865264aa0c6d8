// A tensor is a typed, shaped view on storage that it keeps alive. Rows (the innermost dimension) are
// contiguous.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/limits.h"
#include "tensor/dtype.h"

namespace minnow {

// Up to limits::kMaxDims dimensions, outermost first (as NumPy and safetensors count; GGUF's ne reversed).
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);
  explicit Shape(std::span<const int64_t> dims);

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[i]; }
  int64_t& operator[](int i) { return dims_[i]; }
  int64_t last() const { return rank_ == 0 ? 1 : dims_[rank_ - 1]; }
  // Product of all dimensions (1 for a scalar) and of all but the last.
  int64_t elements() const;
  int64_t rows() const { return last() == 0 ? 0 : elements() / last(); }
  // "[1024, 256]"
  std::string text() const;

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  int64_t dims_[limits::kMaxDims] = {};
  int rank_ = 0;
};

// Bytes of a row of n elements; n must be a whole number of blocks.
uint64_t row_bytes(DType dtype, int64_t n);

// Bytes of a whole tensor. Throws kInvalidInput (beginning with `what`) for negative dimensions, rows that
// are not whole blocks, or a size past 2^63.
uint64_t checked_tensor_bytes(DType dtype, const Shape& shape, const std::string& what);

struct Tensor {
  DType dtype = DType::kF32;
  Shape shape;
  const std::byte* data = nullptr;
  std::shared_ptr<const void> owner;

  explicit operator bool() const { return data != nullptr; }
  uint64_t bytes() const { return static_cast<uint64_t>(shape.rows()) * row_bytes(dtype, shape.last()); }
  std::span<const std::byte> span() const { return {data, bytes()}; }
  const std::byte* row(int64_t r) const {
    return data + static_cast<uint64_t>(r) * row_bytes(dtype, shape.last());
  }
  // Meaningful only for dtype kF32.
  const float* f32() const { return reinterpret_cast<const float*>(data); }

  // A tensor on zeroed memory of its own; *mutable_data (if given) points to it.
  static Tensor allocate(DType dtype, const Shape& shape, std::byte** mutable_data);
  static Tensor from_f32(std::span<const float> values, const Shape& shape);
};

}  // namespace minnow
