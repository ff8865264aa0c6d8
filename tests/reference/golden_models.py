"""The tiny models of tests/golden: a config each, as the library writes it, and what in it must matter.

Names that end in -unusual: what the library's configs can say and GGUF's customary keys cannot.
"""

from dataclasses import dataclass
from typing import Callable

import golden_tensors as t


@dataclass
class GoldenModel:
    name: str
    config: dict
    tensors: Callable  # of golden_tensors.py: what tensors such a config has
    matter: tuple = ()  # changes of the config, each of which must change the answers
    slight: tuple = ()  # as well, if only a little: one form of GELU for the other
    neutral: tuple = ()  # endings of names of tensors that cannot matter
    dtype: str = "F16"
    n_ctx: int = 128
    lengths: tuple = (5, 75)  # of the prompts; the second goes over the edge of a page of 64 positions
    texts: tuple = ()  # prompts that are spelled out; there is a tokenizer then
    pairs: tuple = ()  # of a query and a document, to be scored; there is a tokenizer then
    kinds: tuple = ("logits",)  # of answers


SIZES = {"vocab_size": 96, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 256, "hidden_act": "silu", "rms_norm_eps": 0.01,
         "tie_word_embeddings": False, "rope_theta": 10000.0, "bos_token_id": 1, "eos_token_id": 2}
ONE_KV_HEAD = {"head_dim": 16, "num_attention_heads": 2, "num_key_value_heads": 1}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}
TIED = {"tie_word_embeddings": True}

EPS = {"rms_norm_eps": 1e-6}
BASE = {"rope_theta": 500.0}
NO_SCALING = {"rope_scaling": None}


def make(name, tensors, architecture, model_type, settings, **rest):
    """Settings are on top of SIZES; those set to ... are taken off: this family does not have them."""
    dtype = "bfloat16" if rest.get("dtype") == "BF16" else "float16"
    config = {"architectures": [architecture], "model_type": model_type, "torch_dtype": dtype, **SIZES, **settings}
    return GoldenModel(name, {k: v for k, v in config.items() if v is not ...}, tensors, **rest)


def each(key, settings, **changes):
    """Changes of a config: the settings under a key, with one of them changed at a time."""
    return tuple({key: {**settings, name: value}} for name, value in changes.items())


def llama_models():
    name = t.llama, "LlamaForCausalLM", "llama"
    yield make("llama", *name, {}, matter=(EPS, BASE))
    yield make("llama-tied-bf16", *name, {**TIED, "head_dim": 16, "num_key_value_heads": 1, "num_hidden_layers": 1},
               matter=(EPS,), dtype="BF16")
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 32}
    yield make("llama-rope-llama3", *name, {"rope_scaling": scaling, "head_dim": 16, "num_attention_heads": 2},
               matter=(NO_SCALING, *each("rope_scaling", scaling, factor=4.0, low_freq_factor=2.0, high_freq_factor=8.0,
                                         original_max_position_embeddings=128)))
    yield make("llama-biases-yarn", *name,
               {"attention_bias": True, "mlp_bias": True, "rope_scaling": YARN, "max_position_embeddings": 4096, **ONE_KV_HEAD},
               matter=(NO_SCALING, *each("rope_scaling", YARN, attention_factor=1.0, beta_fast=8, factor=2.0)))
    # Spelled as versions from 5 of the library do.
    linear = {"rope_type": "linear", "factor": 4.0, "rope_theta": 2000.0}
    yield make("llama-rope-linear", *name, {"rope_theta": ..., "rope_parameters": linear, "num_hidden_layers": 1},
               matter=each("rope_parameters", linear, factor=1.0, rope_theta=10000.0))


