#!/usr/bin/env python3
"""Writes tests/golden/summaries/summaries.json: what the method of docs/summarization.md gives for the texts of
summaries/texts.json, computed with numpy and transformers from the formulae, apart from the engine's own code.

    python make_summaries.py --model ../../../models/all-MiniLM-L6-v2 --folder ../summaries

Needs numpy, torch and transformers. Sentences are given split, so that splitting is no part of the comparison."""
import argparse
import json
import math
import os
import re
from collections import Counter

import numpy as np
import torch
import transformers

WORD = re.compile(r"[^\W_]+")
STOP = frozenset("""a about all also an and any are as at be been but by can could did do does for from had has have he her here him
his how i if in into is it its just may me might more most my no not of on or other our out over s she should so some such t than that the
their them then there these they this those to up us very was we were what when where which who will with would you your
au aux avec ce ces cet cette dans de des du elle elles en est et eux il ils je la le les leur leurs lui mais nous ne ont ou où par pas pour qu que
qui sa se ses si sont sur un une vous y été être plus""".split())
NOUNS = frozenset("paper work article study".split())
VERBS = frozenset("propose introduce present develop describe investigate study address explore".split())
SAID = frozenset("said says told".split())
ROOM = 254  # word pieces of a window beside [CLS] and [SEP]
#                     attention, length, position (None: by the number of sentences), cue, redundancy
KINDS = {"GENERAL": (1, 0, None, 0, 0.5), "PAPER": (1, 0, None, 1.5, 0.5), "REVIEWS": (0, -0.5, 0, 0, 1),
         "NEWS": (1, 0, 3, 0, 0)}


def terms_of(sentence):
    return WORD.findall(sentence.lower())


def is_cue(terms):
    for i, term in enumerate(terms):
        following = terms[i + 1:i + 2]
        if term == "this" and following and following[0] in NOUNS:
            return True
        if term == "here" and following == ["we"]:
            return True
        if term in ("we", "i") and any(word in VERBS for word in terms[i + 1:i + 3]):
            return True
    return False


def standardised(values):
    values = np.asarray(values, float)
    deviation = values.std() if len(values) else 0
    return (values - values.mean()) / deviation if deviation > 1e-9 else np.zeros_like(values)


def unit(vectors):
    vectors = np.asarray(vectors, float)
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(norms > 1e-12, vectors / np.maximum(norms, 1e-12), 0)


def vectors_of(terms):
    numbers, rows = {}, []
    for sentence in terms:
        rows.append(Counter(term for term in sentence if term not in STOP))
        for term in rows[-1]:
            numbers.setdefault(term, len(numbers))
    matrix = np.zeros((len(terms), max(1, len(numbers))))
    for i, counts in enumerate(rows):
        for term, count in counts.items():
            matrix[i, numbers[term]] = count
    return unit(matrix)


def centrality(vectors):
    vectors = unit(vectors)
    return vectors @ unit(vectors.mean(0))


def kind_of(terms, vectors):
    n = len(terms)
    cues = sum(map(is_cue, terms))
    if n > 1:
        neighbours = float((vectors[:-1] * vectors[1:]).sum(1).mean())
        total = vectors.sum(0)
        pairs = float((total @ total - (vectors * vectors).sum()) / (n * (n - 1)))
        if n >= 20 and pairs >= 0.05 and neighbours < 1.4 * pairs and cues <= 0.02 * n:
            return "REVIEWS"
    we = sum("we" in sentence or "our" in sentence for sentence in terms)
    this_paper = any(a == "this" and b == "paper" for sentence in terms for a, b in zip(sentence, sentence[1:]))
    if cues and (we >= 0.03 * n or this_paper):
        return "PAPER"
    if n >= 5 and sum(any(term in SAID for term in sentence) for sentence in terms) >= 0.1 * n:
        return "NEWS"
    return "GENERAL"


