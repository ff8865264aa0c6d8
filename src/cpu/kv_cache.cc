#include "cpu/kv_cache.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"

namespace minnow {

std::string_view name(KvType type) {
  switch (type) {
    case KvType::kF32: return "f32";
    case KvType::kF16: return "f16";
    case KvType::kBf16: return "bf16";
    case KvType::kQ8_0: return "q8_0";
  }
  return "?";
}

std::optional<KvType> kv_type_from_name(std::string_view text) {
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kQ8_0}) {
    if (name(type) == text) return type;
  }
  return std::nullopt;
}

std::vector<KvLayer> kv_layers(const Graph& graph) {
  std::vector<KvLayer> layers;
  const auto set = [&](int32_t number, const KvLayer& layer) {
    const auto at = static_cast<std::size_t>(number);
    layers.resize(std::max(layers.size(), at + 1));
    layers[at] = layer;
  };
  for (const Node& n : graph.nodes()) {
    if (n.op == Op::kAttention) {
      const Shape& k = graph.node(n.inputs[1]).shape;
      set(n.get<AttentionAttrs>().layer, {k[1], k[2]});
    } else if (n.op == Op::kShortConv) {
      set(n.get<ShortConvAttrs>().layer, {1, n.shape[1], true});
    }
  }
  return layers;
}

int64_t KvCache::part_bytes(const KvLayer& l, KvType type) {
  const int64_t numbers = (l.head_dim + 1) / 2 * 2 * kKvPage;
  switch (type) {
    case KvType::kF32: return numbers * 4;
    case KvType::kF16:
    case KvType::kBf16: return numbers * 2;
    case KvType::kQ8_0: return l.head_dim * kKvPage + l.head_dim / 32 * kKvPage * 4;
  }
  return 0;
}

int64_t KvCache::layer_bytes(const KvLayer& l, KvType type) {
  return l.is_conv ? l.head_dim * kKvPage * static_cast<int64_t>(sizeof(float)) : l.n_kv_heads * 2 * part_bytes(l, type);
}

float* KvCache::conv_row(int32_t l, std::span<const int32_t> pages, int64_t position) const {
  const int64_t page = pages[static_cast<std::size_t>(position / kKvPage)];
  std::byte* base = memory_->data() + layer_offset_[static_cast<std::size_t>(l)] + page * page_stride(l);
  return reinterpret_cast<float*>(base) + position % kKvPage * layer_at(l).head_dim;
}

char* KvCache::k_base(int32_t l, int64_t head) const {
  return reinterpret_cast<char*>(memory_->data()) + layer_offset_[static_cast<std::size_t>(l)] +
         head * 2 * part_bytes(layer_at(l), type_);
}

uint64_t KvCache::bytes_for(const std::vector<KvLayer>& layers, KvType type, int64_t positions) {
  for (const KvLayer& l : layers) {
    if (type == KvType::kQ8_0 && !l.is_conv && l.head_dim % 32 != 0) {
      throw Error(ErrorCode::kInvalidInput,
                  fmt::format("a q8_0 KV cache needs heads of a multiple of 32 values, this model has {}", l.head_dim),
                  "use f16");
    }
  }
  const auto pages = static_cast<uint64_t>((positions + kKvPage - 1) / kKvPage);
  Checked total = 0;
  for (const KvLayer& l : layers) {
    total = total + Checked(pages) * static_cast<uint64_t>(layer_bytes(l, type));
  }
  if (!total.ok()) fail(ErrorCode::kLimit, "KV cache of {} positions is too large", positions);
  return total.value();
}

KvCache::KvCache(std::vector<KvLayer> layers, KvType type, int64_t n_pages)
    : layers_(std::move(layers)), type_(type), n_pages_(n_pages) {
  const uint64_t bytes = bytes_for(layers_, type, n_pages * kKvPage);
  memory_ = PageMemory::allocate(bytes, "KV cache");
  for (const KvLayer& l : layers_) {
    layer_offset_.push_back(page_bytes_);
    page_bytes_ += layer_bytes(l, type);
  }
}

}  // namespace minnow
