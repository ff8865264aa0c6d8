// The table of training's kernels for a vector type.
#pragma once

#include "cpu/body/cross_entropy.h"
#include "cpu/body/dense_tile.h"
#include "cpu/body/gradient_rows.h"
#include "cpu/body/optimizer.h"
#include "cpu/body/train_attention_backward.h"

namespace minnow::body {

template <class U>
constexpr DenseKernels dense_table() {
  using V = typename U::V;
  return {
      .numbers = U::kNumbers,
      .unit_step = 1,
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
      .attention_forward = train_attention_forward<UnitsF32<V>>,
      .attention_backward = train_attention_backward<UnitsF32<V>>,
      .rms_norm_backward = rms_norm_backward<V>,
      .layer_norm_backward = layer_norm_backward<V>,
      .column_sums = column_sums<V>,
      .scatter_rows = scatter_rows<V>,
      .unary_backward = {unary_backward<V, SiluSlope>, unary_backward<V, GeluTanhSlope>, unary_backward<V, GeluSlope>,
                         unary_backward<V, ReluSlope>, unary_backward<V, ReluSquaredSlope>, unary_backward<V, TanhSlope>},
      .gated_backward = {gated_backward<V, SiluSlope>, gated_backward<V, GeluTanhSlope>, gated_backward<V, GeluSlope>,
                         gated_backward<V, ReluSlope>, gated_backward<V, ReluSquaredSlope>, gated_backward<V, TanhSlope>},
      .softcap_backward = softcap_backward<V>,
      .cross_entropy = cross_entropy<V>,
      .adamw = adamw<V>,
      .adamw8 = adamw8<V>,
      .lion = lion<V>,
      .sgd = sgd<V>,
      .sum_squares = sum_squares<V>,
  };
  if constexpr (V::kBf16Dot) {
    kernels.dense_bf16 = dense_table<UnitsBf16<V>>();
    kernels.attention_forward_bf16 = train_attention_forward<UnitsBf16<V>>;
    kernels.attention_backward_bf16 = train_attention_backward<UnitsBf16<V>>;
  }
  return kernels;
}

}  // namespace minnow::body
