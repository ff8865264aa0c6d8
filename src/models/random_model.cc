#include "models/random_model.h"

#include <fmt/format.h>

#include <cmath>

#include "base/random.h"
#include "models/family.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

// Families from before keys and values were shared.
bool is_multi_head(const Family& f) {
  return f.positions == PositionKind::kLearned || &f == &kGptNeoX || &f == &kPhi2 || &f == &kNomicBert;
}

class Builder {
 public:
  Builder(Model& model, const RandomModelShape& shape, uint64_t seed)
      : model_(model), facts_(*shape.family), shape_(shape), random_(seed) {}

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

  void vector(const std::string& name, int64_t n, double mean, double deviation) {
    std::vector<float> values(static_cast<std::size_t>(n));
    for (float& v : values) v = static_cast<float>(mean + deviation * random_.normal());
    model_.weights.set(name, Tensor::from_f32(values, {n}));
  }

  void norm(const std::string& name, int64_t n) {
    vector(name + ".weight", n, 1, 0.1);
    if (facts_.norm == NormKind::kLayer) vector(name + ".bias", n, 0, 0.1);
  }

  void attention(const std::string& b, double residual) {
    const int64_t q = shape_.n_heads * shape_.head_dim, kv = shape_.n_kv_heads * shape_.head_dim;
    if (hf_name_of("attn_qkv")) {
      matrix(b + "attn_qkv", q + 2 * kv, shape_.n_embd, 1.2);
      vector(b + "attn_qkv.bias", q + 2 * kv, 0, 0.1);
    } else {
      matrix(b + "attn_q", q, shape_.n_embd, 1.4);
      matrix(b + "attn_k", kv, shape_.n_embd, 1.4);
      matrix(b + "attn_v", kv, shape_.n_embd, 1);
    }
    if (facts_.qk_norm != QkNorm::kNone) {
      norm(b + "attn_q_norm", facts_.qk_norm == QkNorm::kHead ? shape_.head_dim : q);
      norm(b + "attn_k_norm", facts_.qk_norm == QkNorm::kHead ? shape_.head_dim : kv);
    }
    if (facts_.sub_norms) norm(b + "attn_sub_norm", q);
    matrix(b + "attn_output", shape_.n_embd, q, residual);
  }

  void convolution(const std::string& b, double residual) {
    matrix(b + "shortconv.in_proj", 3 * shape_.n_embd, shape_.n_embd, 1);
    std::vector<float> taps(static_cast<std::size_t>(shape_.n_embd * kTaps));
    for (float& v : taps) v = static_cast<float>(random_.normal() * 0.6);
    model_.weights.set(b + "shortconv.conv.weight", Tensor::from_f32(taps, {shape_.n_embd, kTaps}));
    matrix(b + "shortconv.out_proj", shape_.n_embd, shape_.n_embd, residual);
  }

  void experts(const std::string& name, int64_t rows, int64_t columns, double gain) {
    matrix(name, kExperts * rows, columns, gain);
    Tensor t = model_.weights.require(name + ".weight");
    t.shape = {kExperts, rows, columns};
    model_.weights.set(name + ".weight", t);
  }

  void feed_forward(const std::string& b, double residual) {
    const bool moe = model_.config.n_experts > 0, fused = hf_name_of("ffn_up") && facts_.gated && !hf_name_of("ffn_gate");
    if (moe) {
      matrix(b + "ffn_gate_inp", kExperts, shape_.n_embd, 1);
      experts(b + "ffn_gate_exps", shape_.n_ff, shape_.n_embd, 1);
      experts(b + "ffn_up_exps", shape_.n_ff, shape_.n_embd, 1);
      experts(b + "ffn_down_exps", shape_.n_embd, shape_.n_ff, 2 * residual);
      return;
    }
    if (facts_.gated && !fused) matrix(b + "ffn_gate", shape_.n_ff, shape_.n_embd, 1);
    matrix(b + "ffn_up", fused ? 2 * shape_.n_ff : shape_.n_ff, shape_.n_embd, 1);
    if (facts_.sub_norms) norm(b + "ffn_sub_norm", shape_.n_ff);
    matrix(b + "ffn_down", shape_.n_embd, shape_.n_ff, 2 * residual);
  }

