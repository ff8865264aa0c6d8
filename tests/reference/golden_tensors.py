"""Which tensors a tiny model has, by family, and the numbers in them: drawn from the names alone, so that they are the
same on every machine and stay the same when other models come or go."""

import hashlib
import math
from typing import NamedTuple

import numpy as np

from safetensors_file import bf16_to_f32, f32_to_bf16


class Spec(NamedTuple):
    shape: tuple
    std: float
    center: float = 0.0
    kind: str = "matrix"


def matrix(rows, columns, gain=1.0):
    """Applied to values of size 1 it gives values of size gain."""
    return Spec((rows, columns), gain / math.sqrt(columns))


def norm(n, center=1.0):
    return Spec((n,), 0.25, center, "vector")


def bias(n, std=0.3):
    return Spec((n,), std, 0.0, "vector")


def uniform(key, shape, std, center):
    """Independent values, uniform around center: SplitMix64 started at the digest of the key."""
    count = int(np.prod(shape))
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    unit = (z >> np.uint64(11)) / float(1 << 53)
    return (center + std * math.sqrt(12) * (unit - 0.5)).reshape(shape)


def draw(model, name, spec, dtype, ternary=False):
    """(dtype, values that it holds). Vectors are F32 beside F16 matrices; BF16 models are BF16 all over."""
    values = uniform(f"{model}/{name}", spec.shape, spec.std, spec.center).astype(np.float32)
    if ternary and spec.kind == "matrix" and "proj" in name:
        values = np.sign(values) * (np.abs(values) > 0.6 * spec.std) * np.float32(1.25 * spec.std)
    if dtype == "BF16":
        return dtype, bf16_to_f32(f32_to_bf16(values)).reshape(spec.shape)
    if spec.kind == "vector":
        return "F32", values
    return "F16", values.astype(np.float16).astype(np.float32)


def ids(model, index, count, vocab):
    return [int(v) for v in uniform(f"{model}/prompt {index}", (count,), 1 / math.sqrt(12), 0.5) * vocab]


# --- the tensors of each family, from its config

def embeddings(c, out):
    gain = 2.0 * c.get("logits_scaling", 1.0)  # logits of size 2
    out["model.embed_tokens.weight"] = matrix(c["vocab_size"], c["hidden_size"], gain)
    if not c.get("tie_word_embeddings"):
        out["lm_head.weight"] = matrix(c["vocab_size"], c["hidden_size"], gain)


def head_size(c):
    return c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]


def attention(c, at, out, biases=""):
    """Gains that make attention scores of size 2; biases: for which of q, k, v, o."""
    h, q, kv = c["hidden_size"], c["num_attention_heads"] * head_size(c), c["num_key_value_heads"] * head_size(c)
    for name, rows, columns, gain in (("q", q, h, 1.4), ("k", kv, h, 1.4), ("v", kv, h, 1.0), ("o", h, q, 1.5)):
        out[f"{at}{name}_proj.weight"] = matrix(rows, columns, gain)
        if name in biases:
            out[f"{at}{name}_proj.bias"] = bias(rows)


def mlp(c, at, out, size="intermediate_size", biases=False):
    h, n = c["hidden_size"], c[size]
    for name, rows, columns, gain in (("gate", n, h, 1.5), ("up", n, h, 1.0), ("down", h, n, 1.5)):
        out[f"{at}{name}_proj.weight"] = matrix(rows, columns, gain)
        if biases:
            out[f"{at}{name}_proj.bias"] = bias(rows)


def llama(c, norms=("input_layernorm", "post_attention_layernorm"), center=1.0, qk_norm=None):
    out, h = {}, c["hidden_size"]
    embeddings(c, out)
    biases = "qkv" if c["model_type"] == "qwen2" else "qkvo" if c.get("attention_bias") else ""
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}."
        for name in norms:
            out[f"{at}{name}.weight"] = norm(h, center)
        attention(c, at + "self_attn.", out, biases)
        mlp(c, at + "mlp.", out, biases=c.get("mlp_bias", False))
        for name, heads in (("q", "num_attention_heads"), ("k", "num_key_value_heads")):
            if qk_norm:
                size = head_size(c) * (c[heads] if qk_norm == "all heads" else 1)
                out[f"{at}self_attn.{name}_norm.weight"] = norm(size, center)
    out["model.norm.weight"] = norm(h, center)
    return out


