"""The parts that transformers are made of, in float64. Rows are positions."""

import math

import numpy as np

_erf = np.vectorize(math.erf, otypes=[np.float64])


def silu(x):
    return x / (1 + np.exp(-x))


def gelu(x):
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


ACTIVATIONS = {
    "silu": silu, "swish": silu, "gelu": gelu,
    "gelu_new": gelu_tanh, "gelu_pytorch_tanh": gelu_tanh, "gelu_fast": gelu_tanh,
    "relu": lambda x: np.maximum(x, 0), "relu2": lambda x: np.maximum(x, 0) ** 2, "tanh": np.tanh,
}


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def rms_norm(x, weight, eps):
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * weight


def layer_norm(x, weight, bias, eps):
    x = x - x.mean(axis=-1, keepdims=True)
    y = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * weight
    return y if bias is None else y + bias


def causal_mask(n, window=None):
    """mask[i, j]: may position i look at position j? A window of w holds position i itself and the w - 1 before it."""
    i, j = np.indices((n, n))
    return (j <= i) & (True if window is None else i - j < window)


def attention(q, k, v, scale, mask, cap=None):
    """q: [n, heads, d], k and v: [n, kv_heads, d]; consecutive heads share keys and values. -> [n, heads * d]"""
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    scores = np.einsum("ihd,jhd->hij", q, k) * scale
    if cap:
        scores = cap * np.tanh(scores / cap)
    scores = np.where(mask, scores, -np.inf)
    return np.einsum("hij,jhd->ihd", softmax(scores), v).reshape(len(q), -1)


class Weights:
    """Tensors by name, as float64; remembers which were asked for."""

    def __init__(self, tensors):
        self.tensors, self.used = tensors, set()

    def __contains__(self, name):
        return name in self.tensors

    def __getitem__(self, name):
        self.used.add(name)
        return self.tensors[name].astype(np.float64)

    def get(self, name):
        return self[name] if name in self else None

    def linear(self, x, name):
        y = x @ self[name + ".weight"].T
        return y + self[name + ".bias"] if name + ".bias" in self else y

    def layer_norm(self, x, name, eps):
        return layer_norm(x, self[name + ".weight"], self.get(name + ".bias"), eps)

    def unused(self):
        return sorted(set(self.tensors) - self.used)
