"""The tiny models of tests/golden: a config each, as the library writes it, and what in it must matter."""

from dataclasses import dataclass, field
from typing import Callable

import golden_tensors as t


@dataclass
class GoldenModel:
    name: str
    config: dict
    tensors: Callable
    settings_that_matter: list = field(default_factory=list)  # changes of the config, each of which must change the answers
    slight_settings: list = field(default_factory=list)  # as well, if only a little: one form of GELU instead of the other
    neutral: tuple = ()  # endings of names of tensors that cannot matter
    dtype: str = "F16"
    n_ctx: int = 128
    lengths: tuple = (5, 75)  # of the prompts; the second goes over the edge of a page of 64 positions


SIZES = {"vocab_size": 96, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 256, "hidden_act": "silu", "rms_norm_eps": 0.01,
         "tie_word_embeddings": False, "rope_theta": 10000.0, "bos_token_id": 1, "eos_token_id": 2}
EPS = {"rms_norm_eps": 1e-6}
BASE = {"rope_theta": 500.0}


# -unusual: what the library's configs can say and GGUF's customary keys cannot.


def config(architecture, model_type, **changes):
    c = {"architectures": [architecture], "model_type": model_type, "torch_dtype": "float16", **SIZES, **changes}
    return {key: value for key, value in c.items() if value is not ...}  # ...: this family does not have it


def encoder(architecture, model_type, **changes):
    changes = {"num_key_value_heads": ..., "rms_norm_eps": ..., "tie_word_embeddings": ..., "rope_theta": ..., "bos_token_id": ...,
               "eos_token_id": ..., "hidden_act": "gelu", "layer_norm_eps": 0.1, "max_position_embeddings": 80,
               "type_vocab_size": 2, "pad_token_id": 0, "position_embedding_type": "absolute", "vocab_size": 64, **changes}
    return config(architecture, model_type, **changes)


LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}
MINISTRAL3 = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 16.0, "original_max_position_embeddings": 16,
              "max_position_embeddings": 256, "beta_fast": 0.5, "beta_slow": 0.1, "mscale": 1.0, "mscale_all_dim": 1.0,
              "llama_4_scaling_beta": 0.3}
NO_ROPE_SCALING = {"rope_scaling": None}


def longrope(pairs):
    """Factors of the long kind are large, so that taking the wrong kind shows."""
    return {"type": "longrope", "short_factor": [1.0 + 0.1 * i for i in range(pairs)],
            "long_factor": [1.5 + 0.9 * i for i in range(pairs)]}


def llama_models():
    name = "LlamaForCausalLM", "llama"
    yield GoldenModel("llama", config(*name), t.llama, [EPS, BASE])
    yield GoldenModel("llama-tied-bf16", config(*name, tie_word_embeddings=True, head_dim=16, num_key_value_heads=1,
                                                torch_dtype="bfloat16"), t.llama, [EPS], dtype="BF16")
    yield GoldenModel("llama-rope-llama3", config(*name, rope_scaling=LLAMA3, head_dim=16, num_attention_heads=2), t.llama,
                      [NO_ROPE_SCALING] + [{"rope_scaling": {**LLAMA3, key: value}} for key, value in
                                           (("factor", 4.0), ("low_freq_factor", 2.0), ("high_freq_factor", 8.0),
                                            ("original_max_position_embeddings", 128))])
    yield GoldenModel("llama-biases-yarn", config(*name, attention_bias=True, mlp_bias=True, rope_scaling=YARN,
                                                  head_dim=16, num_attention_heads=2, num_key_value_heads=1,
                                                  max_position_embeddings=4096), t.llama,
                      [NO_ROPE_SCALING, {"rope_scaling": {**YARN, "attention_factor": 1.0}},
                       {"rope_scaling": {**YARN, "beta_fast": 8}}, {"rope_scaling": {**YARN, "factor": 2.0}}])
    # Spelled as versions from 5 of the library do.
    linear = {"rope_type": "linear", "factor": 4.0, "rope_theta": 2000.0}
    yield GoldenModel("llama-rope-linear", config(*name, rope_theta=..., rope_parameters=linear), t.llama,
                      [{"rope_parameters": {**linear, "factor": 1.0}}, {"rope_parameters": {**linear, "rope_theta": 10000.0}}])


