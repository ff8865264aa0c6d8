"""The block that most families share, in steps that a family can replace."""

import math

import numpy as np

from parts import ACTIVATIONS, Weights, attention, causal_mask, rms_norm
from rope import frequencies, rope_settings, rotate


class Decoder:
    """As LlamaForCausalLM: norm, attention, residual, norm, gated MLP, residual."""

    def __init__(self, config, tensors):
        self.config, self.weights = config, Weights(tensors)
        self.n_layers = config["num_hidden_layers"]
        self.n_heads = config["num_attention_heads"]
        self.n_kv_heads = config.get("num_key_value_heads") or self.n_heads
        self.head_dim = config.get("head_dim") or config["hidden_size"] // self.n_heads
        self.eps = config.get("rms_norm_eps", 1e-6)
        self.activation = ACTIVATIONS[config.get("hidden_act", "silu")]
        self.rope = rope_settings(config)

    # --- the whole

    def logits(self, ids, n_ctx):
        """[len(ids), vocabulary]"""
        return self.head(self.hidden_states(np.array(ids), n_ctx))

    def hidden_states(self, ids, n_ctx):
        x = self.embed(ids)
        for i in range(self.n_layers):
            x = self.block(i, x, n_ctx)
        return self.final_norm(x)

    def embed(self, ids):
        return self.weights["model.embed_tokens.weight"][ids]

    def final_norm(self, x):
        return self.norm(x, "model.norm")

    def head(self, x):
        tied = "lm_head.weight" not in self.weights
        return x @ self.weights["model.embed_tokens.weight"].T if tied else self.weights.linear(x, "lm_head")

    # --- a block

    def block(self, i, x, n_ctx):
        at = f"model.layers.{i}."
        x = x + self.attention(i, at + "self_attn.", self.norm(x, at + "input_layernorm"), n_ctx)
        return x + self.mlp(at + "mlp.", self.norm(x, at + "post_attention_layernorm"))

    def norm(self, x, name):
        return rms_norm(x, self.weights[name + ".weight"], self.eps)

    def attention(self, i, at, x, n_ctx):
        q, k, v = self.queries_keys_values(at, x)
        q, k = self.place(i, q, k, n_ctx)
        y = attention(q, k, v, self.attention_scale(), causal_mask(len(x), self.window(i)), self.attention_cap())
        return self.attention_output(at, y)

    def queries_keys_values(self, at, x):
        return [self.heads(self.weights.linear(x, at + f"{name}_proj")) for name in "qkv"]

    def heads(self, x):
        return x.reshape(len(x), -1, self.head_dim)

    def place(self, i, q, k, n_ctx):
        """What tells positions apart."""
        freqs, factor = frequencies(self.rotary_dim(), self.rope["rope_theta"], self.rope, self.config, n_ctx)
        return rotate(q, freqs, factor), rotate(k, freqs, factor)

    def rotary_dim(self):
        share = self.rope.get("partial_rotary_factor") or self.config.get("partial_rotary_factor") or 1.0
        return int(self.head_dim * share)

    def attention_scale(self):
        return 1 / math.sqrt(self.head_dim)

    def attention_cap(self):
        return None

    def window(self, i):
        """How many positions layer i looks at; None: all."""
        return None

    def listed_window(self, i):
        """As the layer_types of a config say."""
        return self.config["sliding_window"] if self.config["layer_types"][i] == "sliding_attention" else None

    def attention_output(self, at, y):
        return self.weights.linear(y, at + "o_proj")

    def mlp(self, at, x):
        w = self.weights
        return w.linear(self.activation(w.linear(x, at + "gate_proj")) * w.linear(x, at + "up_proj"), at + "down_proj")
