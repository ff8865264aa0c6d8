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

// Encodes n finite f32 values (a whole number of blocks) to any dtype with is_weight. `weights`, if any, say how much the
// error of each column counts (n values, none negative: mean squared activations of an importance matrix); types that
// cannot make use of them ignore them. A value past the range of a type gives a scale that is not finite.
bool can_encode(DType dtype);
void encode_row(DType dtype, const float* src, std::byte* dst, int64_t n, std::span<const float> weights = {});

// A row of an I2_S tensor, whose rows share one scale (TernaryScale). encode_row would give the row a scale of its own.
void encode_i2_s(const float* src, float scale, std::byte* dst, int64_t n);

// Whether every scale of these blocks is finite (always true for float types, whose values are not looked
// at).
bool has_finite_scales(DType dtype, const std::byte* src, int64_t n);

// The whole tensor as f32, row-major.
std::vector<float> to_f32(const Tensor& tensor);

}  // namespace minnow
