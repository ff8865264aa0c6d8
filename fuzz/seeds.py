#!/usr/bin/env python3
"""fuzz/seeds.py FOLDER: writes the seed corpora of the fuzz targets, one folder per target.

A target without an entry here starts from nothing, or from what lies in fuzz/seeds/NAME/ of the source tree.
"""

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


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = pathlib.Path(sys.argv[1])
    for make in (gguf, safetensors, safetensors_index, llama2c, chat_output, packed, tokenizer_gguf, normalizer, model_config,
                 train_record, adapter):
        folder = root / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in make():
            (folder / name).write_bytes(data)
    for folder in sorted((HERE / "seeds").glob("*/")):
        shutil.copytree(folder, root / folder.name, dirs_exist_ok=True)


main()
