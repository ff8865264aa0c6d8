// The table of all kernels for a vector type.
#pragma once

#include "cpu/body/attention.h"
#include "cpu/body/elementwise.h"
#include "cpu/body/kv_store.h"
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
      .quantize_32 = quantize<V, ActBlock32>,
      .quantize_256 = quantize<V, ActBlock256>,
      .matmul_f32 = row_matmul<V, AsStored<F32Unit<V>>>,
      .matmul_f16 = row_matmul<V, F32FromF16<V>>,
      .matmul_bf16 = row_matmul<V, F32FromBf16<V>>,
      .round_bf16 = nullptr,
      .matmul_f16_as_bf16 = nullptr,
      .matmul_bf16_as_bf16 = nullptr,
      .kv_store = kv_store<V>,
      .attention = attention<V>,
      .attention_segment = attention_segment<V>,
      .attention_fold = attention_fold<V>,
      .read_memory = read_memory<V>,
      .int8_rate = int8_rate<V>,
      .bf16_rate = nullptr,
      .f32_rate = f32_rate<V>,
  };
  if constexpr (V::kBf16Dot) {
    kernels.round_bf16 = round_bf16<V>;
    kernels.matmul_f16_as_bf16 = row_matmul<V, Bf16FromF16<V>>;
    kernels.matmul_bf16_as_bf16 = row_matmul<V, AsStored<Bf16Unit<V>>>;
    kernels.bf16_rate = bf16_rate<V>;
  }
  add_panel_matmuls<V>(kernels);
  return kernels;
}

}  // namespace minnow::body