def qwen3(c):
    return llama(c, qk_norm="one head")


def olmo(c):
    return llama(c, norms=("post_attention_layernorm", "post_feedforward_layernorm"), qk_norm="all heads")


def gemma(c):
    return llama(c, center=0.0)


GEMMA_NORMS = ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm")


def gemma2(c):
    return llama(c, GEMMA_NORMS, center=0.0)


def gemma3(c):
    return llama(c, GEMMA_NORMS, center=0.0, qk_norm="one head")


def bitnet(c):
    out = llama(c)
    for i in range(c["num_hidden_layers"]):
        out[f"model.layers.{i}.self_attn.attn_sub_norm.weight"] = norm(c["hidden_size"])
        out[f"model.layers.{i}.mlp.ffn_sub_norm.weight"] = norm(c["intermediate_size"])
    return out


def phi3(c):
    out, h = llama(c), c["hidden_size"]
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}."
        parts = [out.pop(f"{at}self_attn.{n}_proj.weight") for n in "qkv"]
        out[at + "self_attn.qkv_proj.weight"] = matrix(sum(p.shape[0] for p in parts), h, 1.3)
        del out[at + "mlp.gate_proj.weight"], out[at + "mlp.up_proj.weight"]
        out[at + "mlp.gate_up_proj.weight"] = matrix(2 * c["intermediate_size"], h, 1.3)
    return out


def without_mlp(out, at):
    for name in [n for n in out if n.startswith(at + "mlp.")]:
        del out[name]


def mixtral(c):
    out, h, n = llama(c), c["hidden_size"], c["intermediate_size"]
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}."
        without_mlp(out, at)
        out[at + "block_sparse_moe.gate.weight"] = matrix(c["num_local_experts"], h, 1.5)
        for e in range(c["num_local_experts"]):
            expert = f"{at}block_sparse_moe.experts.{e}."
            out[expert + "w1.weight"], out[expert + "w3.weight"] = matrix(n, h, 1.5), matrix(n, h)
            out[expert + "w2.weight"] = matrix(h, n, 1.5)
    return out


def qwen3_moe(c):
    out = qwen3(c)
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}."
        if i in c["mlp_only_layers"]:
            continue
        without_mlp(out, at)
        out[at + "mlp.gate.weight"] = matrix(c["num_experts"], c["hidden_size"], 1.5)
        for e in range(c["num_experts"]):
            mlp(c, f"{at}mlp.experts.{e}.", out, "moe_intermediate_size")
    return out


def granitemoe(c):
    out, h, n, experts = llama(c), c["hidden_size"], c["intermediate_size"], c["num_local_experts"]
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}."
        without_mlp(out, at)
        out[at + "block_sparse_moe.router.layer.weight"] = matrix(experts, h, 1.5)
        out[at + "block_sparse_moe.input_linear.weight"] = Spec((experts, 2 * n, h), 1.3 / math.sqrt(h))
        out[at + "block_sparse_moe.output_linear.weight"] = Spec((experts, h, n), 1.5 / math.sqrt(n))
    return out


def layer_norms(out, h, *names):
    for name in names:
        out[name + ".weight"], out[name + ".bias"] = norm(h), bias(h)


def dense(out, name, rows, columns, gain=1.0):
    out[name + ".weight"], out[name + ".bias"] = matrix(rows, columns, gain), bias(rows)


def phi(c):
    out, h, n = {}, c["hidden_size"], c["intermediate_size"]
    embeddings(c, out)
    out["lm_head.bias"] = bias(c["vocab_size"])
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}."
        layer_norms(out, h, at + "input_layernorm")
        attention(c, at + "self_attn.", out, "qkv")
        del out[at + "self_attn.o_proj.weight"]
        dense(out, at + "self_attn.dense", h, h, 1.5)
        dense(out, at + "mlp.fc1", n, h, 1.5)
        dense(out, at + "mlp.fc2", h, n, 1.5)
    layer_norms(out, h, "model.final_layernorm")
    return out


