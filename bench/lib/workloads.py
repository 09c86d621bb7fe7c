"""Workloads: sentences as ids, each with the number of tokens that its answer must have.

A file has one JSON line a sentence, {"src": [ids without end-of-sentence], "n": tokens}.
"""
import json
import math
import random

FIRST_WORD = 2  # ids below it are special in the models of make_models.py


def make(sentences, vocab_size, seed, shortest=5, longest=40, middle=18.0, width=0.5):
    """Lengths as of real text: log-normal around `middle`, cut at both ends. The last id is padding."""
    draw, rows = random.Random(seed), []
    while len(rows) < sentences:
        length = round(draw.lognormvariate(math.log(middle), width))
        if shortest <= length <= longest:
            rows.append(_row(draw, length, vocab_size))
    return rows


def make_fixed(sentences, tokens, vocab_size, seed):
    """Sentences that are `tokens` long with their end, and answers as long."""
    draw = random.Random(seed)
    return [{"src": _row(draw, tokens - 1, vocab_size)["src"], "n": tokens} for _ in range(sentences)]


def _row(draw, length, vocab_size):
    return {"src": [draw.randrange(FIRST_WORD, vocab_size - 1) for _ in range(length)], "n": length}


def read(path, limit=0):
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f if line.strip()]
    return rows[:limit] if limit else rows


def write(path, rows):
    with open(path, "w", encoding="utf-8") as f:
        for row in rows:
            f.write(json.dumps(row) + "\n")


def batches(rows, size, order):
    """Lists of indices. arrival: as they come; sorted: short ones first; same: as sorted, and only sentences with
    equal targets share a batch. engine_bench cuts the same ones."""
    indices = list(range(len(rows)))
    if order != "arrival":
        indices.sort(key=lambda i: rows[i]["n"])
    cut = []
    for i in indices:
        if cut and len(cut[-1]) < size and (order != "same" or rows[cut[-1][0]]["n"] == rows[i]["n"]):
            cut[-1].append(i)
        else:
            cut.append([i])
    return cut
