#!/usr/bin/env python3
"""fuzz/seeds.py FOLDER: writes the seed corpora of the fuzz targets, one folder per target.

A target without an entry here starts from nothing, or from what lies in fuzz/seeds/NAME/ of the source tree.
"""

import json
import pathlib
import shutil
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
import tiny_models as tm  # noqa: E402


def gguf():
    yield "small-v3", tm.small_gguf().build()
    yield "small-v2", tm.small_gguf(2).build()
    empty = tm.Gguf()
    empty.put("general.architecture", tm.STR, "llama")
    yield "metadata-only", empty.build()
    split = tm.small_gguf()
    split.put("split.no", tm.U16, 0)
    split.put("split.count", tm.U16, 1)
    yield "split-of-one", split.build()
    ternary = tm.Gguf()
    ternary.put("general.architecture", tm.STR, "bitnet-25")
    ternary.put("general.file_type", tm.U32, 40)
    ternary.tensors = [tm.Tensor("w.weight", [128, 2], 36, bytes(64 + 32))]
    yield "ternary", ternary.build()


def safetensors():
    yield "empty", tm.safetensors({})
    yield "two", tm.safetensors(*tm.tiny_safetensors())
    header = {"s": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
              "e": {"dtype": "BOOL", "shape": [0, 5], "data_offsets": [8, 8]},
              "\u00fc\n": {"dtype": "F16", "shape": [1, 1, 1, 1], "data_offsets": [8, 10]}}
    yield "odd", tm.safetensors(header, bytes(10))
    yield "escapes", tm.safetensors('{ "\\u0061\\ud83d\\ude00" : {"shape":[1],"data_offsets":[0,1],"dtype":"U8"} }  ', b"x")


def safetensors_index():
    yield "two", b'{"metadata":{"total_size":8},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}}'
    yield "odd", b'{"x":[1,-2.5,null,true,{"y":"z"}],"weight_map":{},"after":1e3}'


def llama2c():
    # 2 wide, 1 layer, 1 head, 2 tokens: 4 + 2 + 2 + 4 * 4 + 2 + 3 * 2 + 2 floats and 2 rotary tables of 1.
    numbers = [2, 1, 1, 1, 1, 2, 1]
    yield "legacy", tm.llama2c_legacy(numbers, 4 + 2 + 16 + 2 + 6 + 2 + 2)
    yield "legacy-unshared", tm.llama2c_legacy(numbers[:5] + [-2, 1], 4 + 2 + 16 + 2 + 6 + 2 + 2 + 4)
    yield "v1", tm.llama2c_version_1(numbers, 1, 1, 4 + 2 + 16 + 2 + 6 + 2)
    yield "v1-unshared", tm.llama2c_version_1(numbers, 0, 1, 4 + 2 + 16 + 2 + 6 + 2 + 4)


def chat_output():
    # The first byte picks the format (see output_formats.cc), the second the options.
    for number, text in enumerate([
            '<|channel|>analysis<|message|>a<|end|><|start|>assistant to=functions.f<|channel|>commentary json<|message|>{"n": 1}<|call|>',
            '<think>a</think><|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}<|tool_call_end|>',
            '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"n": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
            '<｜DSML｜invoke name="f"><｜DSML｜parameter name="s" string="true">x</｜DSML｜parameter></｜DSML｜invoke>',
            '<|tools_prefix|>[{"f": {"n": 1}}, {"g": {}}]<|tools_suffix|>',
            '<seed:tool_call>\n<function=f>\n<parameter=s>x</parameter>\n</function>\n</seed:tool_call>',
            '<tool_call>\n<function=f>\n<parameter=n>\n1\n</parameter>\n</function>\n</tool_call>', "",
            '<tool_call>f<arg_key>n</arg_key><arg_value>1</arg_value></tool_call>',
            '<|tool_call>call:f{s:<|"|>x<|"|>,n:[1,{a:None}]}<tool_call|>']):
        yield f"format-{number}", bytes([number, 1]) + text.encode()
    yield "mistral", bytes([14, 0]) + b'[TOOL_CALLS]f[CALL_ID]abc[ARGS]{"n": 1}[TOOL_CALLS][{"name": "f", "arguments": {}, "id": "x"}]'
    yield "lfm2", bytes([18, 1]) + b"<|tool_call_start|>[f(s='a\\n', n=1.5), f('x', None)]<|tool_call_end|>"
    yield "hermes", bytes([25, 1]) + b'a\n<tool_call>\n{"name": "f", "arguments": {"n": [1, "x"]}}\n</tool_call>\n'
    yield "llama", bytes([26, 1]) + b'{"name": "f", "parameters": {"n": 1}}; {"name": "f", "parameters": {}}'