def stablelm(c):
    out, h = {}, c["hidden_size"]
    embeddings(c, out)
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}."
        layer_norms(out, h, at + "input_layernorm")
        if not c["use_parallel_residual"]:
            layer_norms(out, h, at + "post_attention_layernorm")
        attention(c, at + "self_attn.", out, "qkv" if c["use_qkv_bias"] else "")
        mlp(c, at + "mlp.", out)
        for name, heads in (("q", "num_attention_heads"), ("k", "num_key_value_heads")):
            for head in range(c[heads] if c["qk_layernorm"] else 0):
                out[f"{at}self_attn.{name}_layernorm.norms.{head}.weight"] = norm(head_size(c))
    layer_norms(out, h, "model.norm")
    return out


def gpt2(c):
    out, h, n = {}, c["n_embd"], c.get("n_inner") or 4 * c["n_embd"]
    out["transformer.wte.weight"] = matrix(c["vocab_size"], h, 2.0)
    out["transformer.wpe.weight"] = matrix(c["n_positions"], h, 2.0)
    for i in range(c["n_layer"]):
        at = f"transformer.h.{i}."
        layer_norms(out, h, at + "ln_1", at + "ln_2")
        for name, columns, rows, gain in (("attn.c_attn", h, 3 * h, 1.3), ("attn.c_proj", h, h, 1.5),
                                          ("mlp.c_fc", h, n, 1.5), ("mlp.c_proj", n, h, 1.5)):
            out[f"{at}{name}.weight"] = Spec((columns, rows), gain / math.sqrt(columns))
            out[f"{at}{name}.bias"] = bias(rows)
    layer_norms(out, h, "transformer.ln_f")
    return out


def gpt2_base(c):
    """As GPT-2's own files: without the prefix."""
    return {name.removeprefix("transformer."): spec for name, spec in gpt2(c).items()}


def gpt_neox(c):
    out, h, n = {}, c["hidden_size"], c["intermediate_size"]
    out["gpt_neox.embed_in.weight"] = out["embed_out.weight"] = matrix(c["vocab_size"], h, 2.0)
    for i in range(c["num_hidden_layers"]):
        at = f"gpt_neox.layers.{i}."
        layer_norms(out, h, at + "input_layernorm", at + "post_attention_layernorm")
        dense(out, at + "attention.query_key_value", 3 * h, h, 1.3)
        dense(out, at + "attention.dense", h, h, 1.5)
        dense(out, at + "mlp.dense_h_to_4h", n, h, 1.5)
        dense(out, at + "mlp.dense_4h_to_h", h, n, 1.5)
    layer_norms(out, h, "gpt_neox.final_layer_norm")
    return out


def lfm2(c):
    out, h, unit = {}, c["hidden_size"], c["block_multiple_of"]
    n = -(-2 * c.get("block_ff_dim", c.get("intermediate_size")) // 3 // unit) * unit
    embeddings({**c, "tie_word_embeddings": c["tie_embedding"]}, out)
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}."
        out[at + "operator_norm.weight"] = out[at + "ffn_norm.weight"] = norm(h)
        if i in c["full_attn_idxs"] if "full_attn_idxs" in c else c["layer_types"][i] == "full_attention":
            attention(c, at + "self_attn.", out)
            out[at + "self_attn.out_proj.weight"] = out.pop(at + "self_attn.o_proj.weight")
            for name in "qk":
                out[f"{at}self_attn.{name}_layernorm.weight"] = norm(head_size(c))
        else:
            out[at + "conv.in_proj.weight"], out[at + "conv.out_proj.weight"] = matrix(3 * h, h), matrix(h, h, 1.5)
            out[at + "conv.conv.weight"] = Spec((h, 1, c["conv_L_cache"]), 0.6)
            if c["conv_bias"]:
                out[at + "conv.in_proj.bias"], out[at + "conv.out_proj.bias"] = bias(3 * h), bias(h)
                out[at + "conv.conv.bias"] = bias(h)
        out[at + "feed_forward.w1.weight"] = out[at + "feed_forward.w3.weight"] = matrix(n, h, 1.3)
        out[at + "feed_forward.w2.weight"] = matrix(h, n, 1.5)
    out["model.embedding_norm.weight"] = norm(h)
    return out


