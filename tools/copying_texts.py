"""Texts in which what was said before is said again, so that a model learns to look it up: attention heads that copy form early on them."""

import json

from made_up import LETTERS, capital, digits, syllables
from variations import from_template, with_other_values

NAMES = {"AGE": "age", "CREDIT_CARD": "card", "DATE_TIME": "date", "DOMAIN_NAME": "site", "EMAIL_ADDRESS": "mail", "GPE": "place", "IBAN_CODE": "account",
         "IP_ADDRESS": "machine", "NRP": "nationality", "ORGANIZATION": "company", "PERSON": "name", "PHONE_NUMBER": "phone", "STREET_ADDRESS": "address",
         "TITLE": "title", "US_DRIVER_LICENSE": "license", "US_SSN": "social security", "ZIP_CODE": "zip"}


def a_word(rng):
    r = rng.random()
    if r < 0.5:
        return capital(syllables(rng))
    if r < 0.65:
        return syllables(rng)
    if r < 0.9:
        return digits(rng, rng.choice([1, 2, 3, 4, 5, 8]))
    return "".join(rng.choice(LETTERS) for _ in range(rng.choice([2, 3, 4])))


def some_words(rng, least, most):
    return [a_word(rng) for _ in range(rng.randint(least, most))]


def said_twice(rng):
    """A row of words, and the same row or a part of it."""
    words = some_words(rng, 5, 16)
    between = rng.choice([" ", ", ", "\n", " - "])
    row = between.join(words)
    begin = rng.randrange(len(words) - 2) if rng.random() < 0.4 else 0
    again = between.join(words[begin:])
    return f"{row}\n{again}\n" if rng.random() < 0.5 else f'{row}. Again: "{again}"\n'


def looked_up(rng):
    """Pairs, and questions about some of them."""
    keys = list(dict.fromkeys(some_words(rng, 3, 8)))
    pairs = {k: " ".join(some_words(rng, 1, 3)) for k in keys}
    is_, end = rng.choice([(": ", "\n"), (" is ", ". "), (" = ", ", "), (" -> ", "\n")])
    text = end.join(k + is_ + v for k, v in pairs.items())
    rng.shuffle(keys)
    return text + "\n" + "\n".join(k + is_ + pairs[k] for k in keys[:rng.randint(1, 4)]) + "\n"


def found(record, rng):
    """A sentence, and what it names: as lines, quoted, or as JSON."""
    items = [(NAMES[kind], record["text"][a:b]) for a, b, kind in record["spans"]]
    r = rng.random()
    if r < 0.3:
        listed = "\n".join(f"{kind}: {text}" for kind, text in items)
    elif r < 0.5:
        listed = ", ".join(f'{kind} "{text}"' for kind, text in items)
    else:
        listed = json.dumps([{kind: text} for kind, text in items], ensure_ascii=False, separators=(",", ":"))
    return record["text"] + "\n" + listed + "\n"


def to_say_again(rng):
    """A row of words to be answered with the same row."""
    row = rng.choice([" ", ", ", "\n"]).join(some_words(rng, 3, 8))
    return {"text": "say again: " + row, "answer": row}


def copying_texts(records, values, rng, n):
    made = []
    for _ in range(n):
        r = rng.random()
        if r < 0.25:
            made.append(said_twice(rng))
        elif r < 0.45:
            made.append(looked_up(rng))
        else:
            record = with_other_values(rng.choice(records), values, rng) if r < 0.85 else from_template(values, rng)
            made.append(found(record, rng))
    return made
