"""A chat model whose answers are known beforehand, as a GGUF file: for tests of clients (standard library only).

Its layers add nothing, so that the last token alone decides the next one: a chain for each kind of answer. What begins a
chain is a control token that the template puts at the end of the prompt:

    tools, and the last message has "both" in it    two calls of get_weather, for Paris and London
    tools otherwise                                 one call, for Paris
    the last message is a tool's result             It is sunny in Paris.
    enable_thinking                                 <think>The user greets me.</think>Hello there.
    the last message has "sing" in it               la la la … without end
    otherwise                                       Hello, world!

Held to a grammar it says any of what may follow, each token as likely as another.
"""

import struct

from tiny_models import BOOL, F32, I32, STR, U32, Gguf, Tensor, vocabulary

CONTEXT, WIDTH, HIDDEN, HEADS = 4096, 64, 64, 2
SURE = 4.0  # of output.weight: a logit of 32 above all others

TEMPLATE = """{{ bos_token }}{% if tools %}Call tools as <tool_call>{"name": …, "arguments": {…}}</tool_call>:
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}{% endif %}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for call in m.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}
{% endfor %}{% if add_generation_prompt %}{% set last = messages[-1] %}{% if last.role == 'tool' %}<|result|>{% elif tools %}\
{{ '<|both|>' if 'both' in last.content else '<|call|>' }}{% elif enable_thinking is defined and enable_thinking %}<|think|>{% elif 'sing' in last.content %}<|sing|>\
{% else %}<|plain|>{% endif %}{% endif %}"""

CALL = '\n{"name":\u2581"get_weather",\u2581"arguments":\u2581{"city":\u2581"'
CHAINS = {
    "<|plain|>": ["Hello", ",\u2581", "world", "!", None],
    "<|call|>": ["<tool_call>", CALL, "Paris", '"}}\n</tool_call>', None],
    "<|both|>": ["<tool_call>" + CALL + 'Paris"}}', "\n</tool_call>\n<tool_call>" + CALL, "London", '"}}\n</tool_call>\n', None],
    "<|result|>": ["It\u2581is\u2581sunny\u2581in", "\u2581Paris.", None],
    "<|think|>": ["<think>", "The\u2581user\u2581greets", "\u2581me.", "</think>", "Hello\u2581there.", None],
    "<|sing|>": ["la\u2581", "la\u2581"],
}
END = 2  # </s>


def one_hot_rows(n_rows, entries):
    """entries: row -> (column, value)"""
    rows = bytearray(4 * n_rows * WIDTH)
    for row in range(n_rows):
        column, value = entries.get(row, (0, 0.0))
        struct.pack_into("<f", rows, 4 * (row * WIDTH + column), value)
    return bytes(rows)


def tokens_and_links(chains, marks):
    """The vocabulary as (text, score, kind), and which token follows which; `marks` are control tokens."""
    tokens, links, ids = vocabulary(), {}, {}

    def id_of(text, kind):
        if text not in ids:
            ids[text] = len(tokens)
            tokens.append((text, -1000.0, kind))
        return ids[text]

    for begin, chain in chains.items():
        at = id_of(begin, 3)
        for text in chain:
            following = END if text is None else id_of(text, 3 if text in marks else 1)
            assert links.setdefault(at, following) == following, f"{text!r} follows two things"
            at = following
    return tokens, links


def scripted_gguf(template=TEMPLATE, chains=None, marks=()):
    tokens, links = tokens_and_links(chains or CHAINS, marks)
    assert len(links) < WIDTH
    places = {token: i + 1 for i, token in enumerate(links)}  # 0: whatever begins no chain
    g = Gguf()
    for key, kind, value in [
            ("general.architecture", STR, "llama"), ("general.name", STR, "scripted"), ("general.alignment", U32, 32), ("llama.context_length", U32, CONTEXT),
            ("llama.embedding_length", U32, WIDTH), ("llama.block_count", U32, 1), ("llama.feed_forward_length", U32, HIDDEN),
            ("llama.attention.head_count", U32, HEADS), ("llama.attention.head_count_kv", U32, HEADS), ("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
            ("llama.rope.dimension_count", U32, WIDTH // HEADS), ("llama.rope.freq_base", F32, 10000.0), ("llama.vocab_size", U32, len(tokens)),
            ("tokenizer.ggml.model", STR, "llama"), ("tokenizer.ggml.bos_token_id", U32, 1), ("tokenizer.ggml.eos_token_id", U32, END),
            ("tokenizer.ggml.unknown_token_id", U32, 0), ("tokenizer.ggml.add_bos_token", BOOL, 1), ("tokenizer.ggml.add_space_prefix", BOOL, 0),
            ("tokenizer.chat_template", STR, template)]:
        g.put(key, kind, value)
    g.put_array("tokenizer.ggml.tokens", STR, [t[0] for t in tokens])
    g.put_array("tokenizer.ggml.scores", F32, [t[1] for t in tokens])
    g.put_array("tokenizer.ggml.token_type", I32, [t[2] for t in tokens])
    ones = struct.pack(f"<{WIDTH}f", *[1.0] * WIDTH)
    embeddings = one_hot_rows(len(tokens), {t: (places.get(t, 0), 1.0) for t in range(len(tokens))})
    followed = {}
    for token, following in links.items():
        followed.setdefault(following, []).append(places[token])
    output = bytearray(4 * len(tokens) * WIDTH)
    for following, columns in followed.items():
        for column in columns:
            struct.pack_into("<f", output, 4 * (following * WIDTH + column), SURE)
    struct.pack_into("<f", output, 4 * END * WIDTH, SURE)  # what begins no chain ends the answer
    g.tensors = [Tensor("token_embd.weight", [WIDTH, len(tokens)], 0, embeddings), Tensor("output_norm.weight", [WIDTH], 0, ones),
                 Tensor("output.weight", [WIDTH, len(tokens)], 0, bytes(output))]
    for kind, dims in [("attn_norm", [WIDTH]), ("attn_q", [WIDTH, WIDTH]), ("attn_k", [WIDTH, WIDTH]), ("attn_v", [WIDTH, WIDTH]), ("attn_output", [WIDTH, WIDTH]),
                       ("ffn_norm", [WIDTH]), ("ffn_gate", [WIDTH, HIDDEN]), ("ffn_up", [WIDTH, HIDDEN]), ("ffn_down", [HIDDEN, WIDTH])]:
        g.tensors.append(Tensor(f"blk.0.{kind}.weight", dims, 0, ones if kind.endswith("norm") else None))
    return g


if __name__ == "__main__":
    import sys

    with open(sys.argv[1], "wb") as file:
        file.write(scripted_gguf().build())
