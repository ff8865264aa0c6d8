"""Opinions to learn from: sentences with a known sentiment said otherwise, and parts of several put together, judged by word counts.

A sentence in ten thousand is too easily learned by heart. What counts its words generalizes better from so few (naive Bayes over words and
pairs of them), so that its judgement of sentences that nobody wrote is worth learning, too.
"""

import collections
import math

FOLDS = 5
SURE = 3  # log odds


# --- the same sentiment in other words ---

def thinned(text, rng):
    """Without some of its words."""
    share = rng.choice([0.1, 0.2, 0.3])
    words = [w for w in text.split(" ") if rng.random() >= share]
    return " ".join(words) or text


def a_part(text, rng, least=0.5, most=0.9):
    words = text.split(" ")
    n = max(4, int(len(words) * rng.uniform(least, most)))
    begin = rng.randrange(max(1, len(words) - n + 1))
    return " ".join(words[begin:begin + n])


def said_otherwise(records, rng, passes):
    """Each record so often: as it is, thinned, with a part of another one of the same sentiment, a part of it."""
    alike = {}
    for r in records:
        alike.setdefault(r["sentiment"], []).append(r)
    ways = [lambda r: r["text"],
            lambda r: thinned(r["text"], rng),
            lambda r: a_part(r["text"], rng) + " " + a_part(rng.choice(alike[r["sentiment"]])["text"], rng),
            lambda r: thinned(a_part(r["text"], rng), rng)]
    return [dict(r, text=ways[i % len(ways)](r)) for i in range(passes) for r in records]


# --- judged by word counts ---

def features(text):
    words = text.split(" ")
    return set(words) | {a + " " + b for a, b in zip(words, words[1:])}


class WordOdds:
    """Naive Bayes: how much more often a word, or a pair of words, is in positive sentences than in negative ones."""

    def __init__(self, records):
        counts = {"positive": collections.Counter(), "negative": collections.Counter()}
        for r in records:
            counts[r["sentiment"]].update(features(r["text"]))
        known = set(counts["positive"]) | set(counts["negative"])
        self.odds = {f: math.log((counts["positive"][f] + 1) / (counts["negative"][f] + 1)) for f in known}

    def of(self, text):
        return sum(self.odds.get(f, 0) for f in features(text))


def judged(records, rng, n):
    """Parts of two to four sentences each, with the sentiment that the words of all others give them."""
    folds = [records[i::FOLDS] for i in range(FOLDS)]
    without = [WordOdds([r for j, fold in enumerate(folds) if j != i for r in fold]) for i in range(FOLDS)]
    made = []
    while len(made) < n:
        parts, odds = [], 0
        for _ in range(rng.choice([2, 2, 3, 4])):
            i = rng.randrange(FOLDS)
            parts.append(a_part(rng.choice(folds[i])["text"], rng, 0.2, 0.6))
            odds += without[i].of(parts[-1])
        if abs(odds) > SURE:
            made.append({"text": " ".join(parts), "sentiment": "positive" if odds > 0 else "negative"})
    return made