def answer_gate():
    # An odd first byte picks a family (see fuzz_answer_gate.cc); then two bytes for each token, of which the first 256 are the bytes.
    def tokens(text):
        return b"".join(bytes([byte, 0]) for byte in text.encode())

    for number, text in {25: 'Yes. <tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>', 1: '<|tool_call_begin|>functions.free:0<|tool_call_argument_begin|>{}',
                         6: "<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>", 7: '<invoke name="free">\n</invoke>',
                         14: '[TOOL_CALLS]weather[ARGS]{"city": "Rome"}', 18: '<|tool_call_start|>[weather(city="Rome", days=3)]', 26: '{"name": "free", "parameters": {}}; {'}.items():
        yield f"family-{number}", bytes([4 * number + 1, 0]) + tokens(text)
        yield f"family-{number}-json", bytes([4 * number + 3, 0]) + tokens(text)
    for seed in range(12):
        yield f"random-{seed}", bytes([0, seed]) + tokens("x<c><d> {abc}a<c>abbc[x]{b}")


def packed():
    # The first byte picks the method (see fuzz_packed.cc).
    def file(*tensors):
        header, data = {}, b""
        for name, dtype, shape, raw in tensors:
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
            data += raw
        return tm.safetensors(header, data)

    half = b"\x00\x3c"
    gptq = [("l.qweight", "I32", [1, 8], bytes(range(32))), ("l.qzeros", "I32", [1, 1], b"wwww"), ("l.scales", "F16", [1, 8], half * 8)]
    yield "gptq", b"\0" + file(*gptq)
    yield "gptq-order", b"\0" + file(*gptq, ("l.g_idx", "I32", [8], bytes(32)))
    yield "gptq-3", b"\1" + file(("l.qweight", "I32", [3, 32], bytes(384)), ("l.qzeros", "I32", [1, 3], bytes(12)), ("l.scales", "F16", [1, 32], half * 32))
    yield "awq", b"\3" + file(("l.qweight", "I32", [2, 1], b"abcdefgh"), ("l.qzeros", "I32", [1, 1], b"wwww"), ("l.scales", "F16", [1, 8], half * 8))
    state = b'{"quant_type": "nf4", "blocksize": 4, "dtype": "float16", "shape": [2, 4], "nested_blocksize": 2, "nested_offset": 1.5}'
    nf4 = [("l.weight", "U8", [4, 1], b"abcd"), ("l.weight.quant_map", "F32", [16], bytes(64)), ("l.weight.quant_state.bitsandbytes__nf4", "U8", [len(state)], state)]
    yield "nf4", b"\4" + file(*nf4, ("l.weight.absmax", "F32", [2], bytes(8)))
    yield "nf4-nested", b"\4" + file(*nf4, ("l.weight.absmax", "U8", [2], b"\1\2"), ("l.weight.nested_absmax", "F32", [1], bytes(4)),
                                     ("l.weight.nested_quant_map", "F32", [256], bytes(1024)))
    yield "int8", b"\4" + file(("l.weight", "I8", [2, 2], b"abcd"), ("l.SCB", "F32", [2], bytes(8)))
    yield "compressed", b"\5" + file(("l.weight_packed", "I32", [2, 1], b"abcdefgh"), ("l.weight_scale", "F16", [2, 1], half * 2),
                                     ("l.weight_shape", "I64", [2], b"\2" + bytes(7) + b"\7" + bytes(7)))
    yield "bytes", b"\6" + file(("l.weight", "I8", [2, 2], b"abcd"), ("l.weight_scale", "F16", [2, 1], half * 2))
    yield "bitnet", b"\7" + file(("l.weight", "U8", [1, 256], bytes(256)), ("l.weight_scale", "F16", [1], half))


