#!/usr/bin/env python3
"""Training against PyTorch: from the same initial weights, on the same batches, with AdamW and the same schedule, the losses of every
step must agree.

    torch_track.py --minnow build/release/minnow [--steps N]     losses of N steps (100) within 1e-3 of each other
    torch_track.py --speed [--seconds S]                         tokens/s of PyTorch for one shape, in f32 and with bf16 autocast

The model is written out here in plain tensor operations. minnow writes its initial weights as a Hugging Face folder and trains the same
model (same seed) with records in order; documents are cut into batches here as docs/training-data.md says. Skipped with exit code 77
without PyTorch, which is large and so not among the Makefile's packages: apt-get install python3-torch.
"""

import argparse
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError:
    print("skipped: this test needs PyTorch (Debian package python3-torch)")
    sys.exit(77)

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "reference"))
from safetensors_file import read_safetensors  # noqa: E402

BOUND = 1e-3  # of a loss, in nats
SPEED = {"n_vocab": 4096, "n_embd": 288, "n_layers": 6, "n_heads": 6, "n_kv_heads": 6, "n_ff": 768, "ctx": 256, "batch": 8, "threads": 2}


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def rotated(x, positions, base):
    """x [heads, T, D]: feature i turns with feature i + D/2, as in Hugging Face files."""
    half = x.shape[-1] // 2
    frequencies = base ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = positions.double()[:, None] * frequencies
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Llama:
    """The weights of a folder and the loss of a batch."""

    def __init__(self, config, weights):
        self.c = config
        self.w = {name: torch.tensor(np.array(values), requires_grad=True) for name, values in weights.items()}

    def layer(self, i, x, positions, mask):
        c, b = self.c, f"model.layers.{i}."
        dim = c["hidden_size"] // c["num_attention_heads"]
        eps, base = c["rms_norm_eps"], c["rope_theta"]

        def heads(y, n):
            return y.view(len(x), n, dim).transpose(0, 1)

        h = rms_norm(x, self.w[b + "input_layernorm.weight"], eps)
        q = rotated(heads(h @ self.w[b + "self_attn.q_proj.weight"].T, c["num_attention_heads"]), positions, base)
        k = rotated(heads(h @ self.w[b + "self_attn.k_proj.weight"].T, c["num_key_value_heads"]), positions, base)
        v = heads(h @ self.w[b + "self_attn.v_proj.weight"].T, c["num_key_value_heads"])
        shared = c["num_attention_heads"] // c["num_key_value_heads"]
        k, v = k.repeat_interleave(shared, 0), v.repeat_interleave(shared, 0)
        scores = (q @ k.transpose(1, 2)) / math.sqrt(dim)
        seen = scores.masked_fill(~mask, -math.inf).softmax(-1) @ v
        x = x + seen.transpose(0, 1).reshape(len(x), -1) @ self.w[b + "self_attn.o_proj.weight"].T
        h = rms_norm(x, self.w[b + "post_attention_layernorm.weight"], eps)
        inner = F.silu(h @ self.w[b + "mlp.gate_proj.weight"].T) * (h @ self.w[b + "mlp.up_proj.weight"].T)
        return x + inner @ self.w[b + "mlp.down_proj.weight"].T

    def loss(self, batch):
        """Mean cross entropy of the batch's targets. A row sees the rows of its document up to itself."""
        tokens, targets, documents, positions = (torch.tensor(column) for column in zip(*batch))
        mask = (documents[:, None] == documents[None, :]) & torch.ones(len(tokens), len(tokens), dtype=torch.bool).tril()
        x = self.w["model.embed_tokens.weight"][tokens]
        for i in range(self.c["num_hidden_layers"]):
            x = self.layer(i, x, positions, mask)
        x = rms_norm(x, self.w["model.norm.weight"], self.c["rms_norm_eps"])
        head = self.w.get("lm_head.weight", self.w["model.embed_tokens.weight"])
        return F.cross_entropy(x @ head.T, targets)


def adamw(weights, rate, decay):
    matrices = [w for w in weights if w.dim() > 1]
    vectors = [w for w in weights if w.dim() <= 1]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0}], lr=rate, betas=(0.9, 0.95), eps=1e-8)


