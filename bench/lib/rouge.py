"""ROUGE-1, -2 and -L as F1 x 100: lower-case letters and digits as words, no stemming."""
import re
from collections import Counter

NAMES = ("R1", "R2", "RL")
WORD = re.compile(r"[a-z0-9]+")


def words(text):
    return WORD.findall(text.lower())


def ngrams(tokens, n):
    return Counter(zip(*(tokens[i:] for i in range(n))))


def f1(matches, ours, theirs):
    return 200 * matches / (ours + theirs) if matches else 0.0


def overlap(ours, theirs):
    return f1((ours & theirs).total(), ours.total(), theirs.total())


def common_subsequence(left, right):
    """Length of the longest one, by Hyyro's bits: a table would take most of the time of a whole evaluation."""
    places = {}
    for i, word in enumerate(left):
        places[word] = places.get(word, 0) | 1 << i
    everything = (1 << len(left)) - 1
    free = everything
    for word in right:
        matched = free & places.get(word, 0)
        free = ((free + matched) | (free - matched)) & everything
    return len(left) - bin(free).count("1")


def score(summary, references):
    """(R1, R2, RL) against the one reference for which R1 + R2 is highest."""
    ours = words(summary)
    rows = []
    for reference in map(words, references):
        rows.append((overlap(ngrams(ours, 1), ngrams(reference, 1)), overlap(ngrams(ours, 2), ngrams(reference, 2)),
                     f1(common_subsequence(ours, reference), len(ours), len(reference))))
    return max(rows, key=lambda row: row[0] + row[1])