def tokenizer_gguf():
    for model in ("llama", "gpt2", "gemma4", "t5", "bert"):
        g = tm.Gguf()
        g.put("tokenizer.ggml.model", tm.STR, model)
        pieces = ["<unk>", "<s>", "</s>", "\u2581", "a", "b", "ab", "\u2581a", "[CLS]", "<0x41>"]
        g.put_array("tokenizer.ggml.tokens", tm.STR, pieces)
        g.put_array("tokenizer.ggml.scores", tm.F32, [-float(i) for i in range(10)])
        g.put_array("tokenizer.ggml.token_type", tm.I32, [2, 3, 3, 1, 1, 1, 1, 1, 3, 6])
        g.put_array("tokenizer.ggml.merges", tm.STR, ["a b"])
        g.put("tokenizer.ggml.pre", tm.STR, "gpt-2")
        g.put("tokenizer.ggml.unknown_token_id", tm.U32, 0)
        g.put("tokenizer.ggml.bos_token_id", tm.U32, 1)
        g.put("tokenizer.ggml.eos_token_id", tm.U32, 2)
        g.put("tokenizer.ggml.add_space_prefix", tm.BOOL, 1)
        if model == "t5":
            g.put_array("tokenizer.ggml.precompiled_charsmap", tm.U8, list(charsmap()))
        yield model, g.build()


def charsmap():
    """"a" becomes "b": the root's children lie from unit 64 on, the child's value behind it."""
    units = [0] * 192
    units[0] = 64 << 10
    units[64 ^ 97] = 97 | 1 << 8 | (128 << 10)
    units[(64 ^ 97) ^ 128] = 1 << 31
    return struct.pack("<I", 4 * len(units)) + struct.pack("<192I", *units) + b"b\0"


