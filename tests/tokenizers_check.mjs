// Compares ids and decoded texts with npm's @huggingface/tokenizers, on 1,000 mixed lines for each tokenizer of
// ../shared/data.
//
//     node tests/tokenizers_check.mjs MINNOW [NAME...]
//
// The library is looked for from the folder that MINNOW_NODE_MODULES names (which holds node_modules). Exit code 77: it
// or the data are not there.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const data = join(root, "..", "shared", "data");
const [minnow, ...wanted] = process.argv.slice(2);

function skip(why) {
  console.log(`skipped: ${why}`);
  process.exit(77);
}

if (!minnow) {
  console.error("usage: node tokenizers_check.mjs MINNOW [NAME...]");
  process.exit(2);
}
if (!existsSync(join(data, "tokenizers"))) skip("no shared data beside the source tree");
let Tokenizer;
try {
  const modules = process.env.MINNOW_NODE_MODULES ?? root;
  ({ Tokenizer } = createRequire(join(modules, "x.js"))("@huggingface/tokenizers"));
} catch {
  skip("npm's @huggingface/tokenizers is not installed (set MINNOW_NODE_MODULES to the folder that has it)");
}

const text = (...path) => readFileSync(join(data, ...path), "utf8");
const json = (...path) => JSON.parse(text(...path));

// ---- The texts

const SCRIPTS = [
  "Das ist schön – wirklich „gut“, nicht wahr?", "Ça coûte 12,50 € à l'hôtel où naïveté règne.",
  "Съешь же ещё этих мягких французских булок, да выпей чаю.", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
  "இது ஒரு சோதனை வரி 123.", "यह एक परीक्षण वाक्य है, जिसमें १२३ अंक हैं।", "这是一个测试句子，包含123和English。",
  "いろはにほへと ちりぬるを、テスト１２３です。", "다람쥐 헌 쳇바퀴에 타고파 123", "هذا نص تجريبي يحتوي على ١٢٣ رقمًا.",
  "זהו משפט בדיקה עם 123 מספרים.", "ทดสอบภาษาไทย 123 ครับ", "Đây là một câu kiểm tra tiếng Việt.",
  "ეს არის სატესტო წინადადება 123.", "Սա փորձնական նախադասություն է։",
];
const EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "☺️", "1️⃣", "🤷🏾‍♀️ ok", "💻🚀 go", "e\u0301 vs é"];
const SPACES = ["", " ", "  ", "\t", "\n", " \n ", "   x   y", "\r\n", "a\u00a0b", "tab\there", "   ", " lead", "trail "];

// A small generator of its own, so that every run sees the same lines.
let state = 12345;
const random = (n) => ((state = (state * 1103515245 + 12345) % 2147483648), Math.floor((state / 2147483648) * n));
const pick = (list) => list[random(list.length)];

function chunks(content, count, length) {
  const characters = [...content];
  const step = Math.floor(characters.length / count);
  return Array.from({ length: count }, (_, i) => characters.slice(i * step, i * step + length).join(""));
}

function sourceFiles() {
  return ["src/text", "src/formats"].flatMap((folder) =>
    readdirSync(join(root, folder)).filter((f) => f.endsWith(".cc")).map((f) => readFileSync(join(root, folder, f), "utf8")));
}

function lines(controls) {
  const all = [
    ...json("conformance", "naughty-strings", "blns.json"),
    ...text("tokenizers", "ggml-vocab", "ggml-vocab-gpt-2.gguf.inp").split("\n__ggml_vocab_test__\n"),
    ...SCRIPTS, ...EMOJI, ...SPACES,
    ...chunks(text("corpora", "wikitext-2", "wikitext2_train_5k.txt"), 120, 160),
    ...chunks(text("corpora", "tinyshakespeare", "input.txt"), 40, 200),
    ...chunks(sourceFiles().join("\n"), 120, 180),
  ];
  const parts = [...SCRIPTS, ...EMOJI, ...SPACES, "don't", "WE'LL", "x86_64", "3.14159", "1234567", "{\"a\": [1, 2]}", "…"];
  for (const control of controls) all.push(control, `a ${control} b`, `${control}${control}`, ` ${control}\n`);
  while (all.length < 1000) all.push(Array.from({ length: 1 + random(4) }, () => pick([...parts, ...controls])).join(pick(["", " ", "\n"])));
  return all.slice(0, 1000).filter((line) => line.isWellFormed());
}

// ---- The tokenizers that have no tokenizer.json: made of their parts here, as their own libraries put them together

const byteLevel = (useRegex) => ({ type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: useRegex });
const split = (regex) => ({ type: "Sequence", pretokenizers: [
  { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false }, byteLevel(false)] });

function byteBpe(vocab, merges, added, pre, normalizer = null) {
  return { version: "1.0", added_tokens: added, normalizer, pre_tokenizer: pre, post_processor: null,
    decoder: byteLevel(true), model: { type: "BPE", unk_token: null, vocab, merges, byte_fallback: false } };
}

const QWEN = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const CL100K = QWEN.replace("\\p{N}| ", "\\p{N}{1,3}| ");

function addedOfConfig(config) {
  return Object.entries(config.added_tokens_decoder ?? {}).map(([id, t]) => ({ id: Number(id), ...t }));
}

function mergesOf(name) {
  return text("tokenizers", name, "merges.txt").split("\n").filter((l) => l && !l.startsWith("#version"));
}

function qwen3() {
  const added = addedOfConfig(json("tokenizers", "qwen3", "tokenizer_config.json"));
  return byteBpe(json("tokenizers", "qwen3", "vocab.json"), mergesOf("qwen3"), added, split(QWEN), { type: "NFC" });
}

