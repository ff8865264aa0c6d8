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
  std::vector<float> seen;
  ActForm form;
  int64_t k;
  std::vector<ActBlock256> memory;  // rows in that form, unless it is f32

  Columns(Random& random, const Kernels& kernels, ActForm input, int64_t n_cols, int64_t columns, double deviation = 1)
      : seen(normals(random, n_cols * columns, deviation)), form(input), k(columns) {
    quantize(kernels);
  }
  void quantize(const Kernels& kernels) {
    if (form == ActForm::kF32) return;
    const auto n_cols = static_cast<int64_t>(seen.size()) / k;
    memory.resize(static_cast<std::size_t>(n_cols * act_row_bytes(form, k)) / sizeof(ActBlock256) + 1);
    for (int64_t c = 0; c < n_cols; ++c) {
      kernels.quantize[static_cast<std::size_t>(form)](seen.data() + c * k, const_cast<std::byte*>(column(c)), k);
    }
  }
  double value(int64_t i) const {
    if (form == ActForm::kF32) return seen[static_cast<std::size_t>(i)];
    return form == ActForm::kBlocks32 ? value_in<ActBlock32>(i / k, i % k) : value_in<ActBlock256>(i / k, i % k);
  }
  const std::byte* column(int64_t c) const {
    const void* first = form == ActForm::kF32 ? static_cast<const void*>(seen.data()) : memory.data();
    return static_cast<const std::byte*>(first) + c * act_row_bytes(form, k);
  }

 private:
  template <typename Block>
  double value_in(int64_t c, int64_t i) const {
    const Block& b = reinterpret_cast<const Block*>(column(c))[i / Block::kColumns];
    return static_cast<double>(b.q[i % Block::kColumns]) * b.d;
  }
};

// Weights in f32, and the sum of the magnitudes of the terms that each is made of (some types add a minimum).
struct Decoded {
  std::vector<float> w;
  std::vector<double> magnitude;

  explicit Decoded(const Tensor& t) : w(to_f32(t)) {
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
// be subnormal: then it is off by half of the smallest number, times an integer below 2^14 for each column.
inline std::vector<Expected> expected(const Decoded& weight, const Columns& x, int64_t rows, int64_t n_cols,
                                      int64_t k) {
  const auto n = static_cast<std::size_t>(n_cols);
  std::vector<double> by_k(static_cast<std::size_t>(k) * n);  // x, one k after another
  for (int64_t c = 0; c < n_cols; ++c) {
    for (int64_t i = 0; i < k; ++i) by_k[static_cast<std::size_t>(i * n_cols + c)] = x.value(c * k + i);
  }
  const bool in_panels = x.form != ActForm::kF32;
  const auto length = static_cast<double>(k);
  const double relative = (in_panels ? length / 8 + 8 : length / 4 + 8) * kUnit;
  const double absolute = in_panels ? length * 0x1.0p-136 : 1e-44;
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
