"""LFM2: most layers mix positions by a short gated convolution, a few by attention."""

import numpy as np

from decoder import Decoder


class Lfm2(Decoder):
    def __init__(self, config, tensors):
        super().__init__(config, tensors)
        self.eps = config["norm_eps"]

    def final_norm(self, x):
        return self.norm(x, "model.embedding_norm")  # named after embeddings, yet behind the last layer

    def block(self, i, x, n_ctx):
        at = f"model.layers.{i}."
        y = self.norm(x, at + "operator_norm")
        listed = self.config.get("layer_types")
        attends = listed[i] == "full_attention" if listed else i in self.config["full_attn_idxs"]
        x = x + (self.attention(i, at + "self_attn.", y, n_ctx) if attends else self.short_convolution(at + "conv.", y))
        return x + self.feed_forward(at + "feed_forward.", self.norm(x, at + "ffn_norm"))

    def queries_keys_values(self, at, x):
        q, k, v = super().queries_keys_values(at, x)
        return self.norm(q, at + "q_layernorm"), self.norm(k, at + "k_layernorm"), v

    def attention_output(self, at, y):
        return self.weights.linear(y, at + "out_proj")

    def short_convolution(self, at, x):
        """Each channel: gate, weighted sum of the last few positions (the last weight is the position itself), gate."""
        before, behind, y = np.split(self.weights.linear(x, at + "in_proj"), 3, axis=-1)
        kernel = self.weights[at + "conv.weight"][:, 0, :]  # [channels, taps]
        taps = kernel.shape[1]
        padded = np.concatenate([np.zeros((taps - 1, y.shape[1])), before * y])
        mixed = sum(padded[t:t + len(x)] * kernel[:, t] for t in range(taps))
        bias = self.weights.get(at + "conv.bias")
        return self.weights.linear(behind * (mixed if bias is None else mixed + bias), at + "out_proj")

    def feed_forward(self, at, x):
        w = self.weights
        return w.linear(self.activation(w.linear(x, at + "w1")) * w.linear(x, at + "w3"), at + "w2")
