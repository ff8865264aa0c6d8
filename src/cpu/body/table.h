// The table of all kernels for a vector type.
#pragma once

#include "cpu/body/attention.h"
#include "cpu/body/elementwise.h"
#include "cpu/body/limits.h"
#include "cpu/body/panel_matmul.h"
#include "cpu/body/row_matmul.h"

namespace minnow::body {

template <class V>
constexpr Kernels table() {
  return {
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
      .matmul_q8_0 = panel_matmul<V, Q8_0>,
      .matmul_q4_0 = panel_matmul<V, Q4_0>,
      .matmul_q4_k = panel_matmul<V, Q4_K>,
      .matmul_q6_k = panel_matmul<V, Q6_K>,
      .kv_store = kv_store<V>,
      .attention = attention<V>,
      .read_memory = read_memory<V>,
      .int8_rate = int8_rate<V>,
      .f32_rate = f32_rate<V>,
  };
}

}  // namespace minnow::body
