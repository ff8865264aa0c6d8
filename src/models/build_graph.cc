// The graph of a transformer, from its config, its weights and its family's facts.
#include <cmath>
#include <map>

#include "base/error.h"
#include "models/family.h"
#include "models/model.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

struct Linear {
  NodeId weight, bias;  // bias may be kNoNode
};

class GraphBuilder {
 public:
  GraphBuilder(const Model& model, int64_t n_ctx)
      : config_(model.config), facts_(*model.config.family), weights_(model.weights), n_ctx_(n_ctx) {
    if (facts_.positions == PositionKind::kLearned || !uses_attention()) return;
    positions_ = g_.positions();
    const std::vector<float> divisors = frequency_divisors(n_ctx);
    RopeTableAttrs global = rope_frequencies(config_.rope, n_ctx, divisors);
    key_rope_ = query_rope_ = local_rope_ = g_.rope_table(positions_, global);
    if (config_.temperature_beta > 0) {
      global.temperature_beta = config_.temperature_beta;
      global.temperature_length = static_cast<double>(config_.rope.original_context);
      query_rope_ = g_.rope_table(positions_, global);
    }
    if (config_.sliding_window > 0 && config_.local_rope_base > 0) {
      RopeConfig local = {.base = config_.local_rope_base, .n_rot = config_.rope.n_rot};
      local_rope_ = g_.rope_table(positions_, rope_frequencies(local, n_ctx, {}));
    }
  }

  Graph build(GraphOutput output) {
    NodeId x = embeddings();
    for (int64_t layer = 0; layer < config_.n_layers; ++layer) x = block(x, layer);
    x = g_.select_rows(x);
    if (facts_.output_norm) x = norm(x, weights_.find("token_embd_norm.weight") && !facts_.embedding_norm ? "token_embd_norm" : "output_norm");
    if (output == GraphOutput::kLogits) x = logits(x);
    if (output == GraphOutput::kScores) x = scores(x);
    g_.set_output(x);
    return std::move(g_);
  }

 private:
  bool uses_attention() const {
    for (int64_t l = 0; l < config_.n_layers; ++l) {
      if (!config_.is_conv(l)) return true;
    }
    return false;
  }

  // Llama 3's and LongRoPE's factors, which the file gives one by one.
  std::vector<float> frequency_divisors(int64_t n_ctx) const {
    const bool is_long = n_ctx > config_.rope.original_context;
    for (const char* name : {"rope_freqs.weight", is_long ? "rope_factors_long.weight" : "rope_factors_short.weight"}) {
      if (const Tensor* t = weights_.find(name)) return to_f32(*t);
    }
    return {};
  }

  // One node for each tensor, so that a table that is both embedding and output projection is known as one.
  NodeId weight(const std::string& name) {
    const auto [at, is_new] = nodes_.try_emplace(name, kNoNode);
    if (is_new) at->second = g_.weight(name, weights_.require(name));
    return at->second;
  }

  NodeId norm(NodeId x, const std::string& name) {
    const NodeId w = weight(name + ".weight");
    if (facts_.norm == NormKind::kRms) return g_.rms_norm(x, w, config_.norm_eps);
    const Tensor* bias = weights_.find(name + ".bias");
    return g_.layer_norm(x, w, bias != nullptr ? g_.weight(name + ".bias", *bias) : kNoNode, config_.norm_eps);
  }

  NodeId embeddings() {
    NodeId x = g_.embed(weight("token_embd.weight"), g_.tokens());
    const double scale = config_.embedding_scale > 0 ? config_.embedding_scale
                         : facts_.scaled_embeddings  ? std::sqrt(static_cast<double>(config_.n_embd))
                                                     : 1;
    if (scale != 1) x = g_.scale(x, static_cast<float>(scale));
    if (facts_.positions == PositionKind::kLearned) x = g_.add(x, g_.embed(position_weights(), g_.positions()));
    if (weights_.find("token_types.weight")) x = g_.add(x, segment_embeddings());
    return facts_.embedding_norm ? norm(x, "token_embd_norm") : x;
  }