def normalizer():
    table = charsmap() + bytes(2)
    yield "charsmap", bytes([1, 11, len(table) // 4]) + table + b"abca \xc3\xa9"
    yield "steps", bytes([8, 0, 3, 10 + 240, 4, 5, 6, 8, 9, 0]) + "A\u0301 \ufb01  \u4e2d b".encode()


def model_config():
    for config in sorted((HERE.parent / "tests/golden").glob("*/config.json")):
        yield config.parent.name, config.read_bytes()


def train_record():
    for number, line in enumerate([
            '{"text": "a <|end|> b"}', '{"prompt": "a", "completion": "b", "id": 1}', '{"instruction": "a", "input": "b", "output": "c"}',
            '{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": null, '
            '"tool_calls": [{"function": {"name": "f", "arguments": {"n": 1}}}]}, {"role": "tool", "content": "1"}, '
            '{"role": "assistant", "content": [{"type": "text", "text": "\\u00fc"}]}], "tools": [{"type": "function"}]}',
            '{"prompt": [{"role": "user", "content": "a"}], "chosen": "b", "rejected": "c"}',
            '{"chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], '
            '"rejected": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}]}']):
        yield f"line-{number}", line.encode()


def adapter():
    # For the model of fuzz_adapter.cc: queries are [8, 8].
    file = tm.Gguf()
    for key, value in (("general.type", "adapter"), ("general.architecture", "llama"), ("adapter.type", "lora")):
        file.put(key, tm.STR, value)
    file.put("adapter.lora.alpha", tm.F32, 4.0)
    file.tensors = [tm.Tensor("blk.0.attn_q.weight.lora_a", [8, 2]), tm.Tensor("blk.0.attn_q.weight.lora_b", [2, 8])]
    yield "gguf", file.build()
    module = "base_model.model.model.layers.0.self_attn.q_proj."
    header = {module + "lora_A.weight": {"dtype": "F32", "shape": [2, 8], "data_offsets": [0, 64]},
              module + "lora_B.weight": {"dtype": "F32", "shape": [8, 2], "data_offsets": [64, 128]},
              module + "lora_magnitude_vector": {"dtype": "F32", "shape": [8], "data_offsets": [128, 160]}}
    config = (b'{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "use_dora": true, "use_rslora": true, "bias": "none", "target_modules": ["q_proj"], '
              b'"rank_pattern": {"layers.0.*q_proj": 2}, "alpha_pattern": {}, "init_lora_weights": true}')
    yield "peft", config + b"\0" + tm.safetensors(header, bytes(160))
    plain = dict(list(header.items())[:2])
    yield "peft-expression", (b'{"peft_type": "LORA", "r": 2, "target_modules": ".*(q|v)_proj"}' + b"\0" + tm.safetensors(plain, bytes(128)))


WEATHER = {"type": "function", "function": {"name": "weather", "description": "tells", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0}, "s": {"enum": ["a", "\u00fc"]}}, "required": ["n"]}
SAMPLING = {"temperature": 0.5, "top_p": 0.9, "top_k": 20, "min_p": 0.05, "seed": 7, "presence_penalty": -1, "frequency_penalty": 1.5,
            "repetition_penalty": 1.1, "logit_bias": {"97": -100, "98": 2.5}, "stop": ["\n", "END"], "max_tokens": 16, "min_tokens": 1,
            "dry_multiplier": 0.8, "dry_sequence_breakers": ["\n"], "xtc_probability": 0.1, "mirostat": 2, "ignore_eos": True,
            "stop_token_ids": [2], "include_stop_str_in_output": True}


def bodies(common, cases):
    for name, fields in cases.items():
        yield name, json.dumps({**common, **fields}, ensure_ascii=False).encode()


def openai_chat():
    user = {"role": "user", "content": "hi"}
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Oslo\"}"}}
    object_call = {"id": "c2", "function": {"name": "weather", "arguments": {"city": "Rom"}}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    yield from bodies({"model": "m", "messages": [user]}, {
        "plain": {},
        "sampling": SAMPLING,
        "roles": {"messages": [{"role": "developer", "content": "be brief"}, {**user, "name": "Ann"}, {"role": "assistant", "content": "ho"}, user]},
        "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, "b", {"type": "input_text", "text": "c"}]}]},
        "image": {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, image]}]},
        "calls": {"messages": [user, {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call, object_call]},
                               {"role": "tool", "tool_call_id": "c1", "content": "rain"},
                               {"role": "tool", "tool_call_id": "c2", "name": "weather", "content": [{"type": "text", "text": "sun"}]}], "tools": [WEATHER]},
        "refusal": {"messages": [user, {"role": "assistant", "content": None, "refusal": "no"}, user]},
        "tools-required": {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False},
        "tools-named": {"tools": [{"type": "function", "name": "now"}, WEATHER], "tool_choice": {"type": "function", "function": {"name": "now"}}},
        "custom-tool": {"tools": [{"type": "custom", "custom": {"name": "say"}}], "messages": [
            user, {"role": "assistant", "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "say", "input": "a"}}]}, {"role": "tool", "tool_call_id": "c1", "content": ""}]},
        "schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}},
        "object": {"response_format": {"type": "json_object"}},
        "structured": {"structured_outputs": {"choice": ["a", "b"], "disable_any_whitespace": True}},
        "guided": {"guided_regex": "[a-c]{2,5}\\d"},
        "grammar": {"grammar": "root ::= \"a\" | \"b\" root"},
        "stream": {"stream": True, "n": 2, "stream_options": {"include_usage": True, "continuous_usage_stats": True, "include_obfuscation": False}},
        "logprobs": {"logprobs": True, "top_logprobs": 5},
        "continue": {"messages": [user, {"role": "assistant", "content": "one, two"}], "continue_final_message": True, "add_generation_prompt": False},
        "template": {"chat_template_kwargs": {"enable_thinking": False, "x": [1, {"y": None}]}, "documents": [{"title": "t", "text": "d"}],
                     "reasoning_effort": "minimal"},
        "idle": {"metadata": {"a": "b"}, "user": "u", "store": False, "service_tier": "auto", "modalities": ["text"], "priority": 0,
                 "verbosity": "medium", "cache_salt": "s", "reasoning_format": "auto"},
    })


def openai_completions():
    yield from bodies({"model": "m", "prompt": "once"}, {
        "plain": {},
        "sampling": SAMPLING,
        "texts": {"prompt": ["a", "b"], "n": 2, "best_of": 2},
        "tokens": {"prompt": [1, 2.0, 97]},
        "lists": {"prompt": [[97, 98], [99]], "echo": True},
        "infill": {"suffix": " end", "add_special_tokens": False, "skip_special_tokens": False},
        "stream": {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}, "echo": True, "max_tokens": 0},
        "logprobs": {"logprobs": 5},
        "schema": {"guided_json": SCHEMA},
        "structured": {"structured_outputs": {"grammar": "root ::= [a-z]+"}},
        "salted": {"cache_salt": "s", "user": "u", "max_completion_tokens": 3, "n_predict": 4},
    })


