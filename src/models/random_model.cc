#include "models/random_model.h"

#include <fmt/format.h>

#include <cmath>

#include "base/random.h"
#include "models/family.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

class Builder {
 public:
  Builder(Model& model, const RandomModelShape& shape, uint64_t seed) : model_(model), shape_(shape), random_(seed) {}

  void matrix(const std::string& name, int64_t rows, int64_t columns, double gain) {
    const double std = gain / std::sqrt(static_cast<double>(columns));
    std::vector<float> row(static_cast<std::size_t>(columns));
    const bool fits = columns % info(shape_.dtype).block_size == 0;
    const DType dtype = fits ? shape_.dtype : DType::kF16;
    std::byte* data = nullptr;
    const Tensor t = Tensor::allocate(dtype, {rows, columns}, &data);
    for (int64_t r = 0; r < rows; ++r) {
      for (float& v : row) v = static_cast<float>(random_.normal() * std);
      encode_row(dtype, row.data(), data + static_cast<uint64_t>(r) * row_bytes(dtype, columns), columns);
    }
    model_.weights.set(name + ".weight", t);
  }

  void norm(const std::string& name, int64_t n) {
    std::vector<float> values(static_cast<std::size_t>(n));
    for (float& v : values) v = static_cast<float>(1 + 0.1 * random_.normal());
    model_.weights.set(name + ".weight", Tensor::from_f32(values, {n}));
  }

  void block(const std::string& b, const Family& f) {
    const int64_t q = shape_.n_heads * shape_.head_dim, kv = shape_.n_kv_heads * shape_.head_dim;
    const double residual = f.post_norms ? 1 : 1 / std::sqrt(2.0 * static_cast<double>(shape_.n_layers));
    norm(b + "attn_norm", shape_.n_embd);
    matrix(b + "attn_q", q, shape_.n_embd, 1.4);
    matrix(b + "attn_k", kv, shape_.n_embd, 1.4);
    matrix(b + "attn_v", kv, shape_.n_embd, 1);
    matrix(b + "attn_output", shape_.n_embd, q, residual);
    if (f.qk_norm) {
      norm(b + "attn_q_norm", shape_.head_dim);
      norm(b + "attn_k_norm", shape_.head_dim);
    }
    norm(b + "ffn_norm", shape_.n_embd);
    matrix(b + "ffn_gate", shape_.n_ff, shape_.n_embd, 1);
    matrix(b + "ffn_up", shape_.n_ff, shape_.n_embd, 1);
    matrix(b + "ffn_down", shape_.n_embd, shape_.n_ff, 2 * residual);
    if (f.post_norms) {
      norm(b + "post_attention_norm", shape_.n_embd);
      norm(b + "post_ffw_norm", shape_.n_embd);
    }
  }

 private:
  Model& model_;
  const RandomModelShape& shape_;
  Random random_;
};

ModelConfig config_of(const RandomModelShape& s) {
  ModelConfig c;
  c.family = s.family;
  c.n_layers = s.n_layers;
  c.n_embd = s.n_embd;
  c.n_ff = s.n_ff;
  c.n_vocab = s.n_vocab;
  c.n_ctx_train = s.n_ctx;
  c.n_heads = s.n_heads;
  c.n_kv_heads = s.n_kv_heads;
  c.head_dim = s.head_dim;
  c.rope = {.base = s.family->default_rope_base, .n_rot = s.head_dim, .layout = s.family->gguf_rope_layout, .original_context = s.n_ctx};
  c.sliding_window = s.sliding_window;
  c.window_pattern = s.family->window_pattern;
  c.local_rope_base = s.family->local_rope_base;
  return c;
}

TokenizerSpec spec_of(int64_t n_vocab) {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::kSpmBpe;
  spec.source = "random model";
  spec.tokens = {{"<unk>", 0, TokenType::kUnknown}, {"<s>", 0, TokenType::kControl}, {"</s>", 0, TokenType::kControl}};
  for (int b = 0; b < 256; ++b) spec.tokens.push_back({fmt::format("<0x{:02X}>", b), 0, TokenType::kByte});
  spec.tokens.push_back({"\u2581", -1, TokenType::kNormal});
  std::vector<std::string> pieces;
  for (char c = '!'; c <= '~'; ++c) pieces.emplace_back(1, c);
  for (char a = 'a'; a <= 'z'; ++a) {
    for (char b = 'a'; b <= 'z'; ++b) pieces.push_back({a, b});
  }
  for (int64_t i = 0; static_cast<int64_t>(spec.tokens.size()) < n_vocab; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::string piece = at < pieces.size() ? pieces[at] : fmt::format("[{}]", i);
    spec.tokens.push_back({piece, -2 - static_cast<float>(i), TokenType::kNormal});
  }
  spec.unk = 0;
  spec.bos = 1;
  spec.eos = 2;
  spec.add_bos = true;
  return spec;
}

}  // namespace

Model random_model(const RandomModelShape& s, uint64_t seed) {
  Model model;
  model.path = "random model";
  model.config = config_of(s);
  model.format = ModelFormat::kLlama2c;  // any but GGUF: the metadata follow from the config
  Builder build(model, s, seed);
  build.matrix("token_embd", s.n_vocab, s.n_embd, 2);
  for (int64_t l = 0; l < s.n_layers; ++l) build.block("blk." + std::to_string(l) + ".", *s.family);
  build.norm("output_norm", s.n_embd);
  if (!s.tied) build.matrix("output", s.n_vocab, s.n_embd, 2);
  model.tokenizer = spec_of(s.n_vocab);
  return model;
}

}  // namespace minnow