def mistral_models():
    yield make("mistral", t.llama, "MistralForCausalLM", "mistral", {"sliding_window": 11, "head_dim": 16},
               matter=(EPS, {"sliding_window": None}, {"sliding_window": 12}, {"sliding_window": 10}))
    types = ["full_attention", "sliding_attention", "sliding_attention"]
    yield make("ministral", t.llama, "MinistralForCausalLM", "ministral",
               {"sliding_window": 9, "num_hidden_layers": 3, "layer_types": types, **ONE_KV_HEAD},
               matter=({"sliding_window": 10}, {"layer_types": types[::-1]}))
    # beta_fast and beta_slow are such that they matter in so short a context.
    rope = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 16.0, "original_max_position_embeddings": 16,
            "max_position_embeddings": 256, "beta_fast": 0.5, "beta_slow": 0.1, "mscale": 1.0, "mscale_all_dim": 1.0,
            "llama_4_scaling_beta": 0.3}
    text = {"head_dim": 16, "rope_theta": ..., "sliding_window": None, "rope_parameters": rope}
    yield make("ministral3", t.llama, "Ministral3ForCausalLM", "ministral3", text,
               matter=each("rope_parameters", rope, llama_4_scaling_beta=0.0, factor=4.0, original_max_position_embeddings=32,
                           mscale_all_dim=0.0, beta_fast=32.0, beta_slow=0.02))
    inner = {"model_type": "ministral3", **SIZES, **text, **TIED, "num_hidden_layers": 1}
    config = {"architectures": ["Mistral3ForConditionalGeneration"], "model_type": "mistral3", "dtype": "bfloat16",
              "image_token_index": 10, "text_config": {k: v for k, v in inner.items() if v is not ...},
              "vision_config": {"model_type": "pixtral", "hidden_size": 16}}
    yield GoldenModel("mistral3", config, t.mistral3, dtype="BF16",
                      neutral=("vision_tower.ln_pre.weight", "multi_modal_projector.norm.weight"))


def qwen_and_smollm_models():
    name = t.llama, "SmolLM3ForCausalLM", "smollm3"
    small = {**TIED, **ONE_KV_HEAD, "head_dim": ..., "intermediate_size": 24}
    yield make("smollm3", *name,
               {**small, "num_hidden_layers": 4, "no_rope_layers": [1, 1, 1, 0], "no_rope_layer_interval": 4},
               matter=({"no_rope_layers": [1, 1, 1, 1]}, {"no_rope_layers": [0, 1, 1, 1]}), dtype="BF16")
    yield make("smollm3-unusual", *name, {**small, "num_hidden_layers": 3, "no_rope_layers": [0, 1, 0]},
               matter=({"no_rope_layers": [1, 1, 0]},), dtype="BF16")
    yield make("qwen2", t.llama, "Qwen2ForCausalLM", "qwen2",
               {**TIED, "use_sliding_window": False, "sliding_window": 8, "max_window_layers": 1},
               matter=(EPS, {"use_sliding_window": True}))
    yield make("qwen3", t.qwen3, "Qwen3ForCausalLM", "qwen3",
               {**TIED, "head_dim": 16, "attention_bias": False, "use_sliding_window": False, "sliding_window": None},
               matter=(EPS, BASE), dtype="BF16", kinds=("logits", "mean", "last"))


def longrope(pairs):
    """The factors differ much, so that taking the wrong kind shows."""
    return {"type": "longrope", "short_factor": [1.0 + 0.1 * i for i in range(pairs)],
            "long_factor": [1.5 + 0.9 * i for i in range(pairs)]}


def other_llama_like_models():
    name, scaling = (t.phi3, "Phi3ForCausalLM", "phi3"), longrope(8)
    yield make("phi3-short", *name,
               {"rope_scaling": scaling, "num_attention_heads": 2, "original_max_position_embeddings": 128,
                "max_position_embeddings": 1024, "sliding_window": 33},
               matter=(*each("rope_scaling", scaling, short_factor=[1.0] * 8), {"sliding_window": 34},
                       {"max_position_embeddings": 128}))
    scaling = longrope(6)
    yield make("phi3-long", *name,
               {**TIED, "rope_scaling": scaling, "num_attention_heads": 2, "original_max_position_embeddings": 32,
                "max_position_embeddings": 512, "partial_rotary_factor": 0.75, "sliding_window": None},
               matter=(*each("rope_scaling", scaling, long_factor=scaling["short_factor"]), {"max_position_embeddings": 128}),
               lengths=(40, 75))
    factors = {"embedding_multiplier": 0.6, "attention_multiplier": 0.2, "residual_multiplier": 0.4, "logits_scaling": 4.0}
    yield make("granite", t.llama, "GraniteForCausalLM", "granite", {**TIED, **factors},
               matter=(EPS, *({key: 1.0} for key in factors)))
    yield make("olmo2", t.olmo, "Olmo2ForCausalLM", "olmo2", {}, matter=(EPS, BASE))
    types = ["sliding_attention", "full_attention"]
    yield make("olmo3", t.olmo, "Olmo3ForCausalLM", "olmo3",
               {"sliding_window": 9, "layer_types": types, "rope_scaling": YARN},
               matter=({"sliding_window": 10}, {"layer_types": types[::-1]}, NO_SCALING))
    yield make("bitnet", t.bitnet, "BitNetForCausalLM", "bitnet", {**TIED, "hidden_act": "relu2"},
               matter=(EPS, {"hidden_act": "silu"}))


