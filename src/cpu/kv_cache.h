// Storage of keys and values in pages of kKvPage positions. Which page belongs to which sequence is the engine's
// business; a page number means the same in every layer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/page_memory.h"
#include "cpu/kernels.h"
#include "graph/graph.h"

namespace minnow {

std::string_view name(KvType type);                            // "f32", "f16", "bf16", "q8_0"
std::optional<KvType> kv_type_from_name(std::string_view name);
// Whether keys and values of this type are multiplied in f32 even where there is a unit for bf16; an engine multiplies
// 16-bit weights in the same way.
constexpr bool computes_in_f32(KvType type) { return type == KvType::kF32 || type == KvType::kF16; }

// Keys and values of n_kv_heads heads; or, for a short convolution, its inputs: one row of head_dim f32 per position.
struct KvLayer {
  int64_t n_kv_heads = 0, head_dim = 0;
  bool is_conv = false;
};
// What the attention operations and convolutions of a graph need, by their layer number.
std::vector<KvLayer> kv_layers(const Graph& graph);

class KvCache {
 public:
  // Throws kInvalidInput when the type does not suit the head size (q8_0 wants a multiple of 32), kLimit when there is
  // not that much memory. Pages cost memory only once written to.
  KvCache(std::vector<KvLayer> layers, KvType type, int64_t n_pages);

  // Bytes that `positions` positions of one sequence take in all layers. Throws as the constructor does.
  static uint64_t bytes_for(const std::vector<KvLayer>& layers, KvType type, int64_t positions);

  KvType type() const { return type_; }
  int64_t n_pages() const { return n_pages_; }
  const KvLayer& layer(int32_t layer) const { return layers_[static_cast<std::size_t>(layer)]; }
  // Page p of this layer and head lies page_stride(layer) * p bytes after the returned address.
  char* k_base(int32_t layer, int64_t head) const;
  char* v_base(int32_t layer, int64_t head) const { return k_base(layer, head) + part_bytes(layer_at(layer), type_); }
  int64_t page_stride(int32_t) const { return page_bytes_; }
  // The row of a convolution's input at a position of the sequence that has these pages.
  float* conv_row(int32_t layer, std::span<const int32_t> pages, int64_t position) const;

 private:
  const KvLayer& layer_at(int32_t l) const { return layers_[static_cast<std::size_t>(l)]; }
  static int64_t layer_bytes(const KvLayer& layer, KvType type);  // of one page
  // Keys, or values, of one page and head.
  static int64_t part_bytes(const KvLayer& layer, KvType type);
  std::vector<KvLayer> layers_;
  // All layers of a page lie together, so that a short context touches few of the large pages that the kernel clears.
  std::vector<int64_t> layer_offset_;  // in a page
  int64_t page_bytes_ = 0;
  KvType type_;
  int64_t n_pages_;
  std::shared_ptr<PageMemory> memory_;
};

}  // namespace minnow
