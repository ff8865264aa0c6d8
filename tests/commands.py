#!/usr/bin/env python3
"""Every command of the program, run on a tiny model made here (standard library only).

    commands.py --minnow build/release/minnow
"""

import argparse
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time

from tiny_models import STR, Tensor, floats, tiny_gguf

TEMPLATE = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"


class Checks:
    def __init__(self, minnow, folder):
        self.minnow, self.folder, self.passed, self.failed = minnow, folder, 0, 0

    def check(self, good, what):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print("FAILED", what, flush=True)

    def call(self, *args, stdin=""):
        return subprocess.run([self.minnow, *map(str, args)], input=stdin, capture_output=True, text=True, timeout=240)

    def ok(self, *args, stdin=""):
        r = self.call(*args, stdin=stdin)
        self.check(r.returncode == 0 and "error" not in r.stderr, f"minnow {' '.join(map(str, args))}: {r.returncode} {r.stderr}")
        return r.stdout

    def refused(self, code, words, *args, stdin=""):
        r = self.call(*args, stdin=stdin)
        lines = r.stderr.splitlines()
        good = r.returncode == code and len(lines) == 1 and lines[0].startswith("error: ") and all(w in lines[0] for w in words)
        self.check(good, f"minnow {' '.join(map(str, args))}: wanted exit {code} and one error with {words}; got {r.returncode} {r.stderr!r}")


def write_model(path, template=None):
    gguf = tiny_gguf()
    if template:
        gguf.put("tokenizer.chat_template", STR, template)
    path.write_bytes(gguf.build())
    return path


def help_pages(c):
    c.check("Example" in c.ok("tokenizer", "train", "--help"), "tokenizer train --help has an example")
    for command in ("run", "tokenize", "tokenizer", "embed", "rerank", "logits", "show", "convert", "quantize", "perplexity", "bench", "pretrain", "tune", "merge", "distill", "synth", "doctor"):
        page = c.ok(command, "--help")
        c.check("Example" in page, f"{command} --help has an example")
    c.refused(2, [], "fly")
    c.refused(2, [])
    c.refused(1, ["no-such-model", "no such file"], "run", "no-such-model", "hi")
    c.refused(2, ["--ctx"], "run", "x.gguf", "hi", "--ctx", "-5")


def running(c, model, chat):
    text = c.ok("run", model, "abc", "-n", 8, "--temp", 0, "--seed", 1, "--raw")
    c.check(text.startswith("abc"), "--raw prints the prompt first")
    c.check(text == c.ok("run", model, "abc", "-n", 8, "--temp", 0, "--seed", 7, "--raw"), "temperature 0 does not depend on the seed")
    c.check(c.ok("run", model, "-n", 8, "--temp", 0, "--raw", stdin="abc") == text, "standard input is the prompt")
    sampled = c.ok("run", model, "abc", "-n", 8, "--temp", 1.5, "--seed", 3, "--raw")
    c.check(sampled == c.ok("run", model, "abc", "-n", 8, "--temp", 1.5, "--seed", 3, "--raw"), "a seed repeats")
    c.check(not c.ok("run", chat, "abc", "-n", 4, "--temp", 0).startswith("abc"), "a chat prints the answer only")
    answer = json.loads(c.ok("run", chat, "abc", "-n", 4, "--temp", 0, "--json"))
    c.check({"text", "finish_reason", "prompt_tokens", "generated_tokens", "tokens"} <= answer.keys(), "run --json keys")
    r = c.call("run", model, "abc", "-n", -1, "--ignore-eos", "--raw", "--temp", 0, "--ctx", 24)
    c.check(r.returncode == 0 and "context of 24 tokens is full" in r.stderr, f"a full context is said: {r.stderr!r}")
    verbose = c.call("run", model, "abc", "-n", 4, "--raw", "-v").stderr
    c.check("tokens/s" in verbose, "--verbose prints rates")
    c.refused(1, ["no such file"], "run", "nowhere.gguf", "hi")
    if (pathlib.Path(__file__).resolve().parents[1] / "models" / "minnow-triage.gguf").is_file():
        c.check(set(json.loads(c.ok("run", stdin="where is my refund"))) == {"intent", "sentiment", "pii"}, "without a model the shipped one answers")
    c.refused(1, ["prompt has", "context"], "run", model, "a b c d e f g h", "--raw", "--ctx", 4)
    c.refused(1, ["top_p"], "run", model, "a", "--raw", "--top-p", 3)
    c.refused(2, ["--logit-bias"], "run", model, "a", "--raw", "--logit-bias", "x")
    c.refused(2, ["q5_1"], "run", model, "a", "--kv", "q5_1")
    broken = c.folder / "broken.jinja"
    broken.write_text("{% for m in %}")
    c.refused(1, ["chat template", "line 1"], "run", chat, "hi", "--template", broken)