class Encoder:
    def __init__(self, folder):
        torch.set_num_threads(1)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    @torch.no_grad()
    def read(self, sentences):
        """Embeddings, attention received, and the attention between sentences by window."""
        pieces = [self.tokenizer(s, add_special_tokens=False)["input_ids"][:ROOM] for s in sentences]
        windows, used = [], ROOM + 1
        for i, ids in enumerate(pieces):
            if not ids:
                continue
            if used + len(ids) > ROOM:
                windows.append([])
                used = 0
            windows[-1].append(i)
            used += len(ids)
        embeddings = np.zeros((len(sentences), self.model.config.hidden_size))
        received = np.zeros(len(sentences))
        between = []
        for window in windows:
            row, spans = [self.tokenizer.cls_token_id], []
            for i in window:
                spans.append((len(row), len(row) + len(pieces[i])))
                row += pieces[i]
            row.append(self.tokenizer.sep_token_id)
            out = self.model(input_ids=torch.tensor([row]), output_attentions=True)
            states = out.last_hidden_state[0].double().numpy()
            attention = out.attentions[-1][0].double().numpy().mean(0)
            member = np.zeros((len(window), len(row)))
            for k, (begin, end) in enumerate(spans):
                member[k, begin:end] = 1
                embeddings[window[k]] = states[begin:end].mean(0)
            mass = member @ attention @ member.T
            others = (mass.sum(0) - np.diag(mass)) / np.sqrt([end - begin for begin, end in spans])
            received[window] = others / others.mean() if len(window) > 1 and others.mean() > 1e-12 else 1
            between.append({"sentences": window, "rows": (mass / mass.sum(1, keepdims=True)).tolist()})
        return centrality(embeddings), received, between


def score(terms, vectors, kind, embedding, attention):
    n = len(terms)
    w_attention, w_length, w_position, w_cue, redundancy = KINDS[kind]
    blend = standardised(centrality(vectors))
    if embedding is not None:
        blend = blend + standardised(embedding) + w_attention * standardised(attention)
    eligible = np.array([len(sentence) >= 3 for sentence in terms], bool)
    place = np.concatenate([[0], np.cumsum(eligible)[:-1]])
    if w_position is None:
        w_position = min(1, n / 40)
    scores = (standardised(blend) + w_length * standardised([math.log(1 + len(s)) for s in terms])
              + w_position * standardised(-np.log1p(place)) + w_cue * np.array([is_cue(s) for s in terms], float))
    return scores, eligible, redundancy


def select(scores, eligible, vectors, redundancy, count):
    values = np.where(eligible, scores, scores - 1000)
    likeness, left, order = np.zeros(len(scores)), np.ones(len(scores), bool), []
    for _ in range(min(count, len(scores))):
        chosen = int(np.argmax(np.where(left, values - 2 * redundancy * likeness, -np.inf)))
        order.append(chosen)
        left[chosen] = False
        likeness = np.maximum(likeness, vectors @ vectors[chosen])
    return order


def rounded(values):
    return [round(float(value), 6) for value in values]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--folder", required=True)
    options = parser.parse_args()
    encoder = Encoder(options.model)
    with open(os.path.join(options.folder, "texts.json"), encoding="utf-8") as file:
        texts = json.load(file)
    cases = []
    for text in texts:
        terms = [terms_of(sentence) for sentence in text["sentences"]]
        vectors = vectors_of(terms)
        kind = kind_of(terms, vectors) if text["kind"] == "AUTO" else text["kind"]
        embedding, attention, between = encoder.read(text["sentences"])
        case = {"name": text["name"], "kind_asked": text["kind"], "kind": kind, "count": text["count"],
                "sentences": text["sentences"], "terms": [len(sentence) for sentence in terms],
                "vocabulary": rounded(centrality(vectors)), "embedding": rounded(embedding),
                "attention": rounded(attention),
                "between": [{"sentences": w["sentences"], "rows": [rounded(r) for r in w["rows"]]} for w in between]}
        for name, signals in (("with_encoder", (embedding, attention)), ("without_encoder", (None, None))):
            scores, eligible, redundancy = score(terms, vectors, kind, *signals)
            case[name] = {"raw": rounded(scores), "order": select(scores, eligible, vectors, redundancy, text["count"])}
        cases.append(case)
    with open(os.path.join(options.folder, "summaries.json"), "w", encoding="ascii") as file:
        json.dump({"transformers": transformers.__version__, "torch": torch.__version__, "cases": cases}, file, indent=0)
        file.write("\n")
    for case in cases:
        print(case["name"], case["kind"], case["with_encoder"]["order"], case["without_encoder"]["order"])


if __name__ == "__main__":
    main()