  void block(int64_t layer) {
    const std::string b = "blk." + std::to_string(layer) + ".";
    const bool post = facts_.form == BlockForm::kSandwich || facts_.form == BlockForm::kPostNorm;
    const bool pre = facts_.form != BlockForm::kPostNorm && facts_.form != BlockForm::kNormOfSum;
    const double residual = post ? 1 : 1 / std::sqrt(2.0 * static_cast<double>(shape_.n_layers));
    if (pre) norm(b + "attn_norm", shape_.n_embd);
    if (model_.config.is_conv(layer)) {
      convolution(b, residual);
    } else {
      attention(b, residual);
    }
    if (pre && &facts_ != &kPhi2) norm(b + "ffn_norm", shape_.n_embd);
    feed_forward(b, residual);
    if (post) {
      norm(b + "post_attention_norm", shape_.n_embd);
      norm(b + "post_ffw_norm", shape_.n_embd);
    }
    if (facts_.form == BlockForm::kNormOfSum) {
      norm(b + "attn_output_norm", shape_.n_embd);
      norm(b + "layer_output_norm", shape_.n_embd);
    }
  }

  void embeddings() {
    matrix("token_embd", shape_.n_vocab, shape_.n_embd, 2);
    if (facts_.positions == PositionKind::kLearned) matrix("position_embd", shape_.n_ctx, shape_.n_embd, 1);
    if (facts_.embedding_norm) {
      matrix("token_types", 2, shape_.n_embd, 1);
      norm("token_embd_norm", shape_.n_embd);
    }
    if (model_.config.rope.scaling == RopeScaling::kLongRope) {
      for (const char* name : {"rope_factors_short.weight", "rope_factors_long.weight"}) {
        vector(name, model_.config.rope.n_rot / 2, 2, 0.2);
      }
    }
  }

  void output() {
    if (facts_.output_norm) norm(&facts_ == &kLfm2 ? "token_embd_norm" : "output_norm", shape_.n_embd);
    if (!shape_.tied && facts_.causal) matrix("output", shape_.n_vocab, shape_.n_embd, 2);
  }

  static constexpr int64_t kExperts = 4, kTaps = 3;

 private:
  // Whether the family has a name of its own for this tensor of a block: fused projections do.
  bool hf_name_of(const std::string& part) const {
    for (const TensorName& n : facts_.names) {
      if (n.gguf == "blk.{}." + part) return true;
    }
    return false;
  }

  Model& model_;
  const Family& facts_;
  const RandomModelShape& shape_;
  Random random_;
};

ModelConfig config_of(const RandomModelShape& s) {
  const Family& f = *s.family;
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
  c.form = f.form;
  c.activation = f.activation;
  c.norm_eps = static_cast<float>(f.default_norm_eps);
  const auto n_rot = static_cast<int64_t>(f.default_rotary_part * static_cast<double>(s.head_dim));
  c.rope = {.base = f.default_rope_base, .n_rot = n_rot, .layout = f.gguf_rope_layout, .original_context = s.n_ctx};
  if (s.family == &kPhi3) {
    c.rope.scaling = RopeScaling::kLongRope;
    c.rope.attention_factor = 1.1;
  }
  c.sliding_window = s.sliding_window;
  if (s.sliding_window > 0) c.local_layers = all_but_every_nth(s.n_layers, f.window_pattern);
  c.local_rope_base = f.local_rope_base;
  c.nope_layers = every_nth(s.n_layers, f.nope_interval);
  if (f.normalized_experts) {
    c.n_experts = 4;
    c.n_experts_used = 2;
    c.n_ff_expert = s.n_ff;
    c.normalized_experts = true;
  }
  if (s.family == &kLfm2) {
    c.conv_layers = all_but_every_nth(s.n_layers, 2);
    c.n_conv_taps = 3;
  }
  if (!f.causal) c.pooling = Pooling::kMean;
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

Model random_model(const RandomModelShape& given, uint64_t seed) {
  Model model;
  RandomModelShape s = given;
  if (is_multi_head(*s.family)) s.n_kv_heads = s.n_heads;
  model.path = "random model";
  model.config = config_of(s);
  model.format = ModelFormat::kLlama2c;  // any but GGUF: the metadata follow from the config
  Builder build(model, s, seed);
  build.embeddings();
  for (int64_t l = 0; l < s.n_layers; ++l) build.block(l);
  build.output();
  model.tokenizer = spec_of(s.n_vocab);
  return model;
}

}  // namespace minnow
