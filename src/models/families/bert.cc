// Encoders: BERT (Devlin et al. 2019) with MiniLM, BGE, E5 and the like; RoBERTa and XLM-RoBERTa (Liu et al. 2019;
// Conneau et al. 2020), whose positions begin after the padding token's; Nomic Embed (Nussbaum et al. 2024).
#include "models/family.h"

namespace minnow {
namespace {

constexpr std::string_view kBertHf[] = {"BertModel", "BertForMaskedLM", "BertForSequenceClassification"};
constexpr std::string_view kRobertaHf[] = {"XLMRobertaModel", "XLMRobertaForSequenceClassification", "RobertaModel",
                                           "RobertaForSequenceClassification", "RobertaForMaskedLM",
                                           "XLMRobertaForMaskedLM"};
constexpr std::string_view kNomicHf[] = {"NomicBertModel"};

// Without the "bert." or "roberta." that some checkpoints begin them with.
constexpr TensorName kBertNames[] = {
    {"token_embd", "embeddings.word_embeddings"},
    {"position_embd", "embeddings.position_embeddings"},
    {"token_types", "embeddings.token_type_embeddings"},
    {"token_embd_norm", "embeddings.LayerNorm"},
    {"cls", "pooler.dense"},
    {"cls.output", "classifier"},
    {"blk.{}.attn_q", "encoder.layer.{}.attention.self.query"},
    {"blk.{}.attn_k", "encoder.layer.{}.attention.self.key"},
    {"blk.{}.attn_v", "encoder.layer.{}.attention.self.value"},
    {"blk.{}.attn_output", "encoder.layer.{}.attention.output.dense"},
    {"blk.{}.attn_output_norm", "encoder.layer.{}.attention.output.LayerNorm"},
    {"blk.{}.ffn_up", "encoder.layer.{}.intermediate.dense"},
    {"blk.{}.ffn_down", "encoder.layer.{}.output.dense"},
    {"blk.{}.layer_output_norm", "encoder.layer.{}.output.LayerNorm"},
};
constexpr TensorName kRobertaNames[] = {{"cls", "classifier.dense"}, {"cls.output", "classifier.out_proj"}};
constexpr TensorName kNomicNames[] = {
    {"token_embd", "embeddings.word_embeddings"},
    {"token_types", "embeddings.token_type_embeddings"},
    {"token_embd_norm", "emb_ln"},
    {"blk.{}.attn_qkv", "encoder.layers.{}.attn.Wqkv"},
    {"blk.{}.attn_output", "encoder.layers.{}.attn.out_proj"},
    {"blk.{}.attn_output_norm", "encoder.layers.{}.norm1"},
    {"blk.{}.ffn_up", "encoder.layers.{}.mlp.fc11"},
    {"blk.{}.ffn_gate", "encoder.layers.{}.mlp.fc12"},
    {"blk.{}.ffn_down", "encoder.layers.{}.mlp.fc2"},
    {"blk.{}.layer_output_norm", "encoder.layers.{}.norm2"},
};

constexpr KeyName kNomicKeys[] = {
    {"hidden_size", "n_embd"},           {"num_hidden_layers", "n_layer"},           {"num_attention_heads", "n_head"},
    {"intermediate_size", "n_inner"},    {"max_position_embeddings", "n_positions"}, {"norm_eps", "layer_norm_epsilon"},
    {"hidden_act", "activation_function"}, {"rope_theta", "rotary_emb_base"},       {"partial_rotary_factor", "rotary_emb_fraction"},
};

constexpr Family kBertFacts = {
    .gguf_name = "bert",
    .hf_architectures = kBertHf,
    .hf_model_type = "bert",
    .models = "BERT, MiniLM, BGE, E5, GTE; cross-encoders",
    .positions = PositionKind::kLearned,
    .norm = NormKind::kLayer,
    .form = BlockForm::kNormOfSum,
    .causal = false,
    .gated = false,
    .embedding_norm = true,
    .output_norm = false,
    .activation = UnaryFn::kGelu,
    .default_norm_eps = 1e-12,
    .names = kBertNames,
    .hf_base_prefix = "bert.",
};

}  // namespace

constinit const Family kBertEncoder = kBertFacts;

constinit const Family kRoberta = [] {
  Family f = kBertFacts;
  f.hf_architectures = kRobertaHf;
  f.hf_model_type = "xlm-roberta";
  f.models = "RoBERTa, XLM-RoBERTa: BGE-M3, multilingual E5, BGE rerankers";
  f.hf_first_position = 2;
  f.two_separators = true;
  f.default_norm_eps = 1e-5;
  f.names = kRobertaNames;
  f.otherwise_named_as = &kBertEncoder;
  f.hf_base_prefix = "roberta.";
  return f;
}();

const Family kNomicBert = {
    .gguf_name = "nomic-bert",
    .hf_architectures = kNomicHf,
    .hf_model_type = "nomic_bert",
    .models = "Nomic Embed 1 and 1.5",
    .norm = NormKind::kLayer,
    .form = BlockForm::kNormOfSum,
    .causal = false,
    .embedding_norm = true,
    .output_norm = false,
    .default_rope_base = 1000,
    .default_norm_eps = 1e-12,
    .names = kNomicNames,
    .hf_keys = kNomicKeys,
};

}  // namespace minnow
