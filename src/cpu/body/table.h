// The table of all kernels for a vector type.
#pragma once

#include "cpu/body/attention.h"
#include "cpu/body/elementwise.h"
#include "cpu/body/limits.h"
#include "cpu/body/panel_matmul.h"
#include "cpu/body/row_matmul.h"

namespace minnow::body {

// One function for each panel type.
template <class V, int kIndex = 0>
constexpr void add_panel_matmuls(Kernels& kernels) {
  if constexpr (kIndex < kNumPanelTypes) {
    kernels.panel_matmul[kIndex] = panel_matmul<V, static_cast<PanelType>(kIndex)>;
    add_panel_matmuls<V, kIndex + 1>(kernels);
  }
}

template <class V>
constexpr Kernels table() {
  Kernels kernels = {
      .rms_norm = rms_norm<V>,
      .layer_norm = layer_norm<V>,
      .add_scaled = add_scaled<V>,
      .add = add<V>,
      .mul = mul<V>,
      .scale = scale<V>,
      .softcap = softcap<V>,
      .unary = {unary<V, Silu>, unary<V, GeluTanh>, unary<V, Gelu>, unary<V, Relu>, unary<V, ReluSquared>, unary<V, Tanh>},
      .gated = {gated<V, Silu>, gated<V, GeluTanh>, gated<V, Gelu>, gated<V, Relu>, gated<V, ReluSquared>, gated<V, Tanh>},
      .rope_interleaved = rope_interleaved<V>,
      .rope_halves = rope_halves<V>,
      .quantize = quantize<V>,
      .matmul_f32 = row_matmul<V, LoadF32>,
      .matmul_f16 = row_matmul<V, LoadF16>,
      .matmul_bf16 = row_matmul<V, LoadBF16>,
      .kv_store = kv_store<V>,
      .attention = attention<V>,
      .read_memory = read_memory<V>,
      .int8_rate = int8_rate<V>,
      .f32_rate = f32_rate<V>,
      .bf16_rate = bf16_rate<V>,
  };
  add_panel_matmuls<V>(kernels);
  return kernels;
}

}  // namespace minnow::body