def openai_embeddings():
    # Bodies of /v1/rerank as well.
    yield from bodies({"model": "m"}, {
        "text": {"input": "a"},
        "texts": {"input": ["a", "b"], "encoding_format": "base64", "dimensions": 64},
        "tokens": {"input": [1, 2, 3], "user": "u"},
        "lists": {"input": [[1, 2], [3]]},
        "rank": {"query": "q", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True},
        "rank-texts": {"query": "q", "texts": ["a", "b"], "return_text": True},
    })


ITEMS = {
    "text": "hi",
    "messages": [{"role": "developer", "content": "be brief"}, {"role": "user", "content": [{"type": "input_text", "text": "a"}, "b"]},
                 {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "ho", "annotations": []}]}],
    "calls": [{"role": "user", "content": "w?"},
              {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": "{\"city\": \"Oslo\"}"},
              {"type": "function_call", "call_id": "c2", "name": "now"},
              {"type": "function_call_output", "call_id": "c1", "output": "rain"},
              {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "noon"}]}],
    "custom": [{"type": "custom_tool_call", "call_id": "c1", "name": "patch", "namespace": "n", "input": "x\ny"},
               {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"}],
    "reasoning": [{"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "content": None},
                  {"role": "assistant", "content": "ho"}, {"role": "user", "content": "and?"}],
    "encoded": [{"type": "reasoning", "summary": [], "encrypted_content": "aG0="}, {"role": "user", "content": "and?"}],
    "bytes": [{"type": "reasoning", "encrypted_content": "//5h"}, {"role": "assistant", "content": "ho"}],
    "references": [{"type": "item_reference", "id": "msg_a"}, {"type": "item_reference", "id": "rs_a"}, {"role": "user", "content": "and?"}],
    "image": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}],
    "file": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}],
}


def response_items():
    for name, items in ITEMS.items():
        yield name, json.dumps(items).encode()