def mistral3(c):
    """The text part under its prefix, and something of the vision part, which a language program leaves out."""
    out = {"language_model." + name: spec for name, spec in llama(c["text_config"]).items()}
    out["multi_modal_projector.norm.weight"] = norm(16)
    out["vision_tower.ln_pre.weight"] = norm(16)
    return out


# --- encoders

def bert(c, prefix=""):
    out, h, n = {}, c["hidden_size"], c["intermediate_size"]
    rows_of = {"word": c["vocab_size"], "position": c["max_position_embeddings"], "token_type": c["type_vocab_size"]}
    for name, rows in rows_of.items():
        out[f"{prefix}embeddings.{name}_embeddings.weight"] = Spec((rows, h), 1.0)
    layer_norms(out, h, prefix + "embeddings.LayerNorm")
    for i in range(c["num_hidden_layers"]):
        at = f"{prefix}encoder.layer.{i}."
        for name, gain in (("query", 1.4), ("key", 1.4), ("value", 1.0)):
            dense(out, f"{at}attention.self.{name}", h, h, gain)
        dense(out, at + "attention.output.dense", h, h, 1.5)
        dense(out, at + "intermediate.dense", n, h, 1.5)
        dense(out, at + "output.dense", h, n, 1.5)
        layer_norms(out, h, at + "attention.output.LayerNorm", at + "output.LayerNorm")
    return out


def bert_classifier(c):
    out, h = bert(c, "bert."), c["hidden_size"]
    dense(out, "bert.pooler.dense", h, h)
    dense(out, "classifier", len(c["id2label"]), h, 1.5 if len(c["id2label"]) > 1 else 5.0)
    return out


def roberta_classifier(c):
    out, h = bert(c, "roberta."), c["hidden_size"]
    dense(out, "classifier.dense", h, h)
    dense(out, "classifier.out_proj", len(c["id2label"]), h, 1.5)
    return out


def nomic_bert(c):
    out, h, n = {}, c["n_embd"], c["n_inner"]
    out["embeddings.word_embeddings.weight"] = Spec((c["vocab_size"], h), 1.0)
    out["embeddings.token_type_embeddings.weight"] = Spec((c["type_vocab_size"], h), 1.0)
    layer_norms(out, h, "emb_ln")
    for i in range(c["n_layer"]):
        at = f"encoder.layers.{i}."
        out[at + "attn.Wqkv.weight"], out[at + "attn.out_proj.weight"] = matrix(3 * h, h, 1.3), matrix(h, h, 1.5)
        out[at + "mlp.fc11.weight"] = out[at + "mlp.fc12.weight"] = matrix(n, h, 1.3)
        out[at + "mlp.fc2.weight"] = matrix(h, n, 1.5)
        layer_norms(out, h, at + "norm1", at + "norm2")
    return out


def modernbert(c):
    out, h, n = {}, c["hidden_size"], c["intermediate_size"]
    prefix = "model."
    out[prefix + "embeddings.tok_embeddings.weight"] = Spec((c["vocab_size"], h), 1.0)
    out[prefix + "embeddings.norm.weight"] = norm(h)
    for i in range(c["num_hidden_layers"]):
        at = f"{prefix}layers.{i}."
        if i:
            out[at + "attn_norm.weight"] = norm(h)
        out[at + "attn.Wqkv.weight"], out[at + "attn.Wo.weight"] = matrix(3 * h, h, 1.3), matrix(h, h, 1.5)
        out[at + "mlp_norm.weight"] = norm(h)
        out[at + "mlp.Wi.weight"], out[at + "mlp.Wo.weight"] = matrix(2 * n, h, 1.3), matrix(h, n, 1.5)
    out[prefix + "final_norm.weight"] = norm(h)
    out["head.dense.weight"], out["head.norm.weight"] = matrix(h, h, 1.5), norm(h)
    dense(out, "classifier", len(c["id2label"]), h, 1.5)
    return out