function gpt2() {
  const added = [{ id: 50256, content: "<|endoftext|>", special: true, normalized: false }];
  return byteBpe(json("tokenizers", "gpt2", "vocab.json"), mergesOf("gpt2"), added, byteLevel(true));
}

// Every way to cut a token into two is a merge, the lowest rank first.
function tiktoken(file, added, pre) {
  const letters = [];
  let next = 256;
  for (let b = 0; b < 256; ++b) {
    const printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    letters.push(String.fromCharCode(printable ? b : next++));
  }
  const vocab = {}, merges = [];
  for (const line of file.split("\n").filter(Boolean)) {
    const [token, rank] = line.split(" ");
    vocab[Array.from(Buffer.from(token, "base64"), (b) => letters[b]).join("")] = Number(rank);
  }
  for (const token of Object.keys(vocab).sort((a, b) => vocab[a] - vocab[b])) {
    const cuts = [];
    for (let i = 1; i < token.length; ++i) {
      const l = token.slice(0, i), r = token.slice(i);
      if (Object.hasOwn(vocab, l) && Object.hasOwn(vocab, r)) cuts.push([l, r]);
    }
    cuts.sort((a, b) => vocab[a[0]] - vocab[b[0]] || vocab[a[1]] - vocab[b[1]]);
    merges.push(...cuts.map(([l, r]) => `${l} ${r}`));
  }
  return byteBpe(vocab, merges, added, pre);
}

const TOKENIZERS = {
  smollm2: "tokenizers/smollm2", "phi-2": "tokenizers/phi-2", "phi-3-mini": "tokenizers/phi-3-mini",
  minimind: "tokenizers/minimind", mini_llama: "tokenizers/mini_llama", "t5-small": "tokenizers/t5-small",
  "bert-base-uncased": "tokenizers/bert-base-uncased", model2vec: "models/model2vec/test-model-float32",
  "model2vec-unigram": "models/model2vec/test-model-vocab-quantized",
  qwen3: { path: "tokenizers/qwen3", make: qwen3 }, gpt2: { path: "tokenizers/gpt2", make: gpt2 },
  "gpt2-tiktoken": { path: "tokenizers/gpt2/gpt2.tiktoken", make: () => tiktoken(text("tokenizers", "gpt2", "gpt2.tiktoken"), [], byteLevel(true)) },
  "phi-4": { path: "tokenizers/phi-4", make: () => tiktoken(text("tokenizers", "phi-4", "cl100k_base.tiktoken"),
    addedOfConfig(json("tokenizers", "phi-4", "tokenizer_config.json")), split(CL100K)) },
};

// Lines on which the library is known to differ from the libraries that models are trained with, and why.
const EXCEPTIONS = {
  // It looks at halves of surrogate pairs and so puts no spaces around Han characters beyond U+FFFF.
  "bert-base-uncased": (line) => /[\u{20000}-\u{2fa1f}]/u.test(line),
  model2vec: (line) => /[\u{20000}-\u{2fa1f}]/u.test(line),
  "model2vec-unigram": (line) => /[\u{20000}-\u{2fa1f}]/u.test(line),
  // It works out SentencePiece's table by rules, which leave this white space out.
  "t5-small": (line) => line.includes("\u0085"),
};

// Unigram: two ways to cut a text that are equally probable. Which one wins is up to rounding.
function tied(spec, ours, theirs) {
  if (!Array.isArray(spec.model.vocab)) return false;
  const score = (ids) => ids.reduce((sum, id) => sum + (spec.model.vocab[id]?.[1] ?? 0), 0);
  return Math.abs(score(ours) - score(theirs)) < 1e-4;
}

function compare(name) {
  const entry = TOKENIZERS[name];
  const path = join(data, entry.path ?? entry);
  const absent = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  const spec = entry.make ? entry.make() : { ...absent, ...json(entry, "tokenizer.json") };
  const configFile = join(path, "tokenizer_config.json");
  const config = existsSync(configFile) ? JSON.parse(readFileSync(configFile, "utf8")) : {};
  const theirs = new Tokenizer(spec, { ...config, clean_up_tokenization_spaces: spec.decoder?.type === "WordPiece" });
  const controls = (spec.added_tokens ?? []).filter((t) => t.special).map((t) => t.content).slice(0, 5);
  const texts = lines(controls);
  const out = execFileSync(minnow, ["tokenize", path, "--json-lines", "--parse-special", "-"],
    { input: texts.map((t) => JSON.stringify(t)).join("\n"), maxBuffer: 1 << 28 });
  const ours = out.toString("utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
  const excepted = EXCEPTIONS[name] ?? (() => false);
  let wrong = 0, passed = 0, skipped = 0;
  texts.forEach((line, i) => {
    const ids = theirs.encode(line).ids;
    const decoded = ids.length ? theirs.decode(ids, { skip_special_tokens: true }) : "";
    if (ours[i].ids.join() === ids.join() && ours[i].decoded === decoded) return void ++passed;
    if (excepted(line) || tied(spec, ours[i].ids, ids)) return void ++skipped;
    if (++wrong <= 10) {
      console.log(`${name}: ${JSON.stringify(line)}\n  theirs ${ids.join(" ").slice(0, 300)} ${JSON.stringify(decoded).slice(0, 300)}\n  ours   ` +
        `${ours[i].ids.join(" ").slice(0, 300)} ${JSON.stringify(ours[i].decoded).slice(0, 300)}`);
    }
  });
  console.log(`${name}: ${passed} of ${texts.length} lines agree${skipped ? `, ${skipped} are excepted` : ""}${wrong ? `, ${wrong} DIFFER` : ""}`);
  return wrong;
}

const names = wanted.length ? wanted : Object.keys(TOKENIZERS);
process.exit(names.map(compare).some((wrong) => wrong > 0) ? 1 : 0);