  // Models without a second type (RoBERTa) give all tokens the first.
  NodeId segment_embeddings() {
    const Tensor& types = weights_.require("token_types.weight");
    if (types.shape.rank() == 2 && types.shape[0] > 1) return g_.embed(weight("token_types.weight"), g_.segments());
    Tensor first = types;
    first.shape = {types.shape.last()};
    return g_.weight("token_types.weight", first);
  }

  NodeId position_weights() {
    const Tensor& t = weights_.require("position_embd.weight");
    if (t.shape.rank() != 2 || t.shape[0] < n_ctx_) {
      throw Error(ErrorCode::kLimit, fmt::format("the model has learned {} positions, a context of {} is too long", t.shape[0], n_ctx_),
                  "ask for a shorter one with --ctx");
    }
    return weight("position_embd.weight");
  }

  // Rows [begin, begin + n) of a matrix and its bias: of a fused projection these are one of its parts.
  Linear part(const std::string& name, int64_t begin, int64_t n) {
    Tensor w = weights_.require(name + ".weight");
    if (w.shape.rank() != 2 || w.shape[0] < begin + n) misfit(name, w, begin + n);
    w.data = w.row(begin);
    w.shape[0] = n;
    Linear l{g_.weight(name + ".weight", w, begin), kNoNode};
    if (const Tensor* bias = weights_.find(name + ".bias")) {
      if (bias->shape.rank() != 1 || bias->shape[0] < begin + n) misfit(name, *bias, begin + n);
      const std::vector<float> all = to_f32(*bias);
      const std::vector<float> some(all.begin() + begin, all.begin() + begin + n);
      l.bias = g_.weight(name + ".bias", Tensor::from_f32(some, {n}), begin);
    }
    return l;
  }

  Linear whole(const std::string& name, int64_t n_out) {
    const Tensor& w = weights_.require(name + ".weight");
    if (w.shape.rank() != 2 || w.shape[0] != n_out) misfit(name, w, n_out);
    return part(name, 0, n_out);
  }

  [[noreturn]] void misfit(const std::string& name, const Tensor& t, int64_t n_out) const {
    fail(ErrorCode::kInvalidInput, "model: {} has shape {}, but the config wants {} rows", name, t.shape.text(), n_out);
  }

  NodeId with_bias(NodeId y, const Linear& l) { return l.bias == kNoNode ? y : g_.add(y, l.bias); }

  // x W^T with n_out features, times the tensor's own scale (BitNet) and plus the bias when the file has them.
  NodeId linear(NodeId x, const std::string& name, int64_t n_out) {
    const Linear l = whole(name, n_out);
    return with_bias(scaled(g_.matmul(x, l.weight), name), l);
  }

  NodeId scaled(NodeId y, const std::string& name) {
    const Tensor* scale = weights_.find(name + ".scale");
    if (scale == nullptr) return y;
    if (scale->shape.elements() != 1 || !std::isfinite(to_f32(*scale)[0])) {
      fail(ErrorCode::kInvalidInput, "model: {}.scale is not one finite number", name);
    }
    return g_.scale(y, to_f32(*scale)[0]);
  }

  // Tensors that some file may have beside these and that would change the result.
  void refuse_if_there(std::initializer_list<std::string> names) const {
    for (const std::string& name : names) {
      if (weights_.find(name) != nullptr) fail(ErrorCode::kUnsupported, "model: {} is not supported", name);
    }
  }

  NodeId heads(NodeId x, int64_t n) { return g_.reshape(x, {kTokensDim, n, config_.head_dim}); }

  struct Qkv {
    NodeId q, k, v;
  };

