"""BERT's tokenizer, for lower-case English: words and marks, each cut into the longest known pieces from the left."""

import json
import re

LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
VOCABULARY = (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + LETTERS[:24] + ["##" + c for c in LETTERS[:24]] +
              [".", ",", "!", "the", "un", "fish", "##fish", "##ing", "##able", "##ed", "cat"])


def encode(text):
    return [VOCABULARY.index(p) for p in ["[CLS]"] + pieces(text) + ["[SEP]"]]


def encode_pair(first, second):
    """(ids, segment of each)"""
    tail = [VOCABULARY.index(p) for p in pieces(second) + ["[SEP]"]]
    head = encode(first)
    return head + tail, [0] * len(head) + [1] * len(tail)


def pieces(text):
    return [piece for word in re.findall(r"\w+|[^\w\s]", text.lower()) for piece in cut(word)]


def cut(word):
    found, at = [], 0
    while at < len(word):
        candidates = (("##" if at else "") + word[at:end] for end in range(len(word), at, -1))
        piece = next((c for c in candidates if c in VOCABULARY), None)
        if piece is None:
            return ["[UNK]"]  # one unknown character makes the word unknown
        found.append(piece)
        at += len(piece.removeprefix("##"))
    return found


def tokenizer_json():
    """The same as the tokenizers library would write it."""
    special = {name: VOCABULARY.index(name) for name in ("[CLS]", "[SEP]")}
    ends = {n: {"id": n, "ids": [i], "tokens": [n]} for n, i in special.items()}

    def piece(kind, name, segment):
        return {kind: {"id": name, "type_id": segment}}

    cls, sep = "[CLS]", "[SEP]"
    return json.dumps({
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for i, t in enumerate(VOCABULARY[:5])],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                       "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [piece("SpecialToken", cls, 0), piece("Sequence", "A", 0), piece("SpecialToken", sep, 0)],
            "pair": [piece("SpecialToken", cls, 0), piece("Sequence", "A", 0), piece("SpecialToken", sep, 0),
                     piece("Sequence", "B", 1), piece("SpecialToken", sep, 1)],
            "special_tokens": ends},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {t: i for i, t in enumerate(VOCABULARY)}},
    }, indent=1) + "\n"
