#include "models/hf_layout.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/error.h"
#include "models/family.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

Tensor plus_one(const Tensor& t) {
  std::vector<float> values = to_f32(t);
  for (float& v : values) v += 1;
  return Tensor::from_f32(values, t.shape);
}

[[noreturn]] void misfit(const std::string& name, const Tensor& t) {
  fail(ErrorCode::kInvalidInput, "{}: shape {} does not fit the config", name, t.shape.text());
}

// Elements of float tensors are moved as they are.
int64_t element_bytes(const std::string& name, const Tensor& t) {
  if (info(t.dtype).block_size != 1) fail(ErrorCode::kUnsupported, "{}: {} weights cannot be put into another layout", name, minnow::name(t.dtype));
  return static_cast<int64_t>(info(t.dtype).block_bytes);
}

Tensor transposed(const std::string& name, const Tensor& t) {
  if (t.shape.rank() != 2) misfit(name, t);
  const int64_t size = element_bytes(name, t), rows = t.shape[0], columns = t.shape[1];
  std::byte* out = nullptr;
  const Tensor result = Tensor::allocate(t.dtype, {columns, rows}, &out);
  constexpr int64_t kTile = 32;  // both sides stay in cache
  for (int64_t r0 = 0; r0 < rows; r0 += kTile) {
    for (int64_t c0 = 0; c0 < columns; c0 += kTile) {
      for (int64_t r = r0; r < std::min(r0 + kTile, rows); ++r) {
        for (int64_t c = c0; c < std::min(c0 + kTile, columns); ++c) {
          std::memcpy(out + (c * rows + r) * size, t.data + (r * columns + c) * size, static_cast<std::size_t>(size));
        }
      }
    }
  }
  return result;
}

// Row (or element) r of the result is row source(r) of the tensor.
Tensor with_rows(const std::string& name, const Tensor& t, const std::function<int64_t(int64_t)>& source) {
  const int64_t n = t.shape[0];
  const int64_t bytes = t.shape.rank() == 1 ? element_bytes(name, t) : static_cast<int64_t>(row_bytes(t.dtype, t.shape.last()));
  std::byte* out = nullptr;
  const Tensor result = Tensor::allocate(t.dtype, t.shape, &out);
  for (int64_t r = 0; r < n; ++r) std::memcpy(out + r * bytes, t.data + source(r) * bytes, static_cast<std::size_t>(bytes));
  return result;
}

// Rows of queries, keys and values: [head][part][feature] with Hugging Face, [part][head][feature] in GGUF.
Tensor split_heads(const ModelConfig& c, const std::string& name, const Tensor& t, bool to_gguf) {
  const int64_t d = c.head_dim, heads = c.n_heads;
  if (t.shape[0] != 3 * heads * d || c.n_kv_heads != heads) misfit(name, t);
  return with_rows(name, t, [=](int64_t r) {
    const int64_t i = r % d, outer = r / d;
    if (to_gguf) return (outer % heads * 3 + outer / heads) * d + i;
    return (outer % 3 * heads + outer / 3) * d + i;
  });
}

bool has_unused_positions(const ModelConfig& c, const std::string& name) {
  return c.family->hf_first_position > 0 && name == "position_embd.weight";
}

Tensor without_first_positions(const std::string& name, const Tensor& t, int64_t n) {
  if (t.shape.rank() != 2 || t.shape[0] <= n) misfit(name, t);
  Tensor rest = t;
  rest.data = t.row(n);
  rest.shape[0] -= n;
  return rest;
}

Tensor with_first_positions(const Tensor& t, int64_t n) {
  Shape shape = t.shape;
  shape[0] += n;
  std::byte* out = nullptr;
  const Tensor all = Tensor::allocate(t.dtype, shape, &out);  // the rows that no token gets are zero
  std::memcpy(out + all.bytes() - t.bytes(), t.data, t.bytes());
  return all;
}

Tensor with_shape(const Tensor& t, const Shape& shape) {
  Tensor view = t;
  view.shape = shape;
  return view;
}

}  // namespace

std::vector<int64_t> rope_row_order(const ModelConfig& c, const std::string& name, int64_t n_rows, RopeLayout wanted) {
  const auto ends = {".attn_q.weight", ".attn_k.weight", ".attn_q.bias", ".attn_k.bias"};
  const bool turns = std::any_of(ends.begin(), ends.end(), [&](const char* end) { return name.ends_with(end); });
  if (!turns || c.family->positions != PositionKind::kRope) return {};
  std::vector<int64_t> order(static_cast<std::size_t>(n_rows));
  const int64_t d = c.head_dim, half = d / 2;
  for (int64_t r = 0; r < n_rows; ++r) {
    const int64_t head = r / d * d, i = r % d;
    // Pairs lie side by side (interleaved) or half a head apart (halves).
    order[static_cast<std::size_t>(r)] = head + (wanted == RopeLayout::kInterleaved ? (i % 2) * half + i / 2 : (i % half) * 2 + i / half);
  }
  return order;
}

Tensor from_hf_layout(const ModelConfig& c, const std::string& name, const Tensor& t) {
  if (c.family->hf_norm_minus_one && t.shape.rank() == 1 && name.ends_with("norm.weight")) return plus_one(t);
  if (has_unused_positions(c, name)) return without_first_positions(name, t, c.family->hf_first_position);
  const auto layout = hf_layout(*c.family, name);
  if (!layout) return t;
  switch (*layout) {
    case HfLayout::kTransposed: return transposed(name, t);
    case HfLayout::kHeadsInterleaved: return split_heads(c, name, t, true);
    case HfLayout::kConvChannel:
      if (t.shape.rank() != 3 || t.shape[1] != 1) misfit(name, t);
      return with_shape(t, {t.shape[0], t.shape[2]});
  }
  return t;
}

Tensor to_hf_layout(const ModelConfig& c, const std::string& name, const Tensor& t) {
  if (has_unused_positions(c, name)) return with_first_positions(t, c.family->hf_first_position);
  const auto layout = hf_layout(*c.family, name);
  if (!layout) return t;
  switch (*layout) {
    case HfLayout::kTransposed: return transposed(name, t);
    case HfLayout::kHeadsInterleaved: return split_heads(c, name, t, false);
    case HfLayout::kConvChannel: return with_shape(t, {t.shape[0], 1, t.shape[1]});
  }
  return t;
}

}  // namespace minnow
