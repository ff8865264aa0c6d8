"""Gemma, Gemma 2 and the text part of Gemma 3. Norm weights are stored minus one; embeddings are scaled."""

import math

import numpy as np

from decoder import Decoder
from parts import ACTIVATIONS, rms_norm
from rope import frequencies, rotate


class Gemma(Decoder):
    def __init__(self, config, tensors):
        super().__init__(config, tensors)
        # hidden_act of the first configs said "gelu" and is overruled: the model was trained with the tanh form.
        self.activation = ACTIVATIONS[config.get("hidden_activation") or "gelu_pytorch_tanh"]

    def embed(self, ids):
        return super().embed(ids) * math.sqrt(self.config["hidden_size"])

    def norm(self, x, name):
        return rms_norm(x, 1 + self.weights[name + ".weight"], self.eps)


class Gemma2(Gemma):
    """Norms before and behind both halves; soft caps on scores and logits; a window in every other layer."""

    def block(self, i, x, n_ctx):
        at = f"model.layers.{i}."
        y = self.attention(i, at + "self_attn.", self.norm(x, at + "input_layernorm"), n_ctx)
        x = x + self.norm(y, at + "post_attention_layernorm")
        y = self.mlp(at + "mlp.", self.norm(x, at + "pre_feedforward_layernorm"))
        return x + self.norm(y, at + "post_feedforward_layernorm")

    def attention_scale(self):
        return 1 / math.sqrt(self.config["query_pre_attn_scalar"])

    def attention_cap(self):
        return self.config.get("attn_logit_softcapping", 50.0)  # null is no cap, absence is the library's default

    def window(self, i):
        if self.config.get("layer_types"):
            return self.listed_window(i)
        return self.config["sliding_window"] if i % 2 == 0 else None

    def head(self, x):
        y, cap = super().head(x), self.config.get("final_logit_softcapping", 30.0)
        return cap * np.tanh(y / cap) if cap else y


class Gemma3(Gemma2):
    """No caps; queries and keys normalized by head; windowed layers have a base frequency of their own, unscaled."""

    def attention_cap(self):
        return self.config.get("attn_logit_softcapping")

    def head(self, x):
        return Gemma.head(self, x)

    def queries_keys_values(self, at, x):
        q, k, v = super().queries_keys_values(at, x)
        return self.norm(q, at + "q_norm"), self.norm(k, at + "k_norm"), v

    def window(self, i):
        if self.config.get("layer_types"):
            return self.listed_window(i)
        return self.config["sliding_window"] if (i + 1) % self.config.get("sliding_window_pattern", 6) else None

    def place(self, i, q, k, n_ctx):
        local = self.window(i) is not None
        if "full_attention" in self.rope:  # as versions from 5 of the library write it: settings by the type of the layer
            settings = self.rope["sliding_attention" if local else "full_attention"]
        elif local:
            settings = {"rope_type": "default", "rope_theta": self.config["rope_local_base_freq"]}
        else:
            settings = self.rope
        freqs, factor = frequencies(self.head_dim, settings["rope_theta"], settings, self.config, n_ctx)
        return rotate(q, freqs, factor), rotate(k, freqs, factor)
