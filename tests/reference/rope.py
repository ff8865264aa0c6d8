"""Rotary embedding: frequencies under every scaling that a config may ask for, and the rotation itself."""

import math

import numpy as np


def rope_settings(config):
    """The rotary settings of a config, whichever way they are spelled: rope_parameters (library versions from 5 on), or
    rope_theta beside rope_scaling, whose rope_type was once called type."""
    settings = {"rope_theta": config.get("rope_theta", 10000.0)}
    settings.update(config.get("rope_scaling") or {})
    settings.update(config.get("rope_parameters") or {})
    settings["rope_type"] = settings.get("rope_type", settings.get("type", "default"))
    return settings


def frequencies(dim, theta, settings, config, n_ctx):
    """(angle per position of each of the dim / 2 pairs, factor on cos and sin)"""
    base = theta ** (-np.arange(0, dim, 2) / dim)
    kind = settings["rope_type"]
    if kind == "default":
        return base, 1.0
    if kind == "linear":
        return base / settings["factor"], 1.0
    return {"llama3": _llama3, "yarn": _yarn, "longrope": _longrope}[kind](base, dim, theta, settings, config, n_ctx)


def _llama3(base, dim, theta, s, config, n_ctx):
    """Long waves are slowed down by the factor, short ones are left alone, those between are mixed."""
    turns = s["original_max_position_embeddings"] * base / (2 * math.pi)  # full turns within the original context
    low, high = s["low_freq_factor"], s["high_freq_factor"]
    keep = np.clip((turns - low) / (high - low), 0, 1)
    return base * (keep + (1 - keep) / s["factor"]), 1.0


def _yarn(base, dim, theta, s, config, n_ctx):
    """https://arxiv.org/abs/2309.00071, with the two corrections of cos and sin that are in use."""
    factor = s["factor"]
    original = s.get("original_max_position_embeddings") or config["max_position_embeddings"]

    def pair_with_turns(turns):
        return dim * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low, high = pair_with_turns(s.get("beta_fast") or 32), pair_with_turns(s.get("beta_slow") or 1)
    if s.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    slow = np.clip((np.arange(dim // 2) - low) / (high - low if high != low else 0.001), 0, 1)

    def magnitude(m):
        return 0.1 * m * math.log(factor) + 1 if factor > 1 else 1.0

    attention = s.get("attention_factor")
    if attention is None:
        m, m_all = s.get("mscale"), s.get("mscale_all_dim")
        attention = magnitude(m) / magnitude(m_all) if m and m_all else magnitude(1)
    return base * (1 - slow) + base / factor * slow, attention


def _longrope(base, dim, theta, s, config, n_ctx):
    """The library takes the long factors when the sequence at hand is longer than the original context; engines with a
    fixed context size ask that size. Golden prompts are longer than the original context exactly when n_ctx is."""
    original = s.get("original_max_position_embeddings") or config.get("original_max_position_embeddings")
    factor = config["max_position_embeddings"] / original
    divisors = np.array(s["long_factor"] if n_ctx > original else s["short_factor"])
    attention = s.get("attention_factor")
    if attention is None:
        attention = math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0
    return base / divisors, attention


def rotate(x, freqs, factor=1.0):
    """x: [n, heads, d]. The first 2 * len(freqs) values of a head turn, value i together with value i + len(freqs)."""
    half = len(freqs)
    angles = np.arange(len(x))[:, None, None] * freqs
    cos, sin = np.cos(angles) * factor, np.sin(angles) * factor
    a, b, rest = x[..., :half], x[..., half:2 * half], x[..., 2 * half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin, rest], axis=-1)