  // Products first, then biases: products of one input that follow each other run together.
  Qkv projections(NodeId x, const std::string& b) {
    const int64_t nq = config_.n_heads * config_.head_dim, nkv = config_.n_kv_heads * config_.head_dim;
    Linear q, k, v;
    const bool fused = weights_.find(b + "attn_qkv.weight") != nullptr;
    if (fused) {
      const std::string name = b + "attn_qkv";
      refuse_if_there({name + ".scale"});
      if (weights_.require(name + ".weight").shape[0] != nq + 2 * nkv) misfit(name, weights_.require(name + ".weight"), nq + 2 * nkv);
      q = part(name, 0, nq);
      k = part(name, nq, nkv);
      v = part(name, nq + nkv, nkv);
    } else {
      q = whole(b + "attn_q", nq);
      k = whole(b + "attn_k", nkv);
      v = whole(b + "attn_v", nkv);
    }
    Qkv out{g_.matmul(x, q.weight), g_.matmul(x, k.weight), g_.matmul(x, v.weight)};
    if (!fused) out = {scaled(out.q, b + "attn_q"), scaled(out.k, b + "attn_k"), scaled(out.v, b + "attn_v")};
    return {with_bias(out.q, q), with_bias(out.k, k), with_bias(out.v, v)};
  }

  NodeId attention(NodeId x, int64_t layer, const std::string& b) {
    const bool local = config_.is_local(layer);
    auto [q, k, v] = projections(x, b);
    if (facts_.qk_norm == QkNorm::kWhole) {
      q = norm(q, b + "attn_q_norm");
      k = norm(k, b + "attn_k_norm");
    }
    q = heads(q, config_.n_heads);
    k = heads(k, config_.n_kv_heads);
    v = heads(v, config_.n_kv_heads);
    if (facts_.qk_norm == QkNorm::kHead) {
      q = norm(q, b + "attn_q_norm");
      k = norm(k, b + "attn_k_norm");
    }
    if (facts_.qk_norm == QkNorm::kNone && weights_.find(b + "attn_q_norm.weight")) {
      q = norm_of_each_head(q, b + "attn_q_norm", config_.n_heads);
      k = norm_of_each_head(k, b + "attn_k_norm", config_.n_kv_heads);
    }
    if (facts_.positions == PositionKind::kRope && config_.has_rope(layer)) {
      q = g_.rope(q, local ? local_rope_ : query_rope_, config_.rope.layout);
      k = g_.rope(k, local ? local_rope_ : key_rope_, config_.rope.layout);
    }
    const double scale = config_.attention_scale > 0 ? config_.attention_scale
                                                     : 1.0 / std::sqrt(static_cast<double>(config_.head_dim));
    NodeId y = g_.attention(q, k, v,
                            {.layer = static_cast<int32_t>(layer),
                             .scale = static_cast<float>(scale),
                             .window = local ? static_cast<int32_t>(config_.sliding_window) : 0,
                             .softcap = static_cast<float>(config_.attention_softcap),
                             .causal = facts_.causal});
    if (facts_.sub_norms) y = norm(y, b + "attn_sub_norm");
    return linear(y, b + "attn_output", config_.n_embd);
  }

  // A layer norm with weights of its own for every head: [heads, head_dim].
  NodeId norm_of_each_head(NodeId x, const std::string& name, int64_t n_heads) {
    Tensor w = weights_.require(name + ".weight");
    if (w.shape != Shape{n_heads, config_.head_dim}) misfit(name, w, n_heads);
    w.shape = {n_heads * config_.head_dim};
    const std::vector<float> ones(static_cast<std::size_t>(config_.head_dim), 1.0f);
    const NodeId one = g_.weight(name + ".ones", Tensor::from_f32(ones, {config_.head_dim}));
    const NodeId y = g_.reshape(g_.layer_norm(x, one, kNoNode, config_.norm_eps), {kTokensDim, n_heads * config_.head_dim});
    return heads(g_.mul(y, g_.weight(name + ".weight", w)), n_heads);
  }