def constrained(c, model, chat):
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99}, "s": {"type": "string", "maxLength": 3}},
              "required": ["n", "s"], "additionalProperties": False}
    file = c.folder / "schema.json"
    file.write_text(json.dumps(schema))
    for form in (file, json.dumps(schema)):
        answer = json.loads(json.loads(c.ok("run", chat, "hi", "--format", form, "--seed", 4, "--json", "-n", 200))["text"])
        c.check(answer.keys() == {"n", "s"} and answer["n"] <= 99 and len(answer["s"]) <= 3, f"--format schema: {answer}")
    compact = json.loads(c.ok("run", chat, "hi", "--format", file, "--compact", "--seed", 4, "--json", "-n", 200))["text"]
    c.check(json.dumps(json.loads(compact), separators=(",", ":"), ensure_ascii=False) == compact, f"--compact: {compact}")
    c.check(c.ok("run", chat, "hi", "--choice", "yes", "--choice", "no").strip() in ("yes", "no"), "--choice")
    c.check(c.ok("run", model, "abc", "--raw", "--regex", "[0-9]{3}")[3:].strip().isdigit(), "--regex with --raw")
    grammar = c.folder / "list.gbnf"
    grammar.write_text('root ::= "x" ("," "x"){2}\n')
    c.check(c.ok("run", chat, "hi", "--grammar", grammar).strip() == "x,x,x", "--grammar")
    r = c.call("run", chat, "hi", "--regex", "[a-z]{50}", "-n", 3)
    c.check(r.returncode == 0 and "cut off" in r.stderr, f"an answer that is cut off is called so: {r.stderr!r}")
    c.refused(1, ['"not" at #/properties/a'], "run", chat, "hi", "--format", '{"properties": {"a": {"not": {}}}}')
    c.refused(1, ["nowhere.json"], "run", chat, "hi", "--format", "nowhere.json")
    c.refused(1, ["look ahead"], "run", chat, "hi", "--regex", "(?=a)")
    c.refused(1, ["line 1"], "run", chat, "hi", "--grammar", file)
    c.refused(2, ["only one"], "run", chat, "hi", "--regex", "a", "--choice", "a")
    source, out = c.folder / "formats.jsonl", c.folder / "formats.out.jsonl"
    source.write_text(json.dumps({"prompt": "a", "format": schema}) + "\n" + json.dumps({"prompt": "b"}) + "\n")
    c.ok("run", chat, "--batch", source, "-o", out, "-n", 200, "--regex", "[a-c]{4}")
    first, second = (json.loads(line)["text"] for line in out.read_text().splitlines())
    c.check(json.loads(first).keys() == {"n", "s"} and len(second) == 4, f"a line's own format: {first!r}, {second!r}")
    source.write_text('{"prompt": "a", "format": "xml"}\n')
    c.refused(1, ["line 1", "format"], "run", chat, "--batch", source, "-o", out)


def tools(c, model, chat):
    listed = c.folder / "tools.json"
    listed.write_text('[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]')
    c.check("tool_calls" not in json.loads(c.ok("run", chat, "hi", "--tools", listed, "-n", 4, "--temp", 0, "--json")), "no call was made up")
    c.refused(2, ["--tools", "chat template"], "run", model, "hi", "--tools", listed)
    listed.write_text('{"name": "f"}')
    c.refused(1, ["list of tools"], "run", chat, "hi", "--tools", listed)


def batches(c, model):
    source, out = c.folder / "in.jsonl", c.folder / "out.jsonl"
    prompts = [{"id": i, "prompt": "ab" * (1 + i % 9)} for i in range(70)]
    source.write_text("\n".join(map(json.dumps, prompts)) + "\n")
    c.ok("run", model, "--batch", source, "-o", out, "-n", 6, "--temp", 0, "--raw")
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    c.check([line["id"] for line in lines] == list(range(70)), "a batch keeps order and fields")
    alone = c.ok("run", model, prompts[4]["prompt"], "-n", 6, "--temp", 0, "--raw")
    c.check(prompts[4]["prompt"] + lines[4]["text"] + "\n" == alone, "a batch answers as one shot does")
    before = out.read_bytes()
    source.write_text('{"prompt": "a"}\n{"prompt": 5}\n')
    c.refused(1, ["line 2", "prompt"], "run", model, "--batch", source, "-o", out, "--raw")
    c.check(out.read_bytes() == before, "a failed batch leaves the old output")
    c.check(not list(c.folder.glob("out.jsonl.*")), "a failed batch leaves nothing beside it")
    c.refused(2, ["--batch"], "run", model, "--batch", source)


