// One product of a weight matrix with a batch of columns, computed in float64, with the most that a kernel may be off.
#pragma once

#include <cmath>
#include <cstring>
#include <vector>

#include "cpu/test_values.h"
#include "tensor/codec.h"

namespace minnow::test {

// Inputs of one product: x as the kernels of this weight type read it, and the values that they see.
struct Columns {
  MatMulInput form;
  int64_t k;
  std::vector<float> given;
  std::vector<ActBlock256> memory;  // aligned as the widest blocks are

  Columns(Random& random, const Kernels& kernels, MatMulInput f, int64_t n_cols, int64_t length, double deviation = 1)
      : form(f), k(length), given(normals(random, n_cols * k, deviation)) {
    convert(kernels);
  }
  void convert(const Kernels& kernels) {
    const int64_t n_cols = static_cast<int64_t>(given.size()) / k, bytes = input_row_bytes(form, k);
    memory.resize(static_cast<std::size_t>(n_cols * bytes) / sizeof(ActBlock256) + 1);
    std::memset(memory.data(), 0xFF, memory.size() * sizeof(ActBlock256));  // NaN, where nothing is written
    for (int64_t c = 0; c < n_cols; ++c) to_input(kernels, form, given.data() + c * k, const_cast<std::byte*>(column(c)), k);
  }
  double value(int64_t c, int64_t i) const {
    switch (form) {
      case MatMulInput::kF32: return at<float>(c, i);
      case MatMulInput::kBf16: return bf16_to_f32(at<uint16_t>(c, i));
      case MatMulInput::kBlocks32: return value_in<ActBlock32>(c, i);
      case MatMulInput::kBlocks256: return value_in<ActBlock256>(c, i);
    }
    return 0;
  }
  const std::byte* column(int64_t c) const {
    return reinterpret_cast<const std::byte*>(memory.data()) + c * input_row_bytes(form, k);
  }

 private:
  template <typename T>
  T at(int64_t c, int64_t i) const {
    T v;
    std::memcpy(&v, column(c) + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    return v;
  }
  template <typename Block>
  double value_in(int64_t c, int64_t i) const {
    const Block& b = reinterpret_cast<const Block*>(column(c))[i / Block::kColumns];
    return static_cast<double>(b.q[i % Block::kColumns]) * b.d;
  }
};

// Weights in f32, as the product sees them, and the sum of the magnitudes of the terms that each is made of (some types add a minimum).
struct Decoded {
  std::vector<float> w;
  std::vector<double> magnitude;

  explicit Decoded(const Tensor& t, MatMulInput form = MatMulInput::kF32) : w(to_f32(t)) {
    if (form == MatMulInput::kBf16) {
      for (float& v : w) v = bf16_to_f32(f32_to_bf16(v));
    }
    magnitude.reserve(w.size());
    for (const float v : w) magnitude.push_back(std::abs(static_cast<double>(v)));
    if (!is_quantized(t.dtype)) return;
    std::byte* data = nullptr;
    const Tensor without_min = Tensor::allocate(t.dtype, t.shape, &data);
    with_block(t.dtype, [&](auto block) {
      for (std::size_t i = 0; i < t.bytes(); i += sizeof(block)) {
        std::memcpy(&block, t.data + i, sizeof(block));
        if constexpr (requires { block.m; }) block.m = 0;
        if constexpr (requires { block.dmin; }) block.dmin = 0;
        std::memcpy(data + i, &block, sizeof(block));
      }
    });
    const std::vector<float> product = to_f32(without_min);
    for (std::size_t i = 0; i < w.size(); ++i) {
      magnitude[i] = std::abs(static_cast<double>(product[i])) + std::abs(static_cast<double>(product[i]) - w[i]);
    }
  }
};

struct Expected {
  double value, bound;
};

// All outputs [n_cols][rows] of a product over K = k.
//
// Float types: a product and an addition per vector of at least 4, then the sum of its lanes. Panels: at most two of
// both per 16 columns, integers in between; scales and the decoded weight are rounded, too. A product of two scales may
// be subnormal: then it is off by half of the smallest number, times an integer below 2^14 for each column. Products in
// bf16 are exact, but subnormal weights and sums count as 0 there; values of x stay below 2^9.
inline std::vector<Expected> expected(const Decoded& weight, const Columns& x, int64_t rows, int64_t n_cols,
                                      int64_t k) {
  const auto n = static_cast<std::size_t>(n_cols);
  std::vector<double> by_k(static_cast<std::size_t>(k) * n);  // x, one k after another
  for (int64_t c = 0; c < n_cols; ++c) {
    for (int64_t i = 0; i < k; ++i) by_k[static_cast<std::size_t>(i * n_cols + c)] = x.value(c, i);
  }
  const bool in_panels = x.form == MatMulInput::kBlocks32 || x.form == MatMulInput::kBlocks256;
  const auto length = static_cast<double>(k);
  const double relative = (in_panels ? length / 8 + 8 : length / 4 + 8) * kUnit;
  const double absolute = in_panels ? length * 0x1.0p-136 : x.form == MatMulInput::kBf16 ? length * 0x1.0p-117 : 1e-44;
  std::vector<Expected> outputs(static_cast<std::size_t>(rows) * n);
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<double> value(n), magnitude(n);
    for (int64_t i = 0; i < k; ++i) {
      const auto at = static_cast<std::size_t>(r * k + i);
      const double w = weight.w[at], m = weight.magnitude[at];
      const double* xi = by_k.data() + i * n_cols;
      for (std::size_t c = 0; c < n; ++c) {
        value[c] += w * xi[c];
        magnitude[c] += m * std::abs(xi[c]);
      }
    }
    for (std::size_t c = 0; c < n; ++c) {
      outputs[c * static_cast<std::size_t>(rows) + static_cast<std::size_t>(r)] = {value[c],
                                                                                  relative * magnitude[c] + absolute};
    }
  }
  return outputs;
}

}  // namespace minnow::test