def mistral_models():
    yield GoldenModel("mistral", config("MistralForCausalLM", "mistral", sliding_window=11, head_dim=16), t.llama,
                      [EPS, {"sliding_window": None}, {"sliding_window": 12}, {"sliding_window": 10}])
    types = ["full_attention", "sliding_attention", "sliding_attention"]
    yield GoldenModel("ministral", config("MinistralForCausalLM", "ministral", sliding_window=9, num_hidden_layers=3,
                                          layer_types=types, head_dim=16, num_attention_heads=2, num_key_value_heads=1), t.llama,
                      [{"sliding_window": 10}, {"layer_types": types[::-1]}])
    m3 = config("Ministral3ForCausalLM", "ministral3", head_dim=16, rope_theta=..., sliding_window=None,
                rope_parameters=MINISTRAL3)
    matters = [{"rope_parameters": {**MINISTRAL3, key: value}} for key, value in
               (("llama_4_scaling_beta", 0.0), ("factor", 4.0), ("original_max_position_embeddings", 32), ("mscale_all_dim", 0.0),
                ("beta_fast", 32.0), ("beta_slow", 0.02))]
    yield GoldenModel("ministral3", m3, t.llama, matters)
    text = {key: value for key, value in m3.items() if key not in ("architectures", "torch_dtype")}
    wrapped = {"architectures": ["Mistral3ForConditionalGeneration"], "model_type": "mistral3", "torch_dtype": "bfloat16",
               "image_token_index": 10, "text_config": {**text, "num_hidden_layers": 1, "tie_word_embeddings": True},
               "vision_config": {"model_type": "pixtral", "hidden_size": 16}}
    yield GoldenModel("mistral3", wrapped, t.mistral3, dtype="BF16",
                      neutral=("vision_tower.ln_pre.weight", "multi_modal_projector.norm.weight"))


def llama_like_models():
    smol = config("SmolLM3ForCausalLM", "smollm3", num_hidden_layers=4, no_rope_layers=[1, 1, 1, 0], no_rope_layer_interval=4,
                  num_attention_heads=2, num_key_value_heads=1, head_dim=..., intermediate_size=24, tie_word_embeddings=True,
                  torch_dtype="bfloat16")
    yield GoldenModel("smollm3", smol, t.llama, [{"no_rope_layers": [1, 1, 1, 1]}, {"no_rope_layers": [0, 1, 1, 1]}], dtype="BF16")
    smol = {**smol, "num_hidden_layers": 3, "no_rope_layers": [0, 1, 0]}
    yield GoldenModel("smollm3-unusual", smol, t.llama, [{"no_rope_layers": [1, 1, 0]}], dtype="BF16")
    yield GoldenModel("qwen2", config("Qwen2ForCausalLM", "qwen2", tie_word_embeddings=True, use_sliding_window=False,
                                      sliding_window=8, max_window_layers=1), t.llama, [EPS, {"use_sliding_window": True}])
    yield GoldenModel("qwen3", config("Qwen3ForCausalLM", "qwen3", head_dim=16, tie_word_embeddings=True, attention_bias=False,
                                      use_sliding_window=False, sliding_window=None, torch_dtype="bfloat16"), t.qwen3, [EPS, BASE],
                      dtype="BF16")
    yield GoldenModel("phi3-short", config("Phi3ForCausalLM", "phi3", rope_scaling=longrope(8), num_attention_heads=2,
                                           original_max_position_embeddings=128, max_position_embeddings=1024,
                                           sliding_window=33), t.phi3,
                      [{"rope_scaling": {**longrope(8), "short_factor": [1.0] * 8}}, {"sliding_window": 34},
                       {"max_position_embeddings": 128}])
    yield GoldenModel("phi3-long", config("Phi3ForCausalLM", "phi3", rope_scaling=longrope(6), num_attention_heads=2, head_dim=...,
                                          original_max_position_embeddings=32, max_position_embeddings=512, 
                                          partial_rotary_factor=0.75, sliding_window=None, tie_word_embeddings=True), t.phi3,
                      [{"rope_scaling": {**longrope(6), "long_factor": longrope(6)["short_factor"]}},
                       {"max_position_embeddings": 128}], lengths=(40, 75))
    granite = dict(embedding_multiplier=0.6, attention_multiplier=0.2, residual_multiplier=0.4, logits_scaling=4.0)
    off = [{key: 1.0} for key in granite]
    yield GoldenModel("granite", config("GraniteForCausalLM", "granite", **granite, tie_word_embeddings=True), t.llama, [EPS, *off])
    yield GoldenModel("olmo2", config("Olmo2ForCausalLM", "olmo2"), t.olmo, [EPS, BASE])
    types = ["sliding_attention", "full_attention"]
    yield GoldenModel("olmo3", config("Olmo3ForCausalLM", "olmo3", sliding_window=9, layer_types=types, rope_scaling=YARN), t.olmo,
                      [{"sliding_window": 10}, {"layer_types": types[::-1]}, NO_ROPE_SCALING])
    yield GoldenModel("bitnet", config("BitNetForCausalLM", "bitnet", hidden_act="relu2", tie_word_embeddings=True), t.bitnet,
                      [EPS, {"hidden_act": "silu"}])


