// The table of training's kernels for a vector type.
#pragma once

#include "cpu/body/dense_tile.h"

namespace minnow::body {

template <class U>
constexpr DenseKernels dense_table() {
  using V = typename U::V;
  return {
      .numbers = U::kNumbers,
      .left_lines = V::kDenseRows,
      .right_lines = kDenseColumns<V>,
      .pack_left = pack_panels<U, V::kDenseRows>,
      .pack_right = pack_panels<U, kDenseColumns<V>>,
      .multiply = multiply_dense<U>,
  };
}

template <class V>
constexpr TrainKernels train_table() {
  TrainKernels kernels = {
      .dense_f32 = dense_table<UnitsF32<V>>(),
  };
  if constexpr (V::kBf16Dot) {
    kernels.dense_bf16 = dense_table<UnitsBf16<V>>();
  }
  return kernels;
}

}  // namespace minnow::body
