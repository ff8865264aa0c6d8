"""Encoders: every position sees every other. They answer with hidden states, and with scores when they have a head."""

import math

import numpy as np

from parts import ACTIVATIONS, Weights, attention
from rope import frequencies, rotate


class Encoder:
    prefix = ""  # of the encoder's tensors in a model with a head; a bare encoder has none

    def __init__(self, config, tensors):
        if "Classification" in config["architectures"][0]:
            if not any(name.startswith(self.prefix) for name in tensors):
                raise KeyError(self.prefix)
            tensors = {name.removeprefix(self.prefix): t for name, t in tensors.items()}
        self.weights = Weights(tensors)
        self.config = config
        self.n_heads = config.get("num_attention_heads") or config["n_head"]
        self.hidden = config.get("hidden_size") or config["n_embd"]
        self.n_layers = config.get("num_hidden_layers") or config["n_layer"]
        self.head_dim = self.hidden // self.n_heads

    def heads(self, x):
        return x.reshape(len(x), -1, self.head_dim)

    def attend(self, q, k, v, mask=True):
        return attention(q, k, v, 1 / math.sqrt(self.head_dim), np.broadcast_to(mask, (len(q), len(q))))

    def rotate_both(self, q, k, theta):
        freqs, _ = frequencies(self.head_dim, theta, {"rope_type": "default"}, self.config, 0)
        return rotate(q, freqs), rotate(k, freqs)


class Bert(Encoder):
    """Post-norm; learned positions and token types."""

    prefix = "bert."

    def __init__(self, config, tensors):
        super().__init__(config, tensors)
        self.eps = config["layer_norm_eps"]
        self.activation = ACTIVATIONS[config["hidden_act"]]

    def first_position(self):
        return 0

    def hidden_states(self, ids, n_ctx=None, segments=None):
        w, first = self.weights, self.first_position()
        segments = [0] * len(ids) if segments is None else segments
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][segments]
        x = x + w["embeddings.position_embeddings.weight"][first:first + len(ids)]
        x = w.layer_norm(x, "embeddings.LayerNorm", self.eps)
        for i in range(self.n_layers):
            x = self.block(f"encoder.layer.{i}.", x)
        return x

    def block(self, at, x):
        w = self.weights
        q, k, v = (self.heads(w.linear(x, f"{at}attention.self.{n}")) for n in ("query", "key", "value"))
        y = w.linear(self.attend(q, k, v), at + "attention.output.dense")
        x = w.layer_norm(x + y, at + "attention.output.LayerNorm", self.eps)
        y = w.linear(self.activation(w.linear(x, at + "intermediate.dense")), at + "output.dense")
        return w.layer_norm(x + y, at + "output.LayerNorm", self.eps)

    def scores(self, ids, segments=None):
        pooled = np.tanh(self.weights.linear(self.hidden_states(ids, segments=segments)[:1], "pooler.dense"))
        return self.weights.linear(pooled, "classifier")[0]


class Roberta(Bert):
    """Position numbers begin behind the padding token's. Also XLM-RoBERTa."""

    prefix = "roberta."

    def first_position(self):
        return self.config["pad_token_id"] + 1

    def scores(self, ids):
        pooled = np.tanh(self.weights.linear(self.hidden_states(ids)[:1], "classifier.dense"))
        return self.weights.linear(pooled, "classifier.out_proj")[0]


class NomicBert(Encoder):
    """Post-norm; rotary embedding; a gated MLP whose gate is fc12; no positions are learned."""

    def hidden_states(self, ids, n_ctx=None):
        w, eps = self.weights, self.config["layer_norm_epsilon"]
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
        x = w.layer_norm(x, "emb_ln", eps)
        for i in range(self.n_layers):
            at = f"encoder.layers.{i}."
            q, k, v = (self.heads(part) for part in np.split(w.linear(x, at + "attn.Wqkv"), 3, axis=-1))
            q, k = self.rotate_both(q, k, self.config["rotary_emb_base"])
            x = w.layer_norm(x + w.linear(self.attend(q, k, v), at + "attn.out_proj"), at + "norm1", eps)
            y = w.linear(x, at + "mlp.fc11") * ACTIVATIONS["silu"](w.linear(x, at + "mlp.fc12"))
            x = w.layer_norm(x + w.linear(y, at + "mlp.fc2"), at + "norm2", eps)
        return x


class ModernBert(Encoder):
    """Pre-norm (none in layer 0); every third layer sees all with its own rotary base, the others both ways within half
    of local_attention."""

    prefix = "model."

    def hidden_states(self, ids, n_ctx=None):
        w, c = self.weights, self.config
        eps, act = c["norm_eps"], ACTIVATIONS[c["hidden_activation"]]
        distance = np.abs(np.subtract.outer(np.arange(len(ids)), np.arange(len(ids))))
        x = w.layer_norm(w["embeddings.tok_embeddings.weight"][ids], "embeddings.norm", eps)
        for i in range(self.n_layers):
            at, sees_all = f"layers.{i}.", i % c["global_attn_every_n_layers"] == 0
            y = w.layer_norm(x, at + "attn_norm", eps) if i else x
            q, k, v = (self.heads(part) for part in np.split(w.linear(y, at + "attn.Wqkv"), 3, axis=-1))
            q, k = self.rotate_both(q, k, c["global_rope_theta" if sees_all else "local_rope_theta"])
            x = x + w.linear(self.attend(q, k, v, sees_all | (distance <= c["local_attention"] // 2)), at + "attn.Wo")
            inner, gate = np.split(w.linear(w.layer_norm(x, at + "mlp_norm", eps), at + "mlp.Wi"), 2, axis=-1)
            x = x + w.linear(act(inner) * gate, at + "mlp.Wo")
        return w.layer_norm(x, "final_norm", eps)

    def scores(self, ids):
        w, c, x = self.weights, self.config, self.hidden_states(ids)
        pooled = x[:1] if c.get("classifier_pooling", "cls") == "cls" else x.mean(axis=0, keepdims=True)
        y = ACTIVATIONS[c.get("classifier_activation", "gelu")](w.linear(pooled, "head.dense"))
        return w.linear(w.layer_norm(y, "head.norm", c["norm_eps"]), "classifier")[0]