def gemma_models():
    common = {**TIED, "head_dim": 16, "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh"}
    yield make("gemma", t.gemma, "GemmaForCausalLM", "gemma", {**common, "num_key_value_heads": 1, "rms_norm_eps": 0.05},
               matter=(EPS,), slight=({"hidden_activation": "gelu"},), dtype="BF16")

    name = t.gemma2, "Gemma2ForCausalLM", "gemma2"
    two = {**common, "num_hidden_layers": 3, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 4.0,
           "query_pre_attn_scalar": 16, "sliding_window": 9}
    no_caps = {"attn_logit_softcapping": None}, {"final_logit_softcapping": None}
    yield make("gemma2", *name, two, matter=(EPS, *no_caps, {"query_pre_attn_scalar": 10}, {"sliding_window": 10}), dtype="BF16")
    yield make("gemma2-unusual", *name,
               {**two, "num_hidden_layers": 1, "query_pre_attn_scalar": 10, **no_caps[0], **no_caps[1]},
               matter=({"query_pre_attn_scalar": 16},), dtype="BF16")

    name = t.gemma3, "Gemma3ForCausalLM", "gemma3_text"
    three = {**common, "rope_theta": 50000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "sliding_window": 9}
    # The pattern and the local base that GGUF takes for granted; then others.
    yield make("gemma3", *name,
               {**three, **ONE_KV_HEAD, "num_hidden_layers": 7, "head_dim": 8, "intermediate_size": 24,
                "query_pre_attn_scalar": 8, "sliding_window_pattern": 6, "rope_local_base_freq": 10000.0},
               matter=(EPS, {"sliding_window": 10}, {"rope_local_base_freq": 50000.0}, NO_SCALING, {"sliding_window_pattern": 5}),
               dtype="BF16")
    types = ["sliding_attention", "sliding_attention", "full_attention"]
    rope = {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 50000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}}
    yield make("gemma3-unusual", *name,
               {**three, "num_hidden_layers": 3, "query_pre_attn_scalar": 20, "layer_types": types, "rope_theta": ...,
                "rope_scaling": ..., "rope_parameters": rope},
               matter=({"query_pre_attn_scalar": 16}, {"sliding_window": 10}, {"layer_types": types[::-1]},
                       *each("rope_parameters", rope, full_attention={"rope_type": "default", "rope_theta": 50000.0},
                             sliding_attention={"rope_type": "default", "rope_theta": 10000.0})), dtype="BF16")