def conversation(c, chat):
    """On a terminal: a question, an interrupted answer, commands."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="dumb", XDG_STATE_HOME=str(c.folder / "state"))
        os.execv(c.minnow, [c.minnow, "run", str(chat), "--temp", "0", "--ctx", "4096", "-v"])
    seen = ""

    def expect(text, seconds=20):
        nonlocal seen
        end = time.monotonic() + seconds
        while text not in seen and time.monotonic() < end:
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    seen += os.read(fd, 65536).decode(errors="replace")
                except OSError:
                    break
        good = text in seen
        seen = seen.split(text, 1)[1] if good else ""
        c.check(good, f"conversation: waited for {text!r}")

    expect(">>> ")
    os.write(fd, b"/help\n")
    expect("/clear")
    os.write(fd, b"/set max_tokens 5\n")
    os.write(fd, b"hello\n")
    expect("length]")
    os.write(fd, b"/nonsense\n")
    expect("unknown command")
    os.write(fd, b"/set max_tokens -1\n")
    os.write(fd, b"go on\n")
    time.sleep(0.3)
    os.write(fd, b"\x03")  # stops the answer, or at the prompt only says how to leave
    time.sleep(0.3)
    os.write(fd, b"/show\n")
    expect("messages, context")
    os.write(fd, b"/save " + str(c.folder / "chat.json").encode() + b"\n/quit\n")
    deadline = time.monotonic() + 20
    status = None
    while time.monotonic() < deadline and status is None:
        done, code = os.waitpid(pid, os.WNOHANG)
        status = code if done else None
        if select.select([fd], [], [], 0.1)[0]:
            try:
                os.read(fd, 65536)
            except OSError:
                pass
    if status is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    c.check(status == 0, f"conversation ends with /quit: {status}")
    saved = c.folder / "chat.json"
    c.check(saved.exists() and json.loads(saved.read_text())["messages"][0]["content"] == "hello", "a conversation is saved")


def converting(c, model):
    folder, back = c.folder / "hf", c.folder / "back.gguf"
    c.ok("convert", model, folder)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        c.check((folder / name).exists(), f"convert writes {name}")
    c.ok("convert", folder, back)
    tokens = c.folder / "tokens.json"
    tokens.write_text(json.dumps({"n_ctx": 64, "prompts": [[1, 5, 9, 30], [7]]}))
    rows = []
    for i, source in enumerate((model, folder, back)):
        out = c.folder / f"logits{i}.bin"
        c.ok("logits", source, "--tokens", tokens, "-o", out, "--kv", "f32")
        rows.append(out.read_bytes())
    c.check(rows[0] == rows[2], "GGUF -> safetensors -> GGUF keeps every logit")
    c.check(len(rows[0]) == len(rows[1]), "safetensors gives as many logits")
    text = c.ok("run", model, "abc", "-n", 8, "--temp", 0, "--raw")
    c.check(text == c.ok("run", folder, "abc", "-n", 8, "--temp", 0, "--raw"), "safetensors continue as GGUF does")
    c.check(c.ok("tokenize", model, "abc <s> ü", "--ids") == c.ok("tokenize", folder, "abc <s> ü", "--ids"), "tokens survive conversion")
    c.refused(2, ["same"], "convert", model, model)
    c.refused(1, ["none.json"], "logits", model, "--tokens", tokens.with_name("none.json"), "-o", c.folder / "x.bin")
    tokens.write_text(json.dumps({"prompts": [[100000]]}))
    c.refused(1, ["100000"], "logits", model, "--tokens", tokens, "-o", c.folder / "x.bin")
    c.check(not (c.folder / "x.bin").exists(), "a failed command leaves no output")


def quantizing(c, model):
    text = c.folder / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog. " * 60)
    base = json.loads(c.ok("perplexity", model, "-f", text, "--ctx", 32, "--json"))
    c.check(base["tokens_scored"] == base["chunks"] * 15, "half of each window is scored")
    for kind, most in (("Q8_0", 0.05), ("Q4_0", 1.5)):
        small = c.folder / f"{kind}.gguf"
        c.ok("quantize", model, small, kind)
        shown = json.loads(c.ok("show", small, "--json"))
        c.check(any(t["dtype"] == kind for t in shown["tensors"]), f"{kind}: some tensor has the type")
        got = json.loads(c.ok("perplexity", small, "-f", text, "--ctx", 32, "--json"))["mean_nll"]
        c.check(abs(got - base["mean_nll"]) < most, f"{kind}: {got} against {base['mean_nll']} nats")
    strided = json.loads(c.ok("perplexity", model, "-f", text, "--ctx", 32, "--stride", 16, "--json"))
    c.check(strided["tokens_scored"] == 31 + 16 * (strided["chunks"] - 1), "a stride scores each token once")
    x = c.folder / "x.gguf"
    c.refused(2, ["Q9_9"], "quantize", model, x, "Q9_9")
    c.refused(2, ["did you mean Q4_K_M"], "quantize", model, x, "Q4_KM")
    c.refused(2, ["Q9_9", "choose one of"], "quantize", model, x, "Q8_0", "--output-tensor-type", "Q9_9")
    c.refused(2, ["PATTERN=TYPE"], "quantize", model, x, "Q8_0", "--tensor-type", "ffn_up")
    c.refused(2, ["not a regular expression"], "quantize", model, x, "Q8_0", "--tensor-type", "(=Q8_0")
    plan = json.loads(c.ok("quantize", model, x, "Q8_0", "--tensor-type", "attn_q=F16", "--output-tensor-type", "BF16",
                           "--tensor-type", "ffn_up=Q5_0", "--dry-run", "--json"))
    types = {t["name"]: t["to"] for t in plan["tensors"]}
    c.check((types["blk.0.attn_q.weight"], types["blk.0.ffn_up.weight"]) == ("F16", "Q5_0"), "--tensor-type is obeyed")
    c.check("BF16" in types.values() and not x.exists(), "--dry-run plans and writes nothing")
    c.check("rows are not whole blocks" in c.ok("quantize", model, x, "Q4_K_M", "--dry-run"), "a plan tells of fallbacks")
    c.refused(1, ["fewer than one window"], "perplexity", model, "-f", text, "--ctx", 60000)
    return c.folder / "Q8_0.gguf"


def measuring(c, model, small):
    for path in (model, small):
        b = json.loads(c.ok("bench", path, "-p", 32, "-n", 8, "-t", 2, "-r", 2, "--json"))
        for key in ("prompt_tokens_per_second", "generation_tokens_per_second", "load_seconds", "peak_rss_bytes"):
            c.check(b.get(key, 0) > 0, f"bench --json has {key}")
    tests = json.loads(c.ok("bench", small, "-p", "16,24", "-n", 4, "-d", "0,64", "-s", "1,2", "-t", "1,2", "-r", 1, "--json"))["tests"]
    names = [t["test"]["name"] for t in tests]
    c.check(names[:8] == ["pp16", "pp16 d64", "pp24", "pp24 d64", "tg4", "tg4 x2", "tg4 d64", "tg4 d64 x2"], f"bench makes every combination: {names}")
    c.check([t["threads"] for t in tests] == [1] * 8 + [2] * 8 and all(len(t["runs"]) == 1 for t in tests), "bench measures each number of threads")
    points = json.loads(c.ok("bench", small, "--roofline", "-d", 64, "-t", 1, "--json"))["roofline"]
    c.check({p["columns"] for p in points} == {1, 4, 8, 16, 512} and all(p["seconds"] > 0 for p in points), "--roofline measures every shape")
    c.check({"attention"} < {p["what"] for p in points}, "--roofline measures matrices and attention")
    shown = json.loads(c.ok("show", model, "--json"))
    c.check(shown["architecture"] == "llama" and shown["class"] == "micro" and shown["kv_bytes"] > 0, "show --json")
    c.check("blk.0.attn_q.weight" in c.ok("show", model, "--tensors", "--metadata"), "show --tensors")
    more = tiny_gguf()
    more.tensors.append(Tensor("blk.0.attn_sinks.weight", [8], 0, data=floats(8, "norm")))
    (c.folder / "more.gguf").write_bytes(more.build())
    c.check("attn_sinks.weight: answers may be wrong" in c.ok("show", c.folder / "more.gguf"), "show tells of tensors without a use")
    c.check("not used" not in c.ok("show", model), "show tells of none where there is none")
    d = json.loads(c.ok("doctor", "--json"))
    c.check(d["kernels"] in d["kernels_available"] and d["read_bytes_per_second"] > 1e8, "doctor --json")
    bad = subprocess.run([c.minnow, "doctor"], capture_output=True, text=True, env={**os.environ, "MINNOW_ISA": "z80"})
    c.check(bad.returncode == 1 and "z80" in bad.stderr and "choose one of" in bad.stderr, "an unknown MINNOW_ISA is refused")


def peers(c, model):
    """bench beside programs that only say that they are fast."""
    kept = c.folder / "kept.jsonl"
    good = "good=echo '[{\"n_prompt\":{prompt},\"n_gen\":{generate},\"avg_ts\":2.5}]'"
    batched = ("batched=echo '|  PP | TG | B | S_PP t/s | S_TG t/s |'; echo '|---|---|---|---|---|'; "
               "echo '| 0 | {generate} | {sequences} | 0 | 1.25 |' # {depth}")
    r = c.call("bench", model, "-p", 16, "-n", 4, "-s", "1,2", "-t", 1, "-r", 2, "-o", kept, "--note", "a note", "--peer", good,
               "--peer", batched, "--peer", "broken=echo {prompt} no such model >&2; exit 3", "--json")
    tests = json.loads(r.stdout)["tests"]
    c.check(r.returncode == 0 and r.stderr.count("\n") == 1 and "peer broken: exit code 3: 16 no such model" in r.stderr,
            f"a peer that fails is told once: {r.stderr!r}")
    c.check([[p["name"] for p in t["peers"]] for t in tests] == [["good", "broken"], ["good", "batched"], ["batched"]],
            "peers take part in the tests that they can run")
    for t in tests:
        quotients = [ours / t["peers"][-1 if t["test"]["sequences"] > 1 else 0]["runs"][0] for ours in t["runs"]]
        c.check(all(abs(a - b) < 1e-6 * a for a, b in zip(quotients, t["ratio"]["runs"])), "ratios are to the best peer")
        c.check(len(t["runs"]) == 2 and t["peak_rss_bytes"] > 0 and t["load_seconds"] > 0, "minnow's own runs are measured")
    hang = c.call("bench", model, "-p", 16, "-n", 0, "-t", 1, "-r", 2, "--peer", "hang=sleep 30; : {prompt}", "--peer-timeout", 2, "--json")
    c.check("hang: ended after 2 s" in hang.stderr and hang.returncode == 0, f"a peer that hangs is ended: {hang.stderr!r}")
    start = json.loads(c.ok("bench", model, "-p", 0, "-n", 0, "--start", "-t", 1, "-r", 2, "--peer", "nap=sleep 3", "--json"))["tests"]
    c.check(len(start) == 1 and start[0]["seconds"] > 0 and start[0]["ratio"]["min"] > 0, "--start times whole processes")
    shown = c.ok("bench", "--show", kept)
    c.check("pp16" in shown and "tg4 x2" in shown and "failed" in shown and "exit code 3" in shown, f"--show prints the table again: {shown}")
    c.check("| test |" in c.ok("bench", "--show", kept, "--markdown"), "--markdown")
    c.check([t["note"] for t in json.loads(c.ok("bench", "--show", kept, "--json"))["tests"]] == ["a note"] * 3, "--note is kept")
    kept.write_text("{}\n")
    c.refused(1, ["kept.jsonl: line 1", "test"], "bench", "--show", kept)
    c.refused(2, ["MODEL is required"], "bench")
    c.refused(2, ["whole pages", "use 128"], "bench", model, "-d", 100)
    c.refused(2, ["nothing to measure"], "bench", model, "-p", 0, "-n", 0)
    c.refused(2, ["{modell}", "{model}"], "bench", model, "--peer", "x {modell}")
    c.refused(2, ["--peer-pattern", "group"], "bench", model, "--peer", "x {prompt}", "--peer-pattern", "abc")
    c.refused(2, ["--threads"], "bench", model, "-t", "0")
    c.refused(2, ["context", "too short"], "bench", model, "-p", 512, "-c", 100)


def embedding(c, model):
    bert = pathlib.Path(__file__).resolve().parent / "golden/bert"
    texts = ["the cat", "the cats", "fishing zoo"]
    data = json.loads(c.ok("embed", bert, *texts, "--json"))["data"]
    vectors = [d["embedding"] for d in data]
    c.check(len(vectors) == 3 and all(abs(sum(x * x for x in v) - 1) < 1e-4 for v in vectors), "embed gives unit vectors")
    lines = c.folder / "lines.txt"
    lines.write_text("\n".join(texts) + "\n")
    c.check(json.loads(c.ok("embed", bert, "-f", lines, "--json"))["data"] == data, "embed reads lines of a file")
    c.check(json.loads(c.ok("embed", bert, "--json", stdin="\n".join(texts)))["data"] == data, "embed reads standard input")
    short = json.loads(c.ok("embed", bert, texts[0], "--dimensions", 8, "--json"))["data"][0]["embedding"]
    c.check(len(short) == 8 and abs(sum(x * x for x in short) - 1) < 1e-4, "fewer dimensions are normalised again")
    table = c.ok("embed", bert, *texts, "--similarity").splitlines()
    c.check(len(table) == 4 and table[1].split()[1] == "1.0000", "the similarity of a text to itself is 1")
    c.check(len(c.ok("embed", model, "a text model too").split()) > 8, "a text model embeds")
    c.refused(2, ["--pooling", "median"], "embed", bert, "x", "--pooling", "median")
    c.refused(1, ["dimensions"], "embed", bert, "x", "--dimensions", 4096)
    c.refused(1, ["embeddings, not text", "minnow embed"], "run", bert, "x")


def ranking(c, model):
    reranker = pathlib.Path(__file__).resolve().parent / "golden/bert-reranker"
    documents = ["the cat", "fishing zoo", "the cats"]
    results = json.loads(c.ok("rerank", reranker, "the cat", *documents, "--json"))["results"]
    scores = [r["score"] for r in results]
    c.check(scores == sorted(scores, reverse=True) and sorted(r["index"] for r in results) == [0, 1, 2], "rerank sorts by score")
    c.check(all(0 < r["relevance_score"] < 1 for r in results), "relevance is a probability")
    best = json.loads(c.ok("rerank", reranker, "the cat", *documents, "-n", 1, "--json"))["results"]
    c.check(best == results[:1], "--top keeps the best")
    c.refused(2, ["no documents"], "rerank", reranker, "the cat")
    c.refused(1, ["not a reranker"], "rerank", model, "the cat", "the cats")


def tokenizers(c):
    text, chats = c.folder / "text.txt", c.folder / "chats.jsonl"
    text.write_text("low low low lower lowest newest newest widest\n<|endoftext|>\nthe end of the text\n" * 3)
    chats.write_text('{"messages": [{"role": "user", "content": "low low"}]}\n')
    out, folder = c.folder / "tokenizer.json", c.folder / "tokenizer"
    report = json.loads(c.ok("tokenizer", "train", text, "-o", out, "--vocab-size", 280, "--json"))
    c.check(report["vocab_size"] == 280 and report["bytes"] == text.stat().st_size and report["bytes_per_token"] > 1, f"tokenizer train --json: {report}")
    written = json.loads(out.read_text())
    c.check(len(written["model"]["vocab"]) == 280 and written["model"]["vocab"]["<|endoftext|>"] == 0, "the vocabulary has the size that was asked for")
    c.check("low" in written["model"]["vocab"] and written["model"]["merges"][0] in ("l o", ["l", "o"], "o w", ["o", "w"]), "the most frequent pair is merged first")
    low = json.loads(c.ok("tokenize", out, "low lower", "--json"))
    c.check(low["decoded"] == "low lower" and low["pieces"][0] == "low", f"the new tokenizer encodes: {low}")
    c.ok("tokenizer", "train", text, "-o", folder, "--vocab-size", 262, "--special", "<|endoftext|>", "--special", "<|im_end|>", "--eos", "<|im_end|>")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    c.check(config["eos_token"] == "<|im_end|>", "--eos is in tokenizer_config.json")
    first = out.read_bytes()
    c.ok("tokenizer", "train", text, "-o", out, "--vocab-size", 280, "--threads", 2)
    c.check(out.read_bytes() == first, "the same texts give the same file for any number of threads")
    r = c.call("tokenizer", "train", chats, "-o", out, "--vocab-size", 5000)
    c.check(r.returncode == 0 and "warning: only" in r.stderr, f"a small text is said to be too small: {r.stderr!r}")
    before = out.read_bytes()
    c.refused(2, ["at least 257"], "tokenizer", "train", text, "-o", out, "--vocab-size", 100)
    c.refused(2, ["pre-tokenizer", "gpt9"], "tokenizer", "train", text, "-o", out, "--vocab-size", 300, "--pre-tokenizer", "gpt9")
    c.refused(1, ["cannot be one data set"], "tokenizer", "train", text, chats, "-o", out, "--vocab-size", 300)
    c.refused(1, ["no such file"], "tokenizer", "train", c.folder / "none.txt", "-o", out, "--vocab-size", 300)
    c.refused(2, ["--vocab-size"], "tokenizer", "train", text, "-o", out)
    c.check(out.read_bytes() == before, "a refused training leaves the old file")


def pretraining(c):
    text, tokenizer, config = c.folder / "stories.txt", c.folder / "stories.json", c.folder / "pretrain.json"
    text.write_text("the cat sees the dog. the dog likes the cat. a bird follows the dog.\n" * 120)
    c.ok("tokenizer", "train", text, "-o", tokenizer, "--vocab-size", 280)
    config.write_text(json.dumps({"layers": 2, "dim": 32, "heads": 2, "ff": 64, "steps": 40, "ctx": 32, "batch": 4, "lr": 0.01, "warmup": 2,
                                  "numbers": "f32", "validation-share": 0.1, "evaluate-every": 20, "checkpoint-every": 7, "threads": 1}))
    shape = [text, "--tokenizer", tokenizer, "--config", config]
    whole, parts = c.folder / "whole" / "m.gguf", c.folder / "parts" / "m.gguf"
    for path in (whole, parts):
        path.parent.mkdir()
    report = json.loads(c.ok("pretrain", *shape, "-o", whole, "--json"))
    c.check(report["steps"] == 40 and report["loss"] < 2 and report["validation_loss"] < 2 and report["finished"], f"pretrain learns: {report}")
    log = [json.loads(line) for line in (c.folder / "whole" / "m.gguf.run" / "log.jsonl").read_text().splitlines()]
    c.check([l["step"] for l in log if "loss" in l] == list(range(1, 41)), "log.jsonl has a line for each step")
    c.check([l["step"] for l in log if "validation_loss" in l] == [20, 40] and log[0]["grad_norm"] > 0, "and for each evaluation")
    c.check("<svg" in (c.folder / "whole" / "m.gguf.run" / "loss.svg").read_text(), "loss.svg is a picture")
    c.check("the" in c.ok("run", whole, "the cat", "-n", 8, "--temp", 0), "the model that was trained writes")
    killed_run(c, shape, parts, c.folder / "parts" / "m.gguf.run" / "checkpoints")
    c.refused(2, ["--resume"], "pretrain", *shape, "-o", parts)
    c.ok("pretrain", *shape, "-o", parts, "--resume", "--threads", 2)
    c.check(whole.read_bytes() == parts.read_bytes(), "a run that was killed and resumed gives the same model")
    c.refused(1, ["warmup"], "pretrain", *shape, "-o", parts, "--resume", "--warmup", 5)
    quantization_aware(c, shape)
    longer_and_broken_runs(c, shape)
    more = json.loads(c.ok("pretrain", text, "-o", c.folder / "more", "--from", whole, "--steps", 3, "--ctx", 32, "--lr", 1e-3, "--json"))
    c.check(more["loss"] < 2, f"--from goes on from a model: {more}")
    c.check(json.loads((c.folder / "more" / "config.json").read_text())["num_hidden_layers"] == 2, "a folder gets safetensors and a config")
    c.refused(2, ["--tokenizer"], "pretrain", text, "-o", c.folder / "no.gguf")
    c.refused(2, ["--eos"], "pretrain", text, "-o", c.folder / "no.gguf", "--tokenizer", tokenizer, "--eos", "<none>")
    c.refused(2, ["FILES"], "pretrain", "-o", c.folder / "no.gguf", "--tokenizer", tokenizer)
    c.refused(2, ["whole, even number"], "pretrain", text, "-o", c.folder / "no.gguf", "--tokenizer", tokenizer, "--dim", 33)
    c.refused(1, ["--layer"], "pretrain", text, "-o", c.folder / "no.gguf", "--config", write_text(c.folder / "bad.json", '{"layer": 3}'))
    c.check(not (c.folder / "no.gguf").exists(), "a refused run writes no model")


def tuning(c):
    base = c.folder / "whole" / "m.gguf"  # of pretraining
    chats, folder = c.folder / "answers.jsonl", c.folder / "tune"
    folder.mkdir()
    chats.write_text("".join(json.dumps({"prompt": f"the {a} sees", "completion": f" a {b}."}) + "\n" for a in ("cat", "dog") for b in ("ship", "star", "boat")))
    config = write_text(c.folder / "tune.json", json.dumps({"steps": 12, "ctx": 32, "batch": 2, "lr": 0.01, "numbers": "f32", "validation-share": 0,
                                                          "checkpoint-every": 4, "threads": 1, "target": "all-linear", "rank": 4}))
    course = [base, chats, "--config", config]
    r = c.call("tune", *course, "-o", folder / "a", "--json")
    c.check(r.returncode == 0 and json.loads(r.stdout)["finished"], f"tune makes an adapter: {r.stderr!r}")
    c.check("+" in r.stderr and "ship" in r.stderr, f"and shows a sample first: {r.stderr!r}")
    c.check(sorted(p.name for p in (folder / "a").iterdir()) == ["adapter_config.json", "adapter_model.safetensors", "receipt.json"], "a folder as PEFT has it, and a receipt")
    written = json.loads((folder / "a" / "adapter_config.json").read_text())
    c.check(written["r"] == 4 and written["target_modules"] == sorted(written["target_modules"]) and len(written["target_modules"]) == 7, f"config: {written}")
    receipt = json.loads((folder / "a" / "receipt.json").read_text())
    c.check(receipt["step"] == "tune" and receipt["settings"]["method"] == "lora" and receipt["measured"]["kernels"] and len(receipt["parents"]) == 1, f"receipt: {receipt}")
    first = {p.name: p.read_bytes() for p in (folder / "a").glob("adapter_*")}
    c.ok("tune", *course, "-o", folder / "b", "--threads", 2)
    c.check({p.name: p.read_bytes() for p in (folder / "b").glob("adapter_*")} == first, "the same run gives the same adapter")
    for method in ("rslora", "dora", "qlora"):
        c.ok("tune", *course, "-o", folder / method, "--method", method, "--steps", 3)
    c.ok("tune", *course, "-o", folder / "g.gguf", "--steps", 3)
    full = [base, chats, "--steps", 3, "--ctx", 32, "--batch", 2, "--validation-share", 0, "--threads", 1, "--method", "full"]
    c.ok("tune", *full, "-o", folder / "full.gguf", "--type", "f32")
    c.ok("perplexity", folder / "full.gguf", "-f", c.folder / "stories.txt", "-c", 32, "--chunks", 2)
    merging(c, base, folder)
    for adapter, form, kind in (("a", "PEFT", "LoRA"), ("dora", "PEFT", "DoRA"), ("g.gguf", "GGUF", "lora")):
        shown = json.loads(c.ok("show", folder / adapter, "--json"))
        c.check((shown["format"], shown["adapter"]) == (form, kind) and shown["rank"] > 0 and shown["parameters"] > 0 and shown["targets"], f"show tells what an adapter is: {shown}")
    c.check("lora_A.weight" in c.ok("show", folder / "a", "--tensors", "--metadata"), "show --tensors of an adapter")
    c.refused(2, ["no matrix"], "tune", *course, "-o", folder / "no", "--target", "c_attn")
    c.refused(2, ["qlora"], "tune", *course, "-o", folder / "no", "--quantize", "Q8_0")
    c.ok("tune", *course, "-o", folder / "nf4", "--method", "qlora", "--quantize", "NF4", "--steps", 3)
    c.refused(2, ["folder"], "tune", *course, "-o", folder / "no.gguf", "--method", "dora")
    c.refused(2, ["BASE"], "tune", "-o", folder / "no")
    c.refused(2, ["FILES"], "tune", base, "-o", folder / "no")
    c.check(not (folder / "no").exists(), "a refused run writes no adapter")


def merging(c, base, folder):
    tokens = write_text(folder / "tokens.json", json.dumps({"n_ctx": 32, "prompts": [[5, 9, 30, 41, 7, 12, 200, 3]]}))

    def logits(*model):
        c.ok("logits", *model, "--tokens", tokens, "-o", folder / "logits.bin", "--kv", "f32")
        return struct.unpack(f"<{(folder / 'logits.bin').stat().st_size // 4}f", (folder / "logits.bin").read_bytes())

    def apart(a, b):
        return max(abs(x - y) for x, y in zip(a, b)) / max(map(abs, b))

    before = logits(base)
    for name in ("a", "dora", "g.gguf"):
        beside = logits(base, "--adapter", folder / name)
        c.ok("merge", base, "--adapter", folder / name, "-o", folder / "merged.gguf", "--type", "f32")
        c.check(json.loads((folder / "merged.receipt.json").read_text())["step"] == "merge", "merge leaves a receipt")
        merged = logits(folder / "merged.gguf")
        c.check(apart(beside, merged) < 1e-4 < apart(before, merged), f"{name}: base and adapter are the merged model: {apart(beside, merged)}")
    c.ok("merge", base, "--adapter", folder / "a", "--adapter", folder / "g.gguf", "--weight", 0.5, "--weight", 2, "-o", folder / "two.gguf", "--type", "f32")
    for how in ("cat", "svd"):
        c.ok("merge", base, "--adapter", folder / "a", "--adapter", folder / "g.gguf", "--weight", 0.5, "--weight", 2, "--combine", how,
             *(["--rank", 8] if how == "svd" else []), "-o", folder / how)
        c.check(apart(logits(base, "--adapter", folder / how), logits(folder / "two.gguf")) < 1e-4, f"--combine {how} is the weighted sum")
    c.ok("merge", base, "--adapter", folder / "a", "-o", folder / "merged-hf", "--type", "f32")
    c.check("the" in c.ok("run", base, "the cat", "-n", 8, "--temp", 0, "--adapter", folder / "a"), "run answers with an adapter")
    c.check(c.ok("perplexity", base, "-f", c.folder / "stories.txt", "-c", 32, "--chunks", 2, "--adapter", folder / "a") !=
            c.ok("perplexity", base, "-f", c.folder / "stories.txt", "-c", 32, "--chunks", 2), "perplexity of a model with an adapter")
    c.refused(2, ["--weight"], "merge", base, "--adapter", folder / "a", "--weight", 1, "--weight", 2, "-o", folder / "no.gguf")
    c.refused(1, ["adapter_config.json"], "merge", base, "--adapter", folder, "-o", folder / "no.gguf")


def distilling(c):
    text, teacher = c.folder / "stories.txt", c.folder / "whole" / "m.gguf"
    shape = ["--layers", 1, "--dim", 16, "--heads", 2, "--ff", 32, "--ctx", 32, "--batch", 4, "--lr", 0.01, "--numbers", "f32", "-t", 1]
    report = json.loads(c.ok("distill", "new", text, "--teacher", teacher, *shape, "--steps", 6, "-o", c.folder / "small.gguf", "--top-k", 16, "--json"))
    c.check(report["finished"] and report["taught_documents"] > 0, f"distill asks the teacher: {report}")
    log = [json.loads(line) for line in (c.folder / "small.gguf.run" / "log.jsonl").read_text().splitlines()]
    c.check(log[0]["divergence"] > 0 and log[0]["temperature"] == 2 and "perplexity" in log[-1], f"the log has the teacher's part: {log[0]}")
    c.check("the" in c.ok("run", c.folder / "small.gguf", "the cat", "-n", 4, "--temp", 0), "the student writes")
    cache = c.folder / "small.gguf.run" / "cache"
    again = ["distill", "new", text, "--teacher", teacher, *shape, "--steps", 6, "--top-k", 16, "--cache", cache]
    report = json.loads(c.ok(*again, "-o", c.folder / "again.gguf", "--json"))
    c.check(report["taught_documents"] == 0, f"a later run finds what the teacher said: {report}")
    c.check((c.folder / "again.gguf").read_bytes().replace(b"again", b"small") == (c.folder / "small.gguf").read_bytes(), "and gives the same model")
    two = ["--teacher", teacher, "--teacher", c.folder / "small.gguf"]
    c.ok("distill", c.folder / "small.gguf", text, *two, "--weights", "0.7,0.3", "--steps", 2, "--ctx", 32, "-o", c.folder / "two")
    c.ok("distill", c.folder / "small.gguf", text, *two, "--in-turn", "--steps", 2, "--ctx", 32, "--temperature-schedule", "cosine", "--divergence", "reverse",
         "-o", c.folder / "turns.gguf", "--no-cache")
    c.check(not (c.folder / "turns.gguf.run" / "cache").exists(), "--no-cache keeps nothing")
    c.refused(2, ["--teacher"], "distill", "new", text, "-o", c.folder / "no.gguf")
    c.refused(2, ["one weight for each"], "distill", "new", text, "--teacher", teacher, "--weights", "1,2", "-o", c.folder / "no.gguf", *shape)
    c.refused(1, ["vocabulary", "synth"], "distill", c.folder / "tiny.gguf", text, "--teacher", teacher, "--ctx", 32, "-o", c.folder / "no.gguf")
    c.refused(2, ["same"], "distill", "new", text, "--teacher", teacher, "-o", teacher)


def writing(c, model, chat):
    seeds = write_text(c.folder / "seeds.jsonl", "".join(json.dumps({"instruction": f"Task {i}", "output": "Done."}) + "\n" for i in range(3)))
    out = c.folder / "data.jsonl"
    command = ["synth", chat, seeds, "-o", out, "--examples", 1, "--parallel", 2, "-n", 6, "--ctx", 1024, "-t", 1, "--no-cache"]
    report = json.loads(c.ok(*command, "--attempts", 3, "--json"))
    c.check(report["attempts"] == 3 and report["finished"] and report["path"] == str(out), f"synth counts what it tried: {report}")
    c.check(report["kept"] == len(out.read_text().splitlines()), "and writes what it kept")
    c.refused(2, ["--resume"], *command, "--attempts", 5)
    report = json.loads(c.ok(*command, "--attempts", 5, "--resume", "--json"))
    c.check(report["attempts"] == 5, f"--resume goes on: {report}")
    c.check("too short" in c.ok(*command, "--attempts", 5, "--resume"), "a table says why records were dropped")
    c.refused(1, ["other models, seeds or settings"], *command, "--attempts", 9, "--resume", "--seed", 4)
    c.refused(1, ["chat template"], "synth", model, seeds, "-o", c.folder / "no.jsonl")
    c.refused(1, ["hold no tasks"], "synth", chat, c.folder / "stories.txt", "-o", c.folder / "no.jsonl")
    c.check(not (c.folder / "no.jsonl").exists(), "a refused run writes no records")
def quantization_aware(c, shape):
    out = c.folder / "qat.gguf"
    report = json.loads(c.ok("pretrain", *shape, "-o", out, "--qat", "Q4_0", "--tensor-type", "ffn_down=Q8_0", "--json"))
    types = {t["name"]: t["dtype"] for t in json.loads(c.ok("show", out, "--json", "--tensors"))["tensors"]}
    c.check(types["blk.0.attn_q.weight"] == "Q4_0" and types["blk.0.ffn_down.weight"] == "Q8_0", f"--qat writes the types it trained for: {types}")
    c.check(report["validation_loss"] < 2 and "the" in c.ok("run", out, "the cat", "-n", 8, "--temp", 0), f"and the model writes: {report}")
    small = c.folder / "no-qat.gguf"
    c.refused(2, ["--qat RECIPE"], "pretrain", *shape, "-o", small, "--pure")
    c.refused(2, ["--type f16"], "pretrain", *shape, "-o", small, "--qat", "Q4_0", "--type", "f16")
    c.refused(2, ["NAME.gguf"], "pretrain", *shape, "-o", c.folder / "no-qat", "--qat", "Q4_0")
    c.refused(2, ["no such recipe; did you mean"], "pretrain", *shape, "-o", small, "--qat", "Q4_Q")
    r = c.call("pretrain", *shape, "-o", small, "--qat", "ternary", "--steps", 3)
    c.check(r.returncode == 0 and "not whole blocks" in r.stderr, f"types that do not fit are told of: {r.stderr!r}")


def longer_and_broken_runs(c, shape):
    longer, straight = c.folder / "longer" / "m.gguf", c.folder / "straight" / "m.gguf"
    for path in (longer, straight):
        path.parent.mkdir()
    c.ok("pretrain", *shape, "-o", longer, "--schedule", "constant", "--steps", 10)
    more = json.loads(c.ok("pretrain", *shape, "-o", longer, "--schedule", "constant", "--steps", 20, "--resume", "--json"))
    c.ok("pretrain", *shape, "-o", straight, "--schedule", "constant", "--steps", 20)
    c.check(more["steps"] == 20 and longer.read_bytes() == straight.read_bytes(), "a run of constant rate goes on for more steps")
    bent = c.folder / "bent.gguf"
    c.ok("pretrain", *shape, "-o", bent, "--steps", 10)
    c.refused(1, ["over 10 steps", "over 20 steps"], "pretrain", *shape, "-o", bent, "--steps", 20, "--resume")
    c.refused(1, ["step 2", ".weight", "learning rate"], "pretrain", *shape, "-o", c.folder / "huge.gguf", "--lr", 1e30, "--warmup", 0)
    init = c.folder / "init.gguf"
    c.ok("pretrain", "--tokenizer", shape[2], "--config", shape[4], "-o", init, "--init-only", "--type", "f32")
    c.check(not (c.folder / "init.gguf.run").exists(), "--init-only trains nothing")
    poisoned = c.folder / "poisoned.gguf"
    poisoned.write_bytes(init.read_bytes()[:-4] + b"\x00\x00\xc0\x7f")  # the last value of the last tensor: NaN
    c.refused(1, ["is nan in step 1", ".weight"], "pretrain", *shape, "--from", poisoned, "-o", c.folder / "dead.gguf", "--schedule", "constant")


# Ends a run with SIGKILL some time after its first checkpoint.
def killed_run(c, shape, output, checkpoints):
    run = subprocess.Popen([c.minnow, "pretrain", *map(str, shape), "-o", str(output)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for _ in range(3000):
        if run.poll() is not None or any(checkpoints.glob("*.ckpt")):
            break
        time.sleep(0.01)
    run.kill()
    run.wait()
    c.check(any(checkpoints.glob("*.ckpt")), "a run writes checkpoints")
    output.unlink(missing_ok=True)


def write_text(path, text):
    path.write_text(text)
    return path


def families(c):
    listed = json.loads(c.ok("show", "--families", "--json"))
    c.check({"llama", "qwen3", "bert", "lfm2"} <= {f["gguf"] for f in listed}, "show --families lists what runs")
    c.refused(2, ["MODEL is required"], "show")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minnow", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        c = Checks(str(pathlib.Path(args.minnow).resolve()), pathlib.Path(name))
        model = write_model(c.folder / "tiny.gguf")
        chat = write_model(c.folder / "chat.gguf", TEMPLATE)
        help_pages(c)
        running(c, model, chat)
        constrained(c, model, chat)
        tools(c, model, chat)
        batches(c, model)
        conversation(c, chat)
        converting(c, model)
        small = quantizing(c, model)
        measuring(c, model, small)
        peers(c, model)
        embedding(c, model)
        ranking(c, model)
        tokenizers(c)
        pretraining(c)
        tuning(c)
        distilling(c)
        writing(c, model, chat)
        families(c)
    print(f"{c.passed} passed, {c.failed} failed")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