  // LFM2's gated short convolution: of three projections B, C and x, out(C * conv(B * x)).
  NodeId convolution(NodeId x, int64_t layer, const std::string& b) {
    const int64_t n = config_.n_embd;
    const std::string in = b + "shortconv.in_proj";
    if (weights_.require(in + ".weight").shape[0] != 3 * n) misfit(in, weights_.require(in + ".weight"), 3 * n);
    refuse_if_there({in + ".bias", in + ".scale", b + "shortconv.conv.bias"});
    const NodeId gate_in = g_.matmul(x, part(in, 0, n).weight), gate_out = g_.matmul(x, part(in, n, n).weight);
    const NodeId value = g_.matmul(x, part(in, 2 * n, n).weight);
    const NodeId y = g_.short_conv(g_.mul(gate_in, value), weight(b + "shortconv.conv.weight"), {static_cast<int32_t>(layer)});
    return linear(g_.mul(gate_out, y), b + "shortconv.out_proj", n);
  }

  NodeId dense_feed_forward(NodeId x, const std::string& b) {
    const int64_t n = config_.n_ff;
    NodeId y;
    if (!facts_.gated) {
      y = g_.unary(linear(x, b + "ffn_up", n), config_.activation);
    } else if (weights_.find(b + "ffn_gate.weight") == nullptr) {  // fused: gate, then up
      const std::string name = b + "ffn_up";
      refuse_if_there({name + ".scale"});
      if (weights_.require(name + ".weight").shape[0] != 2 * n) misfit(name, weights_.require(name + ".weight"), 2 * n);
      const Linear gate = part(name, 0, n), up = part(name, n, n);
      const NodeId g = g_.matmul(x, gate.weight), u = g_.matmul(x, up.weight);
      y = g_.mul(g_.unary(with_bias(g, gate), config_.activation), with_bias(u, up));
    } else {
      const Linear gate = whole(b + "ffn_gate", n), up = whole(b + "ffn_up", n);
      const NodeId g = scaled(g_.matmul(x, gate.weight), b + "ffn_gate"), u = scaled(g_.matmul(x, up.weight), b + "ffn_up");
      y = g_.mul(g_.unary(with_bias(g, gate), config_.activation), with_bias(u, up));
    }
    if (facts_.sub_norms) y = norm(y, b + "ffn_sub_norm");
    return linear(y, b + "ffn_down", config_.n_embd);
  }

  void check_experts(const std::string& name, int64_t rows, int64_t columns) const {
    const Tensor& t = weights_.require(name);
    const Shape wanted{config_.n_experts, rows, columns};
    if (t.shape != wanted) {
      fail(ErrorCode::kInvalidInput, "model: {} has shape {}, but the config wants {}", name, t.shape.text(), wanted.text());
    }
  }