def mixture_models():
    local = {"num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 24}
    yield make("mixtral", t.mixtral, "MixtralForCausalLM", "mixtral", {**local, "sliding_window": None},
               matter=({"num_experts_per_tok": 1}, {"num_experts_per_tok": 3}))
    yield make("qwen3_moe", t.qwen3_moe, "Qwen3MoeForCausalLM", "qwen3_moe",
               {**ONE_KV_HEAD, "num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "norm_topk_prob": True,
                "decoder_sparse_step": 1, "mlp_only_layers": [], "attention_bias": False, "use_sliding_window": False},
               matter=({"norm_topk_prob": False}, {"num_experts_per_tok": 3}))
    factors = {"embedding_multiplier": 6.0, "attention_multiplier": 0.2, "residual_multiplier": 0.6, "logits_scaling": 4.0}
    yield make("granitemoe", t.granitemoe, "GraniteMoeForCausalLM", "granitemoe", {**TIED, **local, **factors},
               matter=({"num_experts_per_tok": 1}, {"residual_multiplier": 1.0}))


LAYER_NORM = {"rms_norm_eps": ..., "layer_norm_eps": 0.01}
LAYER_NORM_EPS = {"layer_norm_eps": 1e-6}


def layer_norm_models():
    yield make("phi", t.phi, "PhiForCausalLM", "phi",
               {**LAYER_NORM, "num_attention_heads": 2, "hidden_act": "gelu_new", "partial_rotary_factor": 0.5,
                "qk_layernorm": False},
               matter=(LAYER_NORM_EPS, {"partial_rotary_factor": 1.0}, {"hidden_act": "silu"}), slight=({"hidden_act": "gelu"},))

    name = t.stablelm, "StableLmForCausalLM", "stablelm"
    stable = {**LAYER_NORM, **ONE_KV_HEAD, "head_dim": ..., "partial_rotary_factor": 0.25, "qk_layernorm": False,
              "use_parallel_residual": False, "use_qkv_bias": True}
    yield make("stablelm", *name, stable, matter=(LAYER_NORM_EPS, {"partial_rotary_factor": 0.5}))
    yield make("stablelm-parallel", *name, {**stable, "num_hidden_layers": 1, "use_parallel_residual": True,
                                            "use_qkv_bias": False})
    yield make("stablelm-head-norms", *name, {**stable, "num_hidden_layers": 1, "qk_layernorm": True})

    gpt2 = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "torch_dtype": "float16", "vocab_size": 96, "n_embd": 32,
            "n_layer": 2, "n_head": 2, "n_inner": None, "n_positions": 80, "n_ctx": 80, "bos_token_id": 1, "eos_token_id": 2,
            "layer_norm_epsilon": 0.01, "activation_function": "gelu_new"}
    rest = {"matter": ({"layer_norm_epsilon": 1e-6}, {"activation_function": "relu"}),
            "slight": ({"activation_function": "gelu"},), "n_ctx": 80}
    yield GoldenModel("gpt2", gpt2, t.gpt2, **rest)
    yield GoldenModel("gpt2-base-names", {**gpt2, "n_layer": 1}, t.gpt2_base, **rest)

    for name, parallel in (("gpt_neox", True), ("gpt_neox-serial", False)):
        yield make(name, t.gpt_neox, "GPTNeoXForCausalLM", "gpt_neox",
                   {**LAYER_NORM, "rotary_pct": 0.25, "rotary_emb_base": 500, "rope_theta": ..., "hidden_act": "gelu",
                    "num_attention_heads": 2, "num_key_value_heads": ..., "use_parallel_residual": parallel,
                    "attention_bias": True},
                   matter=(LAYER_NORM_EPS, {"rotary_pct": 0.5}, {"rotary_emb_base": 10000},
                           {"use_parallel_residual": not parallel}), slight=({"hidden_act": "gelu_new"},))


def lfm2_models():
    """Their MLP is narrower than the config says: two thirds, rounded up to block_multiple_of (48 here)."""
    name = t.lfm2, "Lfm2ForCausalLM", "lfm2"
    common = {"intermediate_size": 60, "block_auto_adjust_ff_dim": True, "block_ffn_dim_multiplier": 1.0,
              "block_multiple_of": 16, "conv_L_cache": 3, "conv_bias": False, "norm_eps": 0.01, "rms_norm_eps": ...,
              "hidden_act": ..., "tie_word_embeddings": ..., "tie_embedding": True}
    yield make("lfm2", *name, {**common, "layer_types": ["conv", "full_attention", "conv"], "num_hidden_layers": 3},
               matter=({"norm_eps": 1e-6}, BASE), dtype="BF16")
    # The keys of the first published configs.
    first = {"intermediate_size": ..., "block_dim": 32, "block_ff_dim": 60, "block_norm_eps": 0.01, "conv_dim": 32,
             "conv_dim_out": 32, "full_attn_idxs": [1], "num_heads": 4, "theta": 10000.0, "use_pos_enc": True,
             "block_use_swiglu": True}
    yield make("lfm2-first-keys", *name, {**common, **first}, dtype="BF16")


# --- encoders

STATES = ("mean", "cls")
SCORED = ("mean", "cls", "scores")
ONE_LABEL = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
LABELS = {"id2label": {"0": "no", "1": "perhaps", "2": "yes"}, "label2id": {"no": 0, "perhaps": 1, "yes": 2}}
ENCODER = {"num_key_value_heads": ..., "rms_norm_eps": ..., "tie_word_embeddings": ..., "rope_theta": ..., "bos_token_id": ...,
           "eos_token_id": ..., "vocab_size": 64}
