"""Other ways to say what was published to learn from: as somebody else would type it, about somebody else."""

import re

from pii_templates import TEMPLATES

MOST_SPANS = 12  # an answer's items, by the schema

OPENINGS = ["please ", "hi, ", "hey ", "ok, ", "so ", "hello, ", "well ", "can you help me, ", "quick question, ", "i was wondering, "]
CLOSINGS = [" please", " thanks", " thank you", ", please", " asap", " now"]


# --- requests: the intent stays ---

def misspelled(word, rng):
    if len(word) < 4:
        return word
    at = rng.randrange(1, len(word) - 1)
    return rng.choice([word[:at] + word[at + 1:], word[:at] + word[at + 1] + word[at] + word[at + 2:], word[:at] + word[at] + word[at:]])


def typed(text, rng):
    """The text as somebody else might type it: other punctuation, a letter wrong, some words less or swapped."""
    words = text.split(" ")
    if len(words) > 3 and rng.random() < 0.6:
        most = 1 if len(words) < 7 else 2 if len(words) < 14 else 4
        for _ in range(rng.randint(1, most)):
            del words[rng.randrange(len(words))]
    if len(words) > 4 and rng.random() < 0.1:
        i = rng.randrange(len(words) - 1)
        words[i], words[i + 1] = words[i + 1], words[i]
    if rng.random() < 0.25:
        i = rng.randrange(len(words))
        words[i] = misspelled(words[i], rng)
    text = " ".join(words)
    r = rng.random()
    if r < 0.15:
        text = text.rstrip("?.!")
    elif r < 0.25:
        text = text.rstrip("?.!") + rng.choice(["?", ".", "!"])
    elif r < 0.35:
        text = rng.choice(OPENINGS) + text[:1].lower() + text[1:]
    elif r < 0.42:
        text = text.rstrip("?.!") + rng.choice(CLOSINGS)
    r = rng.random()
    if r < 0.1:
        text = text.lower()
    elif r < 0.2:
        text = text[:1].upper() + text[1:]
    return text.strip() or "?"


# --- personal data: the kinds and their order stay ---

def joined(pieces):
    """A record of (text, kind or None)."""
    text, spans = "", []
    for piece, kind in pieces:
        if kind:
            spans.append((len(text), len(text) + len(piece), kind))
        text += piece
    return {"text": text, "spans": spans}


def pieces_of(record):
    end = 0
    for begin, stop, kind in record["spans"]:
        yield record["text"][end:begin], None
        yield record["text"][begin:stop], kind
        end = stop
    yield record["text"][end:], None


def lower(record):
    text = record["text"].lower()
    return dict(record, text=text) if len(text) == len(record["text"]) else record


def with_other_values(record, values, rng):
    """The same sentence about somebody else. Who is named twice is so again, by the whole name or a part of it."""
    new = {}
    for old, kind in pieces_of(record):
        if kind is None or (kind, old) in new:
            continue
        whole = next((o for k, o in new if k == kind == "PERSON" and old in o.split(" ")), None)
        if whole and len(new[kind, whole].split(" ")) == len(whole.split(" ")) and rng.random() < 0.9:
            new[kind, old] = new[kind, whole].split(" ")[whole.split(" ").index(old)]
        else:
            new[kind, old] = values.like(kind, old, rng) if rng.random() < 0.93 else old
    pieces = []
    for text, kind in pieces_of(record):
        if kind is None and rng.random() < 0.08 and text.count(" ") > 3:
            words = text.split(" ")
            del words[rng.randrange(1, len(words) - 1)]
            text = " ".join(words)
        again = kind and rng.random() < 0.9
        pieces.append((new[kind, text] if again else values.like(kind, text, rng) if kind else text, kind))
    made = joined(pieces)
    r = rng.random()
    return lower(made) if r < 0.06 or record["text"].islower() else dict(made, text=made["text"][:1].upper() + made["text"][1:]) if r < 0.1 else made


def from_template(values, rng):
    pieces = []
    for part in re.split(r"(\{[A-Z_]+\})", rng.choice(TEMPLATES)):
        place = re.fullmatch(r"\{([A-Z_]+)\}", part)
        pieces.append((values.make(place.group(1), rng), place.group(1)) if place else (part, None))
    made = joined(pieces)
    return lower(made) if rng.random() < 0.06 else made


def one_after_another(first, second, between=" "):
    shift = len(first["text"]) + len(between)
    spans = first.get("spans", []) + [(a + shift, b + shift, k) for a, b, k in second.get("spans", [])]
    return {"text": first["text"] + between + second["text"], "spans": spans}


def two_at_once(some, values, rng):
    """Two sentences, the one after the other."""
    while True:
        first, second = (with_other_values(rng.choice(some), values, rng) if rng.random() < 0.6 else from_template(values, rng) for _ in range(2))
        if len(first["spans"]) + len(second["spans"]) <= MOST_SPANS and len(first["text"]) + len(second["text"]) < 300:
            ends = first["text"][-1:] in ".?!" or rng.random() < 0.3
            return one_after_another(first, second, rng.choice([" ", " ", "\n"]) if ends else rng.choice([". ", "\n", ", "]))


def about_somebody(request, values, rng):
    """A request with who is asking before or after it."""
    said = from_template(values, rng)
    sentence = request["text"][0].upper() + request["text"][1:]
    if not sentence.endswith((".", "?", "!")):
        sentence += "."
    asked = {"text": sentence}
    made = one_after_another(said, asked) if rng.random() < 0.5 else one_after_another(asked, said)
    return dict(made, intent=request["intent"])
