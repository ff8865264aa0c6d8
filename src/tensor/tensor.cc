#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"

namespace minnow {

Shape::Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  if (dims.size() > limits::kMaxDims) {
    fail(ErrorCode::kInvalidInput, "a tensor of {} dimensions, at most {} are allowed", dims.size(),
         limits::kMaxDims);
  }
  std::copy(dims.begin(), dims.end(), dims_);
}

int64_t Shape::elements() const {
  int64_t n = 1;
  for (int i = 0; i < rank_; ++i) n *= dims_[i];
  return n;
}

std::string Shape::text() const {
  std::string out = "[";
  for (int i = 0; i < rank_; ++i) {
    if (i > 0) out += ", ";
    out += std::to_string(dims_[i]);
  }
  return out + "]";
}

uint64_t row_bytes(DType dtype, int64_t n) {
  const DTypeInfo& i = info(dtype);
  return static_cast<uint64_t>(n) / i.block_size * i.block_bytes;
}

uint64_t checked_tensor_bytes(DType dtype, const Shape& shape, const std::string& what) {
  const DTypeInfo& i = info(dtype);
  Checked blocks = 1;
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] < 0) fail(ErrorCode::kInvalidInput, "{}: negative dimension in {}", what, shape.text());
    const bool innermost = d == shape.rank() - 1;
    if (innermost && shape[d] % i.block_size != 0) {
      fail(ErrorCode::kInvalidInput, "{}: rows of {} elements are not whole blocks of {} ({})", what,
           shape[d], i.block_size, i.name);
    }
    blocks = blocks * static_cast<uint64_t>(innermost ? shape[d] / i.block_size : shape[d]);
    // The element count has to fit as well, also before a dimension of 0: shape.elements() is used freely
    // afterwards.
    if ((blocks * uint64_t{i.block_bytes}).exceeds(INT64_MAX) ||
        (blocks * uint64_t{i.block_size}).exceeds(INT64_MAX)) {
      fail(ErrorCode::kInvalidInput, "{}: shape {} is too large", what, shape.text());
    }
  }
  return (blocks * uint64_t{i.block_bytes}).value();
}

Tensor Tensor::allocate(DType dtype, const Shape& shape, std::byte** mutable_data) {
  const uint64_t bytes = checked_tensor_bytes(dtype, shape, "tensor");
  std::shared_ptr<std::byte[]> memory(new (std::align_val_t{64}) std::byte[bytes + 64]{},
                                      [](std::byte* p) { ::operator delete[](p, std::align_val_t{64}); });
  if (mutable_data != nullptr) *mutable_data = memory.get();
  return {dtype, shape, memory.get(), memory};
}

Tensor Tensor::from_f32(std::span<const float> values, const Shape& shape) {
  if (static_cast<int64_t>(values.size()) != shape.elements()) {
    fail(ErrorCode::kInternal, "{} values for a tensor of shape {}", values.size(), shape.text());
  }
  std::byte* data = nullptr;
  Tensor tensor = allocate(DType::kF32, shape, &data);
  if (!values.empty()) std::memcpy(data, values.data(), values.size_bytes());
  return tensor;
}

}  // namespace minnow