def gemma_models():
    act = {"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "torch_dtype": "bfloat16"}
    common = dict(head_dim=16, tie_word_embeddings=True, **act)
    yield GoldenModel("gemma", config("GemmaForCausalLM", "gemma", num_key_value_heads=1, rms_norm_eps=0.05, **common), t.gemma,
                      [EPS], [{"hidden_activation": "gelu"}], dtype="BF16")
    capped = dict(attn_logit_softcapping=3.0, final_logit_softcapping=4.0, query_pre_attn_scalar=16, sliding_window=9)
    yield GoldenModel("gemma2", config("Gemma2ForCausalLM", "gemma2", num_hidden_layers=3, **capped, **common), t.gemma2,
                      [EPS, {"attn_logit_softcapping": None}, {"final_logit_softcapping": None}, {"query_pre_attn_scalar": 10},
                       {"sliding_window": 10}], dtype="BF16")
    unusual = {**capped, "query_pre_attn_scalar": 10, "attn_logit_softcapping": None, "final_logit_softcapping": None}
    yield GoldenModel("gemma2-unusual", config("Gemma2ForCausalLM", "gemma2", num_hidden_layers=1, **unusual, **common), t.gemma2,
                      [{"query_pre_attn_scalar": 16}], dtype="BF16")
    common.update(rope_theta=50000.0, rope_scaling={"rope_type": "linear", "factor": 8.0}, sliding_window=9)
    # The pattern and the local base that GGUF takes for granted; then others.
    usual = dict(num_hidden_layers=7, head_dim=8, intermediate_size=24, num_attention_heads=2, num_key_value_heads=1,
                 query_pre_attn_scalar=8, sliding_window_pattern=6, rope_local_base_freq=10000.0)
    yield GoldenModel("gemma3", config("Gemma3ForCausalLM", "gemma3_text", **{**common, **usual}), t.gemma3,
                      [EPS, {"sliding_window": 10}, {"rope_local_base_freq": 50000.0}, NO_ROPE_SCALING,
                       {"sliding_window_pattern": 5}], dtype="BF16")
    unusual = dict(num_hidden_layers=3, query_pre_attn_scalar=20, sliding_window_pattern=3, rope_local_base_freq=100.0)
    types = ["sliding_attention", "sliding_attention", "full_attention"]
    yield GoldenModel("gemma3-unusual", config("Gemma3ForCausalLM", "gemma3_text", **{**common, **unusual}), t.gemma3,
                      [{"query_pre_attn_scalar": 16}, {"sliding_window": 10}, {"rope_local_base_freq": 10000.0}, NO_ROPE_SCALING,
                       {"layer_types": types[::-1]}], dtype="BF16")


def mixture_models():
    yield GoldenModel("mixtral", config("MixtralForCausalLM", "mixtral", num_local_experts=4, num_experts_per_tok=2,
                                        intermediate_size=24, sliding_window=None), t.mixtral,
                      [{"num_experts_per_tok": 1}, {"num_experts_per_tok": 3}])
    qwen = config("Qwen3MoeForCausalLM", "qwen3_moe", num_experts=5, num_experts_per_tok=2, moe_intermediate_size=24,
                  norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[], head_dim=16, num_attention_heads=2,
                  num_key_value_heads=1, attention_bias=False, use_sliding_window=False)
    matters = [{"norm_topk_prob": False}, {"num_experts_per_tok": 3}]
    yield GoldenModel("qwen3_moe", qwen, t.qwen3_moe, matters)
    granite = dict(embedding_multiplier=6.0, attention_multiplier=0.2, residual_multiplier=0.6, logits_scaling=4.0)
    yield GoldenModel("granitemoe", config("GraniteMoeForCausalLM", "granitemoe", num_local_experts=4, num_experts_per_tok=2,
                                           intermediate_size=24, tie_word_embeddings=True, **granite), t.granitemoe,
                      [{"num_experts_per_tok": 1}, {"residual_multiplier": 1.0}])


def layer_norm_models():
    eps = dict(rms_norm_eps=..., layer_norm_eps=0.01)
    phi = config("PhiForCausalLM", "phi", hidden_act="gelu_new", partial_rotary_factor=0.5, qk_layernorm=False,
                 num_attention_heads=2, num_key_value_heads=2, **eps)
    yield GoldenModel("phi", phi, t.phi, [{"layer_norm_eps": 1e-6}, {"partial_rotary_factor": 1.0}, {"hidden_act": "silu"}],
                      [{"hidden_act": "gelu"}])
    stable = dict(partial_rotary_factor=0.25, head_dim=..., num_attention_heads=2, num_key_value_heads=1, qk_layernorm=False,
                  use_parallel_residual=False, use_qkv_bias=True, **eps)
    yield GoldenModel("stablelm", config("StableLmForCausalLM", "stablelm", **stable), t.stablelm,
                      [{"layer_norm_eps": 1e-6}, {"partial_rotary_factor": 0.5}])
    parallel = {**stable, "qk_layernorm": True, "use_parallel_residual": True, "use_qkv_bias": False}
    yield GoldenModel("stablelm-parallel", config("StableLmForCausalLM", "stablelm", **parallel), t.stablelm)
    gpt2 = dict(vocab_size=96, n_embd=32, n_layer=2, n_head=2, n_inner=None, n_positions=80, n_ctx=80, bos_token_id=1,
                eos_token_id=2, layer_norm_epsilon=0.01, activation_function="gelu_new", torch_dtype="float16")
    matters = [{"layer_norm_epsilon": 1e-6}, {"activation_function": "relu"}]
    yield GoldenModel("gpt2", {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", **gpt2}, t.gpt2, matters, [{"activation_function": "gelu"}], n_ctx=80)
    yield GoldenModel("gpt2-base-names", {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", **gpt2, "n_layer": 1},
                      t.gpt2_base, matters, n_ctx=80)
    neox = dict(rotary_pct=0.25, rotary_emb_base=500, hidden_act="gelu", num_attention_heads=2, num_key_value_heads=...,
                use_parallel_residual=True, attention_bias=True, rope_theta=..., **eps)
    for name, parallel in (("gpt_neox", True), ("gpt_neox-serial", False)):
        c = config("GPTNeoXForCausalLM", "gpt_neox", **{**neox, "use_parallel_residual": parallel})
        yield GoldenModel(name, c, t.gpt_neox, [{"layer_norm_eps": 1e-6}, {"rotary_pct": 0.5}, {"rotary_emb_base": 10000},
                                                {"use_parallel_residual": not parallel}], [{"hidden_act": "gelu_new"}])


def lfm2_models():
    types = ["conv", "full_attention", "conv"]
    common = dict(layer_types=types, conv_L_cache=3, conv_bias=False, norm_eps=0.01, block_norm_eps=0.01, rms_norm_eps=...,
                  hidden_act=..., block_auto_adjust_ff_dim=False, tie_word_embeddings=True, num_hidden_layers=3,
                  torch_dtype="bfloat16")
    yield GoldenModel("lfm2", config("Lfm2ForCausalLM", "lfm2", **common), t.lfm2, [{"norm_eps": 1e-6}, BASE], dtype="BF16")


def encoder_models():
    labels = {"id2label": {"0": "no", "1": "perhaps", "2": "yes"}, "label2id": {"no": 0, "perhaps": 1, "yes": 2}}
    eps = {"layer_norm_eps": 1e-6}
    key_bias = ("attention.self.key.bias",)  # adds the same to all scores of a query
    yield GoldenModel("bert", encoder("BertModel", "bert"), t.bert, [eps, {"hidden_act": "relu"}], [{"hidden_act": "gelu_new"}], neutral=key_bias)
    yield GoldenModel("bert-classifier", encoder("BertForSequenceClassification", "bert", num_hidden_layers=1, **labels),
                      t.bert_classifier, [eps], neutral=key_bias)
    roberta = dict(pad_token_id=1, type_vocab_size=1, max_position_embeddings=82)
    yield GoldenModel("roberta-classifier", encoder("RobertaForSequenceClassification", "roberta", **roberta, **labels),
                      t.roberta_classifier, [eps, {"pad_token_id": 0}], neutral=key_bias)
    yield GoldenModel("xlm-roberta", encoder("XLMRobertaModel", "xlm-roberta", **roberta), t.bert, [eps, {"pad_token_id": 0}], neutral=key_bias)
    nomic = {"architectures": ["NomicBertModel"], "model_type": "nomic_bert", "torch_dtype": "float16", "vocab_size": 64,
             "n_embd": 32, "n_head": 2, "n_layer": 2, "n_inner": 40, "n_positions": 128, "max_trained_positions": 128,
             "activation_function": "swiglu", "rotary_emb_fraction": 1.0, "rotary_emb_base": 1000, "rotary_emb_interleaved": False,
             "rotary_emb_scale_base": None, "rotary_scaling_factor": None, "qkv_proj_bias": False, "mlp_fc1_bias": False,
             "mlp_fc2_bias": False, "prenorm": False, "use_rms_norm": False, "causal": False, "type_vocab_size": 2,
             "layer_norm_epsilon": 0.05, "parallel_block": False, "pad_vocab_size_multiple": 64}
    yield GoldenModel("nomic_bert", nomic, t.nomic_bert, [{"layer_norm_epsilon": 1e-6}, {"rotary_emb_base": 10000}])
    modern = dict(norm_eps=0.01, layer_norm_eps=..., hidden_act=..., hidden_activation="gelu", global_attn_every_n_layers=3,
                  local_attention=10, global_rope_theta=160000.0, local_rope_theta=500.0, num_hidden_layers=4,
                  type_vocab_size=..., position_embedding_type=..., norm_bias=False, attention_bias=False, mlp_bias=False,
                  classifier_pooling="mean", classifier_activation="gelu", classifier_bias=False, decoder_bias=True,
                  max_position_embeddings=128, intermediate_size=24, cls_token_id=1, sep_token_id=2, **labels)
    yield GoldenModel("modernbert-classifier", encoder("ModernBertForSequenceClassification", "modernbert", **modern), t.modernbert,
                      [{"norm_eps": 1e-6}, {"local_attention": 12}, {"global_rope_theta": 10000.0}, {"local_rope_theta": 10000.0},
                       {"global_attn_every_n_layers": 2}])


def all_models():
    groups = (llama_models, mistral_models, llama_like_models, gemma_models, mixture_models, layer_norm_models, lfm2_models,
              encoder_models)
    return [model for group in groups for model in group()]
