#!/usr/bin/env python3
"""The reference itself against a peer: the GGUF models of ../shared/conformance, translated back to Hugging Face's names
and layouts, must give the logits that the peer computed. Skipped (exit code 77) without ../shared.

    check_conformance.py [MODEL...]
"""

import json
import pathlib
import sys

try:
    import numpy as np
except ImportError:
    print("skipped: this test needs numpy (Debian package python3-numpy)")
    sys.exit(77)

sys.dont_write_bytecode = True
import families  # noqa: E402
from gguf_file import read_gguf  # noqa: E402

CONFORMANCE = pathlib.Path(__file__).resolve().parents[3] / "shared/conformance"

# Largest difference allowed. GELU models are looser because the peer looks GELU up in a table of half-precision values.
BOUNDS = {"gemma2": 1e-2, "gemma3": 1e-2, "gpt2": 1e-2}
BOUND = 1e-4

ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM",
                 "gemma2": "Gemma2ForCausalLM", "gemma3": "Gemma3ForCausalLM", "phi3": "Phi3ForCausalLM",
                 "gpt2": "GPT2LMHeadModel", "bitnet": "BitNetForCausalLM"}

LLAMA_NAMES = {
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_qkv": "self_attn.qkv_proj", "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "attn_sub_norm": "self_attn.attn_sub_norm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    "ffn_sub_norm": "mlp.ffn_sub_norm",
}
NAMES = {
    "gemma2": {"ffn_norm": "pre_feedforward_layernorm", "post_attention_norm": "post_attention_layernorm",
               "post_ffw_norm": "post_feedforward_layernorm"},
    "phi3": {"ffn_up": "mlp.gate_up_proj"},
    "gpt2": {"token_embd": "transformer.wte", "position_embd": "transformer.wpe", "output_norm": "transformer.ln_f",
             "attn_norm": "ln_1", "ffn_norm": "ln_2", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj",
             "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"},
}
NAMES["gemma3"] = NAMES["gemma2"]


def config_from(metadata, tensors):
    arch = metadata["general.architecture"]

    def get(key, default=None):
        return metadata.get(f"{arch}.{key}", default)

    config = {
        "architectures": [ARCHITECTURES[arch]], "hidden_size": get("embedding_length"),
        "num_hidden_layers": get("block_count"), "num_attention_heads": get("attention.head_count"),
        "num_key_value_heads": get("attention.head_count_kv"), "head_dim": get("attention.key_length"),
        "rms_norm_eps": get("attention.layer_norm_rms_epsilon"), "rope_theta": get("rope.freq_base", 10000.0),
        "sliding_window": get("attention.sliding_window"), "max_position_embeddings": get("context_length"),
    }
    if arch == "bitnet":
        config["hidden_act"] = "silu"  # what "bitnet" of a GGUF file means; the models of BitNetForCausalLM have relu2
    if arch == "gemma2":
        config.update(attn_logit_softcapping=get("attn_logit_softcapping"), query_pre_attn_scalar=config["head_dim"],
                      final_logit_softcapping=get("final_logit_softcapping"))
    if arch == "gemma3":
        config.update(rope_local_base_freq=10000.0, sliding_window_pattern=6, query_pre_attn_scalar=config["head_dim"])
    if arch == "gpt2":
        config.update(n_layer=get("block_count"), n_head=get("attention.head_count"), n_embd=get("embedding_length"),
                      layer_norm_epsilon=get("attention.layer_norm_epsilon"))
    if arch == "phi3":
        config.update(original_max_position_embeddings=get("rope.scaling.original_context_length"),
                      partial_rotary_factor=get("rope.dimension_count") / config["head_dim"])
        config["rope_scaling"] = {"rope_type": "longrope", "attention_factor": get("rope.scaling.attn_factor"),
                                  "long_factor": tensors.pop("rope_factors_long.weight").tolist(),
                                  "short_factor": tensors.pop("rope_factors_short.weight").tolist()}
    if arch == "llama" and "rope_freqs.weight" in tensors:
        # Ready-made divisors: the same as short factors that hold for any length.
        divisors = tensors.pop("rope_freqs.weight").tolist()
        config["rope_scaling"] = {"rope_type": "longrope", "attention_factor": 1.0,
                                  "short_factor": divisors, "long_factor": divisors,
                                  "original_max_position_embeddings": config["max_position_embeddings"]}
    return config


def hf_name(arch, name):
    names = {**LLAMA_NAMES, **NAMES.get(arch, {})}
    *block, stem, ending = name.split(".")
    layers = "transformer.h" if arch == "gpt2" else "model.layers"
    return f"{layers}.{block[1]}.{names[stem]}.{ending}" if block else f"{names[stem]}.{ending}"


def unpermute(rows, n_heads):
    """GGUF's llama has the two halves of a head interleaved."""
    shape = rows.shape
    return rows.reshape(n_heads, -1, 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def model_from(path):
    metadata, tensors = read_gguf(path)
    arch = metadata["general.architecture"]
    config, out = config_from(metadata, tensors), {}
    for name, values in tensors.items():
        if arch == "llama" and ".attn_q." in name:
            values = unpermute(values, config["num_attention_heads"])
        if arch == "llama" and ".attn_k." in name:
            values = unpermute(values, config["num_key_value_heads"])
        if arch.startswith("gemma") and name.endswith("norm.weight"):
            values = values.astype(np.float64) - 1
        if arch == "gpt2" and values.ndim == 2 and "_embd" not in name and name != "output.weight":
            values = values.T
        out[hf_name(arch, name)] = values
    return families.build(config, out)


def main():
    if not CONFORMANCE.is_dir():
        print("skipped: ../shared is not here, so there is no peer to compare the reference with")
        return 77
    passed = failed = 0
    for folder in [CONFORMANCE / n for n in sys.argv[1:]] or sorted(p.parent for p in CONFORMANCE.glob("*/model.gguf")):
        model, task = model_from(folder / "model.gguf"), json.loads((folder / "tokens.json").read_text())
        want = np.fromfile(folder / "logits.bin", "<f4").reshape(-1, task["n_vocab"])
        got = np.concatenate([model.logits(ids, task["n_ctx"]) for ids in task["prompts"]])
        worst, bound = np.abs(got - want).max(), BOUNDS.get(folder.name, BOUND)
        good = worst <= bound and not model.weights.unused()
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok    ' if good else 'FAILED'} {folder.name:18} max diff {worst:.2g}, bound {bound:g}",
              "not used: " + " ".join(model.weights.unused()) if model.weights.unused() else "", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
