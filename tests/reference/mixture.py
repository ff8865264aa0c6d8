"""Mixtures of experts: of several MLPs, the few with the highest router scores answer for a position."""

import numpy as np

from llama_like import Granite, Llama, Qwen3
from parts import softmax


def mix(x, scores, n_used, expert, renormalize):
    """The sum of the n_used best experts' answers, weighted by the softmax over all scores; renormalize: to sum 1."""
    weights, y = softmax(scores), np.zeros_like(x)
    for row, w in enumerate(weights):
        best = np.argsort(-w, kind="stable")[:n_used]
        total = w[best].sum() if renormalize else 1.0
        for e in best:
            y[row] += w[e] / total * expert(e, x[row:row + 1])[0]
    return y


class Mixtral(Llama):
    def window(self, i):
        return self.config.get("sliding_window")

    def block(self, i, x, n_ctx):
        at = f"model.layers.{i}."
        x = x + self.attention(i, at + "self_attn.", self.norm(x, at + "input_layernorm"), n_ctx)
        return x + self.experts(at + "block_sparse_moe.", self.norm(x, at + "post_attention_layernorm"))

    def experts(self, at, x):
        w = self.weights

        def expert(e, row):
            mid = self.activation(w.linear(row, f"{at}experts.{e}.w1")) * w.linear(row, f"{at}experts.{e}.w3")
            return w.linear(mid, f"{at}experts.{e}.w2")

        return mix(x, w.linear(x, at + "gate"), self.config["num_experts_per_tok"], expert, renormalize=True)


class Qwen3Moe(Qwen3):
    """Layers listed in mlp_only_layers, and those that decoder_sparse_step skips, have one plain MLP."""

    def mlp(self, at, x):
        c, i = self.config, int(at.split(".")[2])
        if i in c.get("mlp_only_layers", []) or (i + 1) % c.get("decoder_sparse_step", 1) != 0:
            return super().mlp(at, x)
        scores = self.weights.linear(x, at + "gate")
        return mix(x, scores, c["num_experts_per_tok"], lambda e, row: Qwen3.mlp(self, f"{at}experts.{e}.", row),
                   c.get("norm_topk_prob", False))


class GraniteMoe(Granite):
    """All experts of a layer lie in two tensors; gate and up of an expert are one matrix."""

    def block(self, i, x, n_ctx):
        at, m = f"model.layers.{i}.", self.config["residual_multiplier"]
        x = x + m * self.attention(i, at + "self_attn.", self.norm(x, at + "input_layernorm"), n_ctx)
        return x + m * self.experts(at + "block_sparse_moe.", self.norm(x, at + "post_attention_layernorm"))

    def experts(self, at, x):
        inner, outer = (self.weights[f"{at}{n}_linear.weight"] for n in ("input", "output"))

        def expert(e, row):
            gate, up = np.split(row @ inner[e].T, 2, axis=-1)
            return (self.activation(gate) * up) @ outer[e].T

        # A softmax over the chosen scores alone is the softmax over all, renormalized.
        return mix(x, self.weights.linear(x, at + "router.layer"), self.config["num_experts_per_tok"], expert, True)
