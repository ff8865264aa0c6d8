#include "train/new_model.h"

#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/random.h"
#include "models/config_check.h"
#include "tensor/codec.h"
#include "train/copying_heads.h"

namespace minnow {
namespace {

constexpr double kDeviation = 0.02;
constexpr double kRopeBase = 1e4;
constexpr double kSlowRopeBase = 1e6;  // most features of a head still match what is the same far away

ModelConfig config_of(const NewModelShape& s, int64_t n_vocab) {
  if (s.copying_heads && (s.tied || s.family != &kQwen2)) fail(ErrorCode::kUsage, "heads that copy are those of a qwen2 with an output projection of its own");
  const Family& f = *s.family;
  if (f.norm != NormKind::kRms || f.form != BlockForm::kPreNorm || f.qk_norm != QkNorm::kNone || !f.gated || !f.causal ||
      f.positions != PositionKind::kRope || f.normalized_experts || f.sub_norms || f.embedding_norm || !f.names.empty()) {
    fail(ErrorCode::kUnsupported, "new models of family {} are not made yet; llama is", f.gguf_name);
  }
  if (s.n_heads <= 0 || s.n_embd <= 0 || s.n_embd % s.n_heads != 0 || s.n_embd / s.n_heads % 2 != 0) {
    fail(ErrorCode::kUsage, "a width of {} for {} heads: each head needs a whole, even number of features", s.n_embd, s.n_heads);
  }
  ModelConfig c;
  c.family = s.family;
  c.name = s.name;
  c.n_layers = s.n_layers;
  c.n_embd = s.n_embd;
  c.n_ff = s.n_ff > 0 ? s.n_ff : (s.n_embd * 8 / 3 + 31) / 32 * 32;
  c.n_vocab = n_vocab;
  c.n_ctx_train = s.n_ctx;
  c.n_heads = s.n_heads;
  c.n_kv_heads = s.n_kv_heads > 0 ? s.n_kv_heads : s.n_heads;
  c.head_dim = s.n_embd / s.n_heads;
  c.form = f.form;
  c.activation = f.activation;
  c.norm_eps = static_cast<float>(f.default_norm_eps);
  c.rope = {.base = s.rope_base > 0 ? s.rope_base : s.copying_heads ? kSlowRopeBase : kRopeBase, .n_rot = c.head_dim, .layout = f.gguf_rope_layout, .original_context = s.n_ctx};
  check_config(c, "the new model");
  return c;
}

class Initializer {
 public:
  Initializer(Model& model, const NewModelShape& shape, uint64_t seed) : model_(model), random_(seed) {
    if (shape.copying_heads) copying_.emplace(model_, random_);
  }

  void matrix(const std::string& name, int64_t rows, int64_t columns, double deviation) {
    std::vector<float> values(static_cast<std::size_t>(rows * columns));
    for (float& v : values) v = static_cast<float>(random_.normal() * deviation);
    model_.weights.set(name, Tensor::from_f32(values, {rows, columns}));
  }
  void norm(const std::string& name, int64_t n) {
    model_.weights.set(name, Tensor::from_f32(std::vector<float>(static_cast<std::size_t>(n), 1.0f), {n}));
  }

  void block(int64_t layer) {
    const ModelConfig& c = model_.config;
    const std::string b = "blk." + std::to_string(layer) + ".";
    const double residual = kDeviation / std::sqrt(2.0 * static_cast<double>(c.n_layers));
    const int64_t q = c.n_heads * c.head_dim, kv = c.n_kv_heads * c.head_dim;
    norm(b + "attn_norm.weight", c.n_embd);
    matrix(b + "attn_q.weight", q, c.n_embd, kDeviation);
    matrix(b + "attn_k.weight", kv, c.n_embd, kDeviation);
    matrix(b + "attn_v.weight", kv, c.n_embd, kDeviation);
    matrix(b + "attn_output.weight", c.n_embd, q, residual);
    if (copying_) copying_->begin(layer);
    norm(b + "ffn_norm.weight", c.n_embd);
    matrix(b + "ffn_gate.weight", c.n_ff, c.n_embd, kDeviation);
    matrix(b + "ffn_up.weight", c.n_ff, c.n_embd, kDeviation);
    matrix(b + "ffn_down.weight", c.n_embd, c.n_ff, residual);
  }

 private:
  Model& model_;
  Random random_;
  std::optional<CopyingHeads> copying_;
};

Tensor scaled(const Tensor& t, double factor) {
  std::vector<float> values = to_f32(t);
  for (float& v : values) v = static_cast<float>(v * factor);
  return Tensor::from_f32(values, t.shape);
}

}  // namespace

Model new_model(const NewModelShape& shape, TokenizerSpec tokenizer, uint64_t seed) {
  Model model;
  model.path = "new model";
  model.format = ModelFormat::kSafetensors;  // any but GGUF: metadata follow from the config
  model.config = config_of(shape, static_cast<int64_t>(tokenizer.tokens.size()));
  model.tokenizer = std::move(tokenizer);
  Initializer init(model, shape, seed);
  init.matrix("token_embd.weight", model.config.n_vocab, model.config.n_embd, shape.tied ? kDeviation : 1);
  for (int64_t layer = 0; layer < model.config.n_layers; ++layer) init.block(layer);
  init.norm("output_norm.weight", model.config.n_embd);
  if (!shape.tied) model.weights.set("output.weight", scaled(model.weights.require("token_embd.weight"), kDeviation));
  return model;
}

void own_weights(Model& model) {
  const std::vector<NamedTensor> all = model.weights.all();
  for (const NamedTensor& t : all) model.weights.set(t.name, Tensor::from_f32(to_f32(t.tensor), t.tensor.shape));
}

}  // namespace minnow