def openai_responses():
    yield from bodies({"model": "m"}, {f"items-{name}": {"input": items} for name, items in ITEMS.items()})
    flat = {"type": "function", **WEATHER["function"]}
    yield from bodies({"model": "m", "input": "hi"}, {
        "sampling": {**SAMPLING, "max_output_tokens": 20},
        "instructions": {"instructions": "be kind", "metadata": {"a": "b"}, "user": "u", "store": False, "truncation": "disabled"},
        "earlier": {"previous_response_id": "resp_1"},
        "tools": {"tools": [flat, WEATHER | {"function": {"name": "now"}}], "tool_choice": {"type": "function", "name": "now"}, "parallel_tool_calls": False},
        "built-in-tool": {"tools": [{"type": "web_search"}]},
        "custom-tool": {"tools": [{"type": "custom", "name": "patch", "description": "edits", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}}],
                        "tool_choice": {"type": "custom", "name": "patch"}},
        "schema": {"text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}, "verbosity": "medium"}},
        "reasoning": {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"], "include_reasoning": True},
        "logprobs": {"top_logprobs": 3, "include": ["message.output_text.logprobs"]},
        "stream": {"stream": True, "stream_options": {"include_obfuscation": False}, "background": False, "max_tool_calls": 3},
    })


def ollama():
    user = {"role": "user", "content": "hi"}
    call = {"function": {"name": "weather", "arguments": {"city": "Oslo"}}}
    options = {"temperature": 0.5, "top_k": -1, "top_p": 0.9, "seed": 7, "num_predict": -2, "num_ctx": 64, "stop": ["a"], "repeat_last_n": -1,
               "mirostat": 1, "num_gpu": 3, "use_mmap": True, "tfs_z": 1.0, "something": [1]}
    yield from bodies({"model": "m", "messages": [user], "prompt": "hi", "input": ["a", "b"]}, {
        "plain": {},
        "whole": {"stream": False, "options": options, "keep_alive": "1h30m"},
        "chat": {"messages": [{"role": "System", "content": "be brief"}, user, {"role": "assistant", "content": "ho", "thinking": "hm", "tool_calls": [call]},
                              {"role": "tool", "tool_name": "weather", "content": "rain"}], "tools": [WEATHER]},
        "call-ids": {"messages": [{"role": "assistant", "tool_calls": [{"id": "c1", **call}]}, {"role": "tool", "tool_call_id": "c1", "content": "rain"}]},
        "images": {"messages": [{**user, "images": ["AAAA"]}], "images": ["AAAA"]},
        "no-images": {"messages": [{**user, "images": []}], "images": None},
        "json": {"format": "json", "think": False, "keep_alive": -1},
        "schema": {"format": SCHEMA, "think": "high", "keep_alive": "-1.5m"},
        "logprobs": {"logprobs": True, "top_logprobs": 2, "truncate": False, "shift": True},
        "raw": {"raw": True, "stream": False},
        "suffix": {"suffix": " end"},
        "context": {"context": [97, 98, 99], "system": "be brief"},
        "template": {"template": "{{ if .System }}{{ .System }} {{ end }}[{{ .Prompt }}]{{ .Response }}", "system": "s"},
        "load": {"messages": [], "prompt": "", "keep_alive": 300},
        "unload": {"messages": [], "prompt": "", "keep_alive": 0},
        "embed": {"input": "a", "truncate": True, "dimensions": 8, "keep_alive": "5"},
    })


def ollama_template():
    # The first byte says whether there is a system message.
    for number, text in enumerate([
            "{{ if .System }}<s>{{ .System }}</s>\n{{ end }}USER: {{ .Prompt }}\nASSISTANT: ", "[{{ .Prompt }}]{{ .Response }}<end>",
            "a \n {{- if .Prompt -}} \n b {{ end }} c", "{{ if and .System .Prompt }}both{{ else if .System }}s{{ else }}p{{ end }}",
            "{{ if or .System .Tools }}a{{ end }}{{ if not .System }}b{{ end }}", "\"\\ {% x %} {# y #} {{ .Prompt }}\r\n", "{{/* note */}}{{ .Prompt }}",
            "{% for m in messages %}{{ m.content }}{{- '\n' }}{% endfor %}", "{{ range .Messages }}{{ .Content }}{{ end }}", "{{ .Prompt }}{{ if .System }}"]):
        yield f"text-{number}", bytes([number]) + text.encode()


def anthropic():
    user = {"role": "user", "content": "hi"}
    tool = {"name": "weather", "description": "tells", "input_schema": WEATHER["function"]["parameters"], "cache_control": {"type": "ephemeral"}}
    called = [user, {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "I look."},
                                                      {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}}]},
              {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "rain"}], "is_error": True},
                                           {"type": "text", "text": "And?"}]}]
    yield from bodies({"model": "m", "max_tokens": 50, "messages": [user]}, {
        "plain": {},
        "system": {"system": [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}], "temperature": 0.5, "top_p": 0, "top_k": 3,
                   "stop_sequences": ["a", "b"], "metadata": {"user_id": "u"}, "service_tier": "auto"},
        "blocks": {"messages": [user, {"role": "user", "content": [{"type": "text", "text": "a"}]}, {"role": "assistant", "content": []}, user]},
        "image": {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "AAAA"}}]}]},
        "document": {"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]},
        "calls": {"messages": called, "tools": [tool]},
        "any": {"tools": [tool], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        "built-in": {"tools": [tool, {"type": "bash_20250124", "name": "bash"}]},
        "tool": {"tools": [{**tool, "type": "custom"}, {"name": "now", "input_schema": {}}], "tool_choice": {"type": "tool", "name": "now"}},
        "none": {"tools": [tool], "tool_choice": {"type": "none"}},
        "thinking": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000},
        "adaptive": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
        "schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}},
        "older-schema": {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        "stream": {"stream": True, "mcp_servers": []},
        "prefill": {"messages": [user, {"role": "assistant", "content": "one, two"}]},
    })


