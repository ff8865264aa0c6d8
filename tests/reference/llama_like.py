"""Families that are the llama block with one or two facts changed."""

import numpy as np

from decoder import Decoder
from parts import rms_norm
from rope import frequencies, rotate


class Llama(Decoder):
    pass


class Mistral(Decoder):
    def window(self, i):
        return self.config.get("sliding_window")


class Ministral(Decoder):
    """Ministral 8B of 2024: full and windowed layers by layer_types."""

    def window(self, i):
        return self.listed_window(i)


class Ministral3(Decoder):
    """Ministral 3: queries grow with the logarithm of the position, in steps of the original context."""

    def window(self, i):
        return self.config.get("sliding_window")

    def place(self, i, q, k, n_ctx):
        q, k = super().place(i, q, k, n_ctx)
        steps = np.arange(len(q)) // self.rope["original_max_position_embeddings"]
        return q * (1 + self.rope["llama_4_scaling_beta"] * np.log(1 + steps))[:, None, None], k


class SmolLm3(Decoder):
    """Some layers have no rotary embedding."""

    def place(self, i, q, k, n_ctx):
        listed = self.config.get("no_rope_layers")
        rotated = listed[i] if listed else (i + 1) % self.config.get("no_rope_layer_interval", 4) != 0
        return super().place(i, q, k, n_ctx) if rotated else (q, k)


class Qwen2(Decoder):
    """Windows, when used at all, from layer max_window_layers on."""

    def window(self, i):
        c = self.config
        if not c.get("use_sliding_window"):
            return None
        if c.get("layer_types"):
            return self.listed_window(i)
        return c["sliding_window"] if i >= c["max_window_layers"] else None


class Qwen3(Qwen2):
    """Queries and keys are normalized head by head."""

    def queries_keys_values(self, at, x):
        q, k, v = super().queries_keys_values(at, x)
        return self.norm(q, at + "q_norm"), self.norm(k, at + "k_norm"), v


class Phi3(Decoder):
    """Fused projections; a window in every layer; rotary factors for long contexts."""

    def queries_keys_values(self, at, x):
        q, kv = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        rows = self.weights.linear(x, at + "qkv_proj")
        return [self.heads(part) for part in np.split(rows, [q, q + kv], axis=-1)]

    def mlp(self, at, x):
        gate, up = np.split(self.weights.linear(x, at + "gate_up_proj"), 2, axis=-1)
        return self.weights.linear(self.activation(gate) * up, at + "down_proj")

    def window(self, i):
        return self.config.get("sliding_window")


class Granite(Decoder):
    """Four multipliers."""

    def embed(self, ids):
        return super().embed(ids) * self.config["embedding_multiplier"]

    def attention_scale(self):
        return self.config["attention_multiplier"]

    def block(self, i, x, n_ctx):
        at, m = f"model.layers.{i}.", self.config["residual_multiplier"]
        x = x + m * self.attention(i, at + "self_attn.", self.norm(x, at + "input_layernorm"), n_ctx)
        return x + m * self.mlp(at + "mlp.", self.norm(x, at + "post_attention_layernorm"))

    def head(self, x):
        return super().head(x) / self.config["logits_scaling"]


class Olmo2(Decoder):
    """Norms behind attention and MLP, not before; queries and keys are normalized over all heads together."""

    def block(self, i, x, n_ctx):
        at = f"model.layers.{i}."
        x = x + self.norm(self.attention(i, at + "self_attn.", x, n_ctx), at + "post_attention_layernorm")
        return x + self.norm(self.mlp(at + "mlp.", x), at + "post_feedforward_layernorm")

    def queries_keys_values(self, at, x):
        w = self.weights
        q, k = (self.norm(w.linear(x, at + f"{n}_proj"), at + f"{n}_norm") for n in "qk")
        return self.heads(q), self.heads(k), self.heads(w.linear(x, at + "v_proj"))


class Olmo3(Olmo2):
    """Windows by layer_types; rotary scaling in the layers without a window only."""

    def window(self, i):
        types = self.config.get("layer_types")
        return self.listed_window(i) if types else self.config["sliding_window"] if (i + 1) % 4 else None

    def place(self, i, q, k, n_ctx):
        if self.window(i) is None:
            return super().place(i, q, k, n_ctx)
        freqs, _ = frequencies(self.rotary_dim(), self.rope["rope_theta"], {"rope_type": "default"}, self.config, n_ctx)
        return rotate(q, freqs), rotate(k, freqs)


class BitNet(Decoder):
    """A norm before the output projection and one before the down projection. Activations are not quantized here."""

    def attention_output(self, at, y):
        return super().attention_output(at, self.norm(y, at + "attn_sub_norm"))

    def mlp(self, at, x):
        w = self.weights
        y = self.activation(w.linear(x, at + "gate_proj")) * w.linear(x, at + "up_proj")
        return w.linear(rms_norm(y, w[at + "ffn_sub_norm.weight"], self.eps), at + "down_proj")
