// The graph of a decoder-only transformer, from its config, its weights and its family's facts.
#include <cmath>

#include "base/error.h"
#include "models/family.h"
#include "models/model.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

class DecoderBuilder {
 public:
  DecoderBuilder(const Model& model, int64_t n_ctx)
      : config_(model.config), facts_(*model.config.family), weights_(model.weights) {
    std::vector<float> divisors;
    if (const Tensor* t = weights_.find("rope_freqs.weight")) divisors = to_f32(*t);
    positions_ = g_.positions();
    global_rope_ = g_.rope_table(positions_, rope_frequencies(config_.rope, n_ctx, divisors));
    local_rope_ = global_rope_;
    if (config_.sliding_window > 0 && config_.local_rope_base > 0) {
      RopeConfig local = {.base = config_.local_rope_base, .n_rot = config_.rope.n_rot};
      local_rope_ = g_.rope_table(positions_, rope_frequencies(local, n_ctx, {}));
    }
  }

  Graph build() {
    const NodeId embeddings = weight("token_embd");
    NodeId x = g_.embed(embeddings, g_.tokens());
    if (facts_.scaled_embeddings) x = g_.scale(x, std::sqrt(static_cast<float>(config_.n_embd)));
    for (int64_t layer = 0; layer < config_.n_layers; ++layer) x = block(x, layer);
    x = norm(g_.select_rows(x), "output_norm");
    const bool tied = weights_.find("output.weight") == nullptr;
    NodeId logits = g_.matmul(x, tied ? embeddings : weight("output"));
    if (config_.logit_softcap > 0) logits = g_.softcap(logits, static_cast<float>(config_.logit_softcap));
    g_.set_output(logits);
    return std::move(g_);
  }

 private:
  NodeId weight(const std::string& name) { return g_.weight(name + ".weight", weights_.require(name + ".weight")); }

  NodeId norm(NodeId x, const std::string& name) { return g_.rms_norm(x, weight(name), config_.norm_eps); }

  // x W^T with n_out features, plus the bias when the file has one.
  NodeId linear(NodeId x, const std::string& name, int64_t n_out) {
    const NodeId w = weight(name);
    if (g_.node(w).shape.rank() != 2 || g_.node(w).shape[0] != n_out) {
      fail(ErrorCode::kInvalidInput, "model: {}.weight has shape {}, but the config wants {} rows", name,
           g_.node(w).shape.text(), n_out);
    }
    NodeId y = g_.matmul(x, w);
    if (const Tensor* bias = weights_.find(name + ".bias")) y = g_.add(y, g_.weight(name + ".bias", *bias));
    return y;
  }

  NodeId heads(NodeId x, int64_t n) { return g_.reshape(x, {kTokensDim, n, config_.head_dim}); }

  NodeId attention(NodeId x, int64_t layer, const std::string& block) {
    const bool local = config_.is_local(layer);
    const int64_t kv_width = config_.n_kv_heads * config_.head_dim;
    NodeId q = linear(x, block + "attn_q", config_.n_heads * config_.head_dim);
    NodeId k = linear(x, block + "attn_k", kv_width), v = linear(x, block + "attn_v", kv_width);
    q = heads(q, config_.n_heads);
    k = heads(k, config_.n_kv_heads);
    v = heads(v, config_.n_kv_heads);
    if (facts_.qk_norm) {
      q = norm(q, block + "attn_q_norm");
      k = norm(k, block + "attn_k_norm");
    }
    const NodeId table = local ? local_rope_ : global_rope_;
    q = g_.rope(q, table, config_.rope.layout);
    k = g_.rope(k, table, config_.rope.layout);
    const double scale = config_.attention_scale > 0 ? config_.attention_scale
                                                     : 1.0 / std::sqrt(static_cast<double>(config_.head_dim));
    const NodeId y = g_.attention(q, k, v,
                                  {.layer = static_cast<int32_t>(layer),
                                   .scale = static_cast<float>(scale),
                                   .window = local ? static_cast<int32_t>(config_.sliding_window) : 0,
                                   .softcap = static_cast<float>(config_.attention_softcap)});
    return linear(y, block + "attn_output", config_.n_embd);
  }

  NodeId feed_forward(NodeId x, const std::string& block) {
    const NodeId gate = linear(x, block + "ffn_gate", config_.n_ff), up = linear(x, block + "ffn_up", config_.n_ff);
    return linear(g_.mul(g_.unary(gate, facts_.activation), up), block + "ffn_down", config_.n_embd);
  }

  NodeId block(NodeId x, int64_t layer) {
    const std::string b = "blk." + std::to_string(layer) + ".";
    NodeId y = attention(norm(x, b + "attn_norm"), layer, b);
    if (facts_.post_norms) y = norm(y, b + "post_attention_norm");
    x = g_.add(x, y);
    y = feed_forward(norm(x, b + "ffn_norm"), b);
    if (facts_.post_norms) y = norm(y, b + "post_ffw_norm");
    return g_.add(x, y);
  }

  const ModelConfig& config_;
  const Family& facts_;
  const Weights& weights_;
  Graph g_;
  NodeId positions_ = kNoNode, global_rope_ = kNoNode, local_rope_ = kNoNode;
};

}  // namespace

Graph build_graph(const Model& model, int64_t n_ctx) { return DecoderBuilder(model, n_ctx).build(); }

}  // namespace minnow
