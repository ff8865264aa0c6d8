"""Decoders with LayerNorm: GPT-2, GPT-NeoX, Phi (1, 1.5, 2), StableLM."""

import numpy as np

from decoder import Decoder
from parts import layer_norm


class Gpt2(Decoder):
    """Learned positions, no rotary embedding; matrices are stored as [in, out] (Conv1D)."""

    def __init__(self, config, tensors):
        named = dict(config, num_hidden_layers=config["n_layer"], num_attention_heads=config["n_head"],
                     hidden_size=config["n_embd"], hidden_act=config.get("activation_function", "gelu_new"))
        # The base model's files, as GPT-2's own, lack the prefix.
        complete = ("transformer.", "lm_head.")
        tensors = {n if n.startswith(complete) else "transformer." + n: t for n, t in tensors.items()}
        super().__init__(named, tensors)
        self.eps = config["layer_norm_epsilon"]

    def conv(self, x, name):
        return x @ self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def embed(self, ids):
        return self.weights["transformer.wte.weight"][ids] + self.weights["transformer.wpe.weight"][:len(ids)]

    def block(self, i, x, n_ctx):
        at = f"transformer.h.{i}."
        x = x + self.attention(i, at + "attn.", self.weights.layer_norm(x, at + "ln_1", self.eps), n_ctx)
        y = self.conv(self.weights.layer_norm(x, at + "ln_2", self.eps), at + "mlp.c_fc")
        return x + self.conv(self.activation(y), at + "mlp.c_proj")

    def queries_keys_values(self, at, x):
        return [self.heads(part) for part in np.split(self.conv(x, at + "c_attn"), 3, axis=-1)]

    def place(self, i, q, k, n_ctx):
        return q, k

    def attention_output(self, at, y):
        return self.conv(y, at + "c_proj")

    def final_norm(self, x):
        return self.weights.layer_norm(x, "transformer.ln_f", self.eps)

    def head(self, x):
        name = "lm_head.weight" if "lm_head.weight" in self.weights else "transformer.wte.weight"
        return x @ self.weights[name].T


class GptNeoX(Decoder):
    """Query, key and value of one head lie together in one matrix; attention and MLP may run side by side."""

    def __init__(self, config, tensors):
        super().__init__(dict(config, rope_theta=config.get("rotary_emb_base", 10000)), tensors)
        self.eps = config["layer_norm_eps"]

    def embed(self, ids):
        return self.weights["gpt_neox.embed_in.weight"][ids]

    def block(self, i, x, n_ctx):
        at, w = f"gpt_neox.layers.{i}.", self.weights
        a = self.attention(i, at + "attention.", w.layer_norm(x, at + "input_layernorm", self.eps), n_ctx)
        y = x if self.config["use_parallel_residual"] else x + a
        y = w.layer_norm(y, at + "post_attention_layernorm", self.eps)
        return x + a + w.linear(self.activation(w.linear(y, at + "mlp.dense_h_to_4h")), at + "mlp.dense_4h_to_h")

    def queries_keys_values(self, at, x):
        rows = self.weights.linear(x, at + "query_key_value").reshape(len(x), self.n_heads, 3, self.head_dim)
        return rows[:, :, 0], rows[:, :, 1], rows[:, :, 2]

    def rotary_dim(self):
        return int(self.head_dim * self.config["rotary_pct"])

    def attention_output(self, at, y):
        return self.weights.linear(y, at + "dense")

    def final_norm(self, x):
        return self.weights.layer_norm(x, "gpt_neox.final_layer_norm", self.eps)

    def head(self, x):
        return self.weights.linear(x, "embed_out")


class Phi(Decoder):
    """One norm, then attention and a plain MLP side by side; biases everywhere, on the output head too."""

    def __init__(self, config, tensors):
        super().__init__(config, tensors)
        self.eps = config["layer_norm_eps"]

    def block(self, i, x, n_ctx):
        at, w = f"model.layers.{i}.", self.weights
        y = w.layer_norm(x, at + "input_layernorm", self.eps)
        mlp = w.linear(self.activation(w.linear(y, at + "mlp.fc1")), at + "mlp.fc2")
        return x + self.attention(i, at + "self_attn.", y, n_ctx) + mlp

    def attention_output(self, at, y):
        return self.weights.linear(y, at + "dense")

    def final_norm(self, x):
        return self.weights.layer_norm(x, "model.final_layernorm", self.eps)


class StableLm(Decoder):
    """Optional: biases of q, k, v; a norm of its own for each head; attention and MLP side by side behind one norm."""

    def __init__(self, config, tensors):
        super().__init__(config, tensors)
        self.eps = config["layer_norm_eps"]

    def norm(self, x, name):
        return self.weights.layer_norm(x, name, self.eps)

    def block(self, i, x, n_ctx):
        at = f"model.layers.{i}."
        y = self.norm(x, at + "input_layernorm")
        a = self.attention(i, at + "self_attn.", y, n_ctx)
        if not self.config.get("use_parallel_residual"):
            y = self.norm(x + a, at + "post_attention_layernorm")
        return x + a + self.mlp(at + "mlp.", y)

    def queries_keys_values(self, at, x):
        q, k, v = super().queries_keys_values(at, x)
        if self.config.get("qk_layernorm"):
            q, k = self.norm_heads(q, at + "q_layernorm"), self.norm_heads(k, at + "k_layernorm")
        return q, k, v

    def norm_heads(self, x, name):
        weights = np.stack([self.weights[f"{name}.norms.{h}.weight"] for h in range(x.shape[1])])
        return layer_norm(x, weights, None, self.eps)