BERT = {**ENCODER, "hidden_act": "gelu", "layer_norm_eps": 0.1, "max_position_embeddings": 80, "type_vocab_size": 2,
        "pad_token_id": 0, "position_embedding_type": "absolute"}


def bert_models():
    neutral = ("attention.self.key.bias",)  # adds the same to all scores of a query
    yield make("bert", t.bert, "BertModel", "bert", BERT, matter=(LAYER_NORM_EPS, {"hidden_act": "relu"}),
               slight=({"hidden_act": "gelu_new"},), neutral=neutral, kinds=STATES,
               texts=("The unfishable cats, fished zoo!", "a fish; THE cat"))
    yield make("bert-classifier", t.bert_classifier, "BertForSequenceClassification", "bert",
               {**BERT, **LABELS, "num_hidden_layers": 1}, matter=(LAYER_NORM_EPS,), neutral=neutral, kinds=SCORED)
    yield make("bert-reranker", t.bert_classifier, "BertForSequenceClassification", "bert",
               {**BERT, **ONE_LABEL}, matter=(LAYER_NORM_EPS,), neutral=neutral,
               kinds=("relevance",), pairs=(("the cat", "a fish."), ("the cat", "cat, unable"), ("fishing", "the fished fish")))
    roberta = {**BERT, "pad_token_id": 1, "type_vocab_size": 1, "max_position_embeddings": 82}
    matter = (LAYER_NORM_EPS, {"pad_token_id": 0})
    yield make("roberta-classifier", t.roberta_classifier, "RobertaForSequenceClassification", "roberta",
               {**roberta, **LABELS}, matter=matter, neutral=neutral, kinds=SCORED)
    yield make("xlm-roberta", t.bert, "XLMRobertaModel", "xlm-roberta", roberta, matter=matter, neutral=neutral, kinds=STATES)


def other_encoder_models():
    nomic = {"architectures": ["NomicBertModel"], "model_type": "nomic_bert", "torch_dtype": "float16", "vocab_size": 64,
             "n_embd": 32, "n_head": 2, "n_layer": 2, "n_inner": 40, "n_positions": 128, "max_trained_positions": 128,
             "activation_function": "swiglu", "rotary_emb_fraction": 1.0, "rotary_emb_base": 1000,
             "rotary_emb_interleaved": False, "rotary_emb_scale_base": None, "rotary_scaling_factor": None,
             "qkv_proj_bias": False, "mlp_fc1_bias": False, "mlp_fc2_bias": False, "prenorm": False, "use_rms_norm": False,
             "causal": False, "type_vocab_size": 2, "layer_norm_epsilon": 0.05, "parallel_block": False,
             "pad_vocab_size_multiple": 64}
    yield GoldenModel("nomic_bert", nomic, t.nomic_bert, ({"layer_norm_epsilon": 1e-6}, {"rotary_emb_base": 10000}), kinds=STATES)
    modern = {**ENCODER, **LABELS, "hidden_act": ..., "hidden_activation": "gelu", "norm_eps": 0.01, "num_hidden_layers": 4,
              "intermediate_size": 24, "max_position_embeddings": 128, "global_attn_every_n_layers": 3, "local_attention": 10,
              "global_rope_theta": 160000.0, "local_rope_theta": 500.0, "norm_bias": False, "attention_bias": False,
              "mlp_bias": False, "classifier_pooling": "mean", "classifier_activation": "gelu", "classifier_bias": False,
              "decoder_bias": True, "pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2}
    yield make("modernbert-classifier", t.modernbert, "ModernBertForSequenceClassification", "modernbert", modern,
               matter=({"norm_eps": 1e-6}, {"local_attention": 12}, {"global_rope_theta": 10000.0},
                       {"local_rope_theta": 10000.0}, {"global_attn_every_n_layers": 2}), kinds=SCORED)


def all_models():
    groups = (llama_models, mistral_models, qwen_and_smollm_models, other_llama_like_models, gemma_models, mixture_models,
              layer_norm_models, lfm2_models, bert_models, other_encoder_models)
    return [model for group in groups for model in group()]