  NodeId expert_feed_forward(NodeId x, const std::string& b) {
    for (const char* part : {"ffn_gate_inp", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"}) {
      refuse_if_there({b + part + ".bias", b + part + ".scale"});
    }
    check_experts(b + "ffn_gate_exps.weight", config_.n_ff_expert, config_.n_embd);
    check_experts(b + "ffn_up_exps.weight", config_.n_ff_expert, config_.n_embd);
    check_experts(b + "ffn_down_exps.weight", config_.n_embd, config_.n_ff_expert);
    const NodeId router = g_.matmul(x, whole(b + "ffn_gate_inp", config_.n_experts).weight);
    const NodeId route = g_.route(router, {.n_used = static_cast<int32_t>(config_.n_experts_used), .normalize = config_.normalized_experts});
    const NodeId gate = g_.expert_matmul(x, weight(b + "ffn_gate_exps.weight"), route);
    const NodeId up = g_.expert_matmul(x, weight(b + "ffn_up_exps.weight"), route);
    const NodeId y = g_.mul(g_.unary(gate, config_.activation), up);
    return g_.expert_sum(g_.expert_matmul(y, weight(b + "ffn_down_exps.weight"), route), route);
  }

  NodeId feed_forward(NodeId x, const std::string& b) {
    return config_.n_experts > 0 ? expert_feed_forward(x, b) : dense_feed_forward(x, b);
  }

  NodeId mixer(NodeId x, int64_t layer, const std::string& b) {
    return config_.is_conv(layer) ? convolution(x, layer, b) : attention(x, layer, b);
  }

  NodeId residual(NodeId x, NodeId y) {
    if (config_.residual_scale != 1) y = g_.scale(y, static_cast<float>(config_.residual_scale));
    return g_.add(x, y);
  }

  NodeId block(NodeId x, int64_t layer) {
    const std::string b = "blk." + std::to_string(layer) + ".";
    switch (config_.form) {
      case BlockForm::kPreNorm:
        x = residual(x, mixer(norm(x, b + "attn_norm"), layer, b));
        return residual(x, feed_forward(norm(x, b + "ffn_norm"), b));
      case BlockForm::kSandwich:
        x = residual(x, norm(mixer(norm(x, b + "attn_norm"), layer, b), b + "post_attention_norm"));
        return residual(x, norm(feed_forward(norm(x, b + "ffn_norm"), b), b + "post_ffw_norm"));
      case BlockForm::kPostNorm:
        x = residual(x, norm(mixer(x, layer, b), b + "post_attention_norm"));
        return residual(x, norm(feed_forward(x, b), b + "post_ffw_norm"));
      case BlockForm::kNormOfSum:
        x = norm(residual(x, mixer(x, layer, b)), b + "attn_output_norm");
        return norm(residual(x, feed_forward(x, b)), b + "layer_output_norm");
      case BlockForm::kParallel: {
        const NodeId first = norm(x, b + "attn_norm");
        const bool has_second = weights_.find(b + "ffn_norm.weight") != nullptr;
        const NodeId second = has_second ? norm(x, b + "ffn_norm") : first;
        return g_.add(residual(x, mixer(first, layer, b)), feed_forward(second, b));
      }
    }
    return x;
  }

  NodeId logits(NodeId x) {
    const char* name = weights_.find("output.weight") != nullptr ? "output.weight" : "token_embd.weight";
    const Tensor& w = weights_.require(name);
    if (w.shape.rank() != 2 || w.shape[0] != config_.n_vocab) misfit(name, w, config_.n_vocab);
    x = g_.matmul(x, weight(name));
    if (const Tensor* bias = weights_.find("output.bias")) x = g_.add(x, g_.weight("output.bias", *bias));
    if (config_.logit_scale != 1) x = g_.scale(x, static_cast<float>(1 / config_.logit_scale));
    return config_.logit_softcap > 0 ? g_.softcap(x, static_cast<float>(config_.logit_softcap)) : x;
  }

  // A classifier on one token's vector: a layer with tanh where the file has one, then the labels.
  NodeId scores(NodeId x) {
    if (weights_.find("cls.weight")) x = g_.unary(linear(x, "cls", config_.n_embd), UnaryFn::kTanh);
    return linear(x, "cls.output", weights_.require("cls.output.weight").shape[0]);
  }

  const ModelConfig& config_;
  const Family& facts_;
  const Weights& weights_;
  int64_t n_ctx_;
  Graph g_;
  std::map<std::string, NodeId> nodes_;  // of weights
  NodeId positions_ = kNoNode, key_rope_ = kNoNode, query_rope_ = kNoNode, local_rope_ = kNoNode;
};

}  // namespace

Graph build_graph(const Model& model, int64_t n_ctx, GraphOutput output) {
  if (output == GraphOutput::kLogits && !model.config.makes_text()) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: a model of the {} family makes embeddings, not text", model.path.string(), model.config.family->gguf_name),
                "use 'minnow embed'");
  }
  if (output == GraphOutput::kScores && model.weights.find("cls.output.weight") == nullptr) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: the model has no classifier (cls.output.weight)", model.path.string()),
                "ranking needs a reranker, such as a BERT cross-encoder");
  }
  return GraphBuilder(model, n_ctx).build(output);
}

}  // namespace minnow
