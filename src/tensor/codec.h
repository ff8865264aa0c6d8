// Rows of weights to f32 and back: the reference for every format. Kernels have their own, faster decoders
// and are tested against these. Rules and checksums: the ggml block formats, rounding as its plain encoders
// do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace minnow {

// Decodes n elements (a whole number of blocks) of a dtype with is_weight. Exact.
void decode_row(DType dtype, const std::byte* src, float* dst, int64_t n);

// Encodes n finite f32 values. Supported: F32, F16, BF16, Q8_0, Q4_0; can_encode tells.
bool can_encode(DType dtype);
void encode_row(DType dtype, const float* src, std::byte* dst, int64_t n);

// Whether every scale of these blocks is finite (always true for float types, whose values are not looked
// at).
bool has_finite_scales(DType dtype, const std::byte* src, int64_t n);

// The whole tensor as f32, row-major.
std::vector<float> to_f32(const Tensor& tensor);

}  // namespace minnow
