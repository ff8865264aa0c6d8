"""Words that nobody has used: from syllables, or from the letters of other words. The same random numbers give the same words."""

import collections

ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl dr fr gr kr pr sh st th tr sz vl".split() + [""] * 4
VOWELS = "a e i o u a e i o y ai ea ie io ö á é ü í ø".split()
CODAS = "n r s l m t k d nd rt ss n r s".split() + [""] * 12
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def syllables(rng, n=None):
    parts = [rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(n or rng.choice([1, 2, 2, 2, 3]))]
    made = "".join(parts)
    return made if len(made) > 2 else made + rng.choice("aeiou") + rng.choice("nrslt")


def capital(text):
    return text[:1].upper() + text[1:]


def digits(rng, n):
    return "".join(rng.choice("0123456789") for _ in range(n))


def cased_like(new, old):
    """The new word in the case of the old one."""
    if len(old) > 1 and old.isupper():
        return new.upper()
    return capital(new) if old[:1].isupper() else new.lower()


def shaped_like(old, rng):
    """Other digits and capitals in the places of the old ones."""
    return "".join(rng.choice("0123456789") if c.isdigit() else rng.choice(LETTERS) if "A" <= c <= "Z" else c for c in old)


class LetterChain:
    """Words whose letters follow each other as in the words that it has seen: each letter by the three before it."""

    ORDER, LONGEST = 3, 14

    def __init__(self, words):
        self.next = collections.defaultdict(list)
        for word in words:
            text = "^" * self.ORDER + word.lower() + "$"
            for i in range(self.ORDER, len(text)):
                self.next[text[i - self.ORDER:i]].append(text[i])
        self.seen = {word.lower() for word in words}

    def make(self, rng):
        for _ in range(8):
            text = "^" * self.ORDER
            while len(text) < self.ORDER + self.LONGEST:
                letter = rng.choice(self.next[text[-self.ORDER:]])
                if letter == "$":
                    break
                text += letter
            made = text[self.ORDER:]
            if len(made) > 2 and made not in self.seen:
                return capital(made)
        return capital(syllables(rng))