def rate_at(step, steps, peak, warmup, final_share):
    """The cosine schedule of docs/pretraining.md."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    way = min(1, (step - warmup) / max(1, steps - 1 - warmup))
    return peak * (final_share + (1 - final_share) * (1 + math.cos(math.pi * way)) / 2)


def batches(documents, ctx, n_sequences):
    """Rows (token, target, document, position) of batch after batch, epoch after epoch: one long text of documents, cut where a sequence is
    full; what is left of a document begins anew in the next."""
    while True:
        sequences, room, span = [[]], ctx, 0
        for document in documents:
            at = 0
            while at < len(document) - 1:
                count = min(room, len(document) - 1 - at)
                sequences[-1] += [(document[at + i], document[at + i + 1], span, i) for i in range(count)]
                at, room, span = at + count, room - count, span + 1
                if room == 0:
                    sequences.append([])
                    room = ctx
        sequences = [s for s in sequences if s]
        for i in range(0, len(sequences), n_sequences):
            yield [row for s in sequences[i:i + n_sequences] for row in s]


class Tracker:
    def __init__(self, minnow, folder):
        self.minnow, self.folder = minnow, folder

    def call(self, *args):
        r = subprocess.run([self.minnow, *map(str, args)], capture_output=True, text=True, check=False)
        if r.returncode != 0:
            raise SystemExit(f"FAILED: {' '.join(map(str, args))}: {r.stderr.strip()}")
        return r.stdout

    def make_data(self):
        rng = random.Random(2)
        words = "the cat sees a dog and the dog likes my bird while it follows the fish into some very old houses".split()
        texts = [" ".join(rng.choice(words) for _ in range(rng.randint(5, 90))) + "." for _ in range(60)]
        data, text, tokenizer = self.folder / "texts.jsonl", self.folder / "text.txt", self.folder / "tokenizer"
        data.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
        text.write_text("\n".join(texts))
        self.call("tokenizer", "train", text, "-o", tokenizer, "--vocab-size", 300)
        lines = "".join(json.dumps(t) + "\n" for t in texts + ["<|endoftext|>"])
        *documents, eos = [json.loads(line)["ids"] for line in self.call("tokenize", tokenizer, lines, "--json-lines", "--parse-special").splitlines()]
        documents = [d + eos for d in documents]
        return data, tokenizer, documents

    def losses(self, steps):
        """Of minnow, and the batches and initial model for PyTorch."""
        data, tokenizer, documents = self.make_data()
        shape = ["--tokenizer", tokenizer, "--layers", 3, "--dim", 64, "--heads", 4, "--kv-heads", 2, "--ctx", 48, "--seed", 5, "--type", "f32"]
        init = self.folder / "init"
        self.call("pretrain", "-o", init, *shape, "--init-only")
        self.call("pretrain", data, "-o", self.folder / "m.gguf", *shape, "--in-order", "--batch", 4, "--steps", steps, "--lr", 3e-3, "--warmup", 10,
                  "--final-lr", 0.1, "--decay", 0.1, "--clip", 1, "--numbers", "f32", "--validation-share", 0)
        log = (self.folder / "m.gguf.run" / "log.jsonl").read_text().splitlines()
        model = Llama(json.loads((init / "config.json").read_text()), read_safetensors(init / "model.safetensors"))
        return [json.loads(line) for line in log], model, batches(documents, 48, 4)


def track(args):
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as name:
        lines, model, stream = Tracker(str(pathlib.Path(args.minnow).resolve()), pathlib.Path(name)).losses(args.steps)
    optimizer = adamw(model.w.values(), 3e-3, 0.1)
    worst, norm_apart = (0, 0), 0
    tokens = 0
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, args.steps, 3e-3, 10, 0.1)
        batch = next(stream)
        tokens += len(batch)
        optimizer.zero_grad()
        loss = model.loss(batch)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(model.w.values()), 1.0)
        optimizer.step()
        line = lines[step]
        if line["tokens"] != tokens:
            raise SystemExit(f"FAILED: step {step + 1} ends after {line['tokens']} tokens, not {tokens}: other batches")
        worst = max(worst, (abs(line["loss"] - loss.item()), step + 1))
        norm_apart = max(norm_apart, abs(line["grad_norm"] / norm.item() - 1))
    first, last = lines[0]["loss"], lines[args.steps - 1]["loss"]
    print(f"{args.steps} steps, loss {first:.4f} to {last:.4f}: at most {worst[0]:.2e} apart (step {worst[1]}), norms of gradients {norm_apart:.1e}")
    if worst[0] > BOUND or not last < first:
        print(f"FAILED: losses may be {BOUND} apart")
        return 1
    return 0


class SpeedModel(torch.nn.Module):
    """The same architecture as PyTorch users write it, with its fused attention."""

    def __init__(self, s):
        super().__init__()
        self.s = s
        self.embed = torch.nn.Embedding(s["n_vocab"], s["n_embd"])
        linear = lambda i, o: torch.nn.Linear(i, o, bias=False)  # noqa: E731
        d, kv = s["n_embd"], s["n_kv_heads"] * (s["n_embd"] // s["n_heads"])
        self.layers = torch.nn.ModuleList(torch.nn.ModuleDict({
            "q": linear(d, d), "k": linear(d, kv), "v": linear(d, kv), "o": linear(d, d), "gate": linear(d, s["n_ff"]), "up": linear(d, s["n_ff"]),
            "down": linear(s["n_ff"], d)}) for _ in range(s["n_layers"]))
        self.norms = torch.nn.Parameter(torch.ones(2 * s["n_layers"] + 1, d))
        half = d // s["n_heads"] // 2
        angles = torch.arange(s["ctx"])[:, None] * 10000.0 ** (-torch.arange(half) / half)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def rotated(self, x):
        half = x.shape[-1] // 2
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * self.cos - b * self.sin, a * self.sin + b * self.cos], -1)

    def attention(self, q, k, v):
        if hasattr(F, "scaled_dot_product_attention"):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        mask = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
        return (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(mask, -math.inf).softmax(-1) @ v

    def forward(self, tokens):
        x = self.embed(tokens)
        for i, m in enumerate(self.layers):
            h = rms_norm(x, self.norms[2 * i], 1e-5)
            q, k, v = (m[n](h).view(*tokens.shape, -1, x.shape[-1] // self.s["n_heads"]).transpose(1, 2) for n in "qkv")
            y = self.attention(self.rotated(q), self.rotated(k).to(v.dtype), v)
            x = x + m["o"](y.transpose(1, 2).reshape(x.shape))
            h = rms_norm(x, self.norms[2 * i + 1], 1e-5)
            x = x + m["down"](F.silu(m["gate"](h)) * m["up"](h))
        return rms_norm(x, self.norms[-1], 1e-5) @ self.embed.weight.T


def tokens_per_second(s, bf16, seconds):
    torch.manual_seed(1)
    model = SpeedModel(s)
    optimizer = adamw(model.parameters(), 1e-4, 0.1)
    n = s["batch"] * s["ctx"]
    rates, begin = [], time.monotonic()
    while len(rates) < 4 or time.monotonic() - begin < seconds:
        text = torch.randint(s["n_vocab"], (s["batch"], s["ctx"] + 1))
        start = time.monotonic()
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            logits = model(text[:, :-1])
        F.cross_entropy(logits.float().view(n, -1), text[:, 1:].reshape(n)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rates.append(n / (time.monotonic() - start))
    return sorted(rates[1:])[(len(rates) - 1) // 2]  # the first step warms up


def speed(args):
    torch.set_num_threads(args.threads)
    s = SPEED
    print(f"PyTorch {torch.__version__}, {args.threads} threads, vocabulary {s['n_vocab']}, width {s['n_embd']}, {s['n_layers']} layers, "
          f"{s['n_heads']} heads, {s['batch']} sequences of {s['ctx']}")
    for name, bf16 in (("f32", False), ("bf16 autocast", True)):
        print(f"{name}: {tokens_per_second(s, bf16, args.seconds):.0f} tokens/s (median of steps)", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minnow")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--seconds", type=float, default=60, help="of each measurement, at least")
    parser.add_argument("--threads", type=int, default=SPEED["threads"])
    args = parser.parse_args()
    if args.speed:
        return speed(args)
    if not args.minnow:
        parser.error("--minnow or --speed")
    return track(args)


if __name__ == "__main__":
    sys.exit(main())