def llama_server():
    yield from bodies({"prompt": "ab"}, {
        "plain": {},
        "sampling": {**SAMPLING, "n_predict": 8, "samplers": ["top_k", "temperature"], "repeat_last_n": -1, "typical_p": 0.9, "min_keep": 1},
        "letters": {"samplers": "kt", "cache_prompt": False, "n_keep": -1, "id_slot": 0, "dynatemp_range": 0},
        "biases": {"logit_bias": [[97, 1.5], ["ab", -2], ["xy", False]]},
        "bias-texts": {"logit_bias": {"97": 1, "ab": 2}},
        "tokens": {"prompt": [97, 98]},
        "mixed": {"prompt": ["a", 98, "c<|x|>"]},
        "several": {"prompt": ["a", [98], ["c", 100], {"prompt_string": "e", "multimodal_data": []}], "n_cmpl": 2},
        "image": {"prompt": {"prompt_string": "e", "multimodal_data": ["AAAA"]}},
        "schema": {"json_schema": SCHEMA, "n_probs": 3, "return_tokens": True, "timings_per_token": True},
        "grammar": {"grammar": "root ::= [ab]+", "response_fields": ["content", "timings/predicted_ms"], "stream": True},
        "infill": {"input_prefix": "int ", "input_suffix": ";", "input_extra": [{"filename": "a.h", "text": "int a;"}, {"text": "b"}]},
        "tokenize": {"content": "ab<|x|>", "add_special": True, "with_pieces": True},
        "tokenize-mixed": {"content": ["a", 98], "parse_special": False},
        "detokenize": {"tokens": [97, 98.0]},
        "chat": {"messages": [{"role": "user", "content": "hi"}], "tools": [WEATHER], "return_token_strs": True},
    })


def regex():
    # An even first byte: for whole texts, an odd one: the pattern of a schema.
    for number, text in enumerate(["(a|b)*c{2,4}", "[^\\W\\d_]+@[a-z]+\\.(?:com|org)", "\\d{4}-(?:0[1-9]|1[0-2])", "(?i)yes|no", "\\p{Lu}\\p{Ll}*\\u00fc?",
                                   "a{0}|b+?|[]x]|[\\]-^]", "(((((a?)?)?)?)?)", "^^a$$|^$", "(?<year>\\d{4})-(?P<month>\\d\\d)", "\\x{1F642}|.\"\\\\|\\n",
                                   "[\\s\\S]{0,3}x{,2}", "a\\b|(?=b)|\\1|a++", "\u00fc+[\u4e00-\u9fff]"]):
        for first in (0, 1):
            yield f"expression-{number}-{first}", bytes([first]) + text.encode()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = pathlib.Path(sys.argv[1])
    for make in (gguf, safetensors, safetensors_index, llama2c, chat_output, answer_gate, packed, tokenizer_gguf, normalizer, model_config,
                 train_record, adapter, openai_chat, openai_completions, openai_embeddings, openai_responses, response_items, ollama,
                 ollama_template, anthropic, llama_server, regex):
        folder = root / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in make():
            (folder / name).write_bytes(data)
    for folder in sorted((HERE / "seeds").glob("*/")):
        shutil.copytree(folder, root / folder.name, dirs_exist_ok=True)


main()
