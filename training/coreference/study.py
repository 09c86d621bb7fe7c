#!/usr/bin/env python3
"""Coreference from attention: the study behind docs/coreference.md.

  study.py --model DIR --pronouns tests/data/pronouns.tsv [--preset OUT.json] [--reference OUT.jsonl]

DIR is a Hugging Face folder (BERT family or Marian). Needs torch, transformers and numpy.
Everything is selected on the rows of split `calibrate`; `heldout` is only measured.
"""
import argparse
import csv
import json
import math
import re

import numpy as np

FLOOR = 0.01
RIDGES = (0.01, 0.03, 0.1, 0.3)
FOLDS = 10
# Closed classes only; compared in lower case. Must equal the list in the server.
FUNCTION_WORDS = set("""
a about above across after again against ago all almost along also although always am among an and
another any anybody anyone anything are around as at away back be because been before behind being
below beneath beside besides between beyond both but by can cannot could did do does doing done
down during each eight either enough even ever every everybody everyone everything except few five
for four from had has have having he her here hers herself him himself his how i if in inside into
is it its itself just later least less lest like many may me might mine more most much must my
myself n't near neither never nine no nobody none nor not nothing now of off often on once one
oneself only onto or other others ought our ours ourselves out outside over own past quite rather
same seven several shall she should since six so some somebody someone something soon still such
ten than that the their theirs them themselves then there these they this those though three
through throughout till to too toward towards two under underneath unless until up upon us very
via was we were what whatever when whenever where whereas wherever whether which whichever while
who whoever whom whose why will with within without would yet you your yours yourself yourselves
""".split())
WORD = re.compile(r"\w+(?:['’]\w+)*")


def read_rows(path):
    rows = []
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            text = row["sentence"]
            raw = text.encode()

            def span(field):
                begin, end = map(int, field.split(":"))
                return len(raw[:begin].decode()), len(raw[:end].decode())

            words = [m.span() for m in WORD.finditer(text)]
            index = lambda field: words.index(span(field))
            item = {"id": row["id"], "split": row["split"], "kind": row["kind"], "text": text,
                    "words": words, "query": index(row["pronoun"]),
                    "antecedent": index(row["antecedent"]),
                    "nouns": sorted(map(index, row["nouns"].split(",")))}
            item["subject"] = item["nouns"][0] if row["subject"] == "-" else index(row["subject"])
            before = [n for n in item["nouns"] if n < item["query"]]
            item["nearest"] = before[-1] if before else item["nouns"][0]
            item["content"] = content_words(text, words, item["query"])
            rows.append(item)
    return rows


def content_words(text, words, query):
    return [i for i, (b, e) in enumerate(words)
            if i != query and text[b:e].lower().replace("’", "'") not in FUNCTION_WORDS
            and any(c.isalpha() for c in text[b:e])]


class Reader:
    """Encoder self-attention of one sentence: [layer, head, token, token], offsets, specials."""

    def __init__(self, folder):
        import torch
        from transformers import AutoConfig, AutoModel, AutoTokenizer, MarianTokenizer
        torch.set_num_threads(1)
        self.torch = torch
        self.marian = AutoConfig.from_pretrained(folder).model_type == "marian"
        kind = MarianTokenizer if self.marian else AutoTokenizer
        self.tokenizer = kind.from_pretrained(folder)
        model = AutoModel.from_pretrained(folder, attn_implementation="eager",
                                          torch_dtype=torch.float32).eval()
        self.encoder = model.get_encoder() if self.marian else model

    def __call__(self, text):
        encoded = self.tokenizer(text, return_tensors="pt", return_offsets_mapping=not self.marian)
        if self.marian:
            pieces = self.tokenizer.convert_ids_to_tokens(encoded["input_ids"][0].tolist())
            offsets, at = [], 0
            for piece in pieces:
                if piece == "</s>":
                    offsets.append((0, 0))
                    continue
                bare = piece.replace("▁", "")
                if piece.startswith("▁"):
                    while at < len(text) and text[at] == " ":
                        at += 1
                offsets.append((at, at + len(bare)))
                at += len(bare)
        else:
            offsets = encoded.pop("offset_mapping")[0].tolist()
        with self.torch.no_grad():
            out = self.encoder(**encoded, output_attentions=True)
        return self.torch.stack(out.attentions)[:, 0].double().numpy(), offsets


def word_matrices(attention, offsets, words):
    """Special columns dropped, rows rescaled; columns summed and rows averaged into words."""
    special = np.array([b == e for b, e in offsets])
    a = np.where(special, 0, attention)
    a = a / np.maximum(a.sum(-1, keepdims=True), 1e-12)
    member = np.zeros((len(offsets), len(words)))
    for t, (b, e) in enumerate(offsets):
        for w, (wb, we) in enumerate(words):
            if b < e and b < we and e > wb:
                member[t, w] = 1
                break
    return np.einsum("tw,lhts,sv->lhwv", member / np.maximum(member.sum(0), 1), a, member)


def features(row):
    """[2 * layers * heads, words]: all forward terms (layer major), then all backward terms."""
    m, q = row["matrix"], row["query"]
    n = m.shape[0] * m.shape[1]
    return np.concatenate([m[:, :, q, :].reshape(n, -1), m[:, :, :, q].reshape(n, -1)])


def stack(rows, values, candidates):
    width = max(len(r[candidates]) for r in rows)
    x = np.zeros((len(rows), values[0].shape[0], width))
    mask = np.zeros((len(rows), width), bool)
    target = np.zeros(len(rows), int)
    for i, (row, value) in enumerate(zip(rows, values)):
        c = row[candidates]
        x[i, :, :len(c)] = value[:, c]
        mask[i, :len(c)] = True
        target[i] = c.index(row["antecedent"])
    return x, mask, target


def log_probabilities(w, x, mask):
    z = np.where(mask, w @ x, -np.inf)
    z = z - z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))


def fit(x, mask, target, ridge):
    """Conditional logit: min mean(-log p(antecedent)) + ridge * |w|^2, by damped Newton from 0."""
    n, f, _ = x.shape
    w, every = np.zeros(f), np.arange(n)
    xt = x.transpose(0, 2, 1) * mask[:, :, None]
    value = lambda w: -log_probabilities(w, x, mask)[every, target].mean() + ridge * (w @ w)
    current = value(w)
    for _ in range(100):
        p = np.exp(log_probabilities(w, x, mask))
        mean = (p[:, None, :] @ xt)[:, 0]
        gradient = (mean - xt[every, target]).mean(0) + 2 * ridge * w
        second = (xt * p[:, :, None]).reshape(-1, f).T @ xt.reshape(-1, f) - mean.T @ mean
        step = np.linalg.solve(second / n + 2 * ridge * np.eye(f), gradient)
        scale = 1.0
        while value(w - scale * step) > current + 1e-15 and scale > 1e-8:
            scale /= 2
        w = w - scale * step
        current = value(w)
        if np.abs(step).max() < 1e-10:
            break
    return w


def hits(w, x, mask, target):
    return np.where(mask, w @ x, -np.inf).argmax(1) == target


def cross_validate(x, mask, target, ridge):
    loss, right, every = 0.0, 0, np.arange(len(target))
    for fold in range(FOLDS):
        test = every % FOLDS == fold
        w = fit(x[~test], mask[~test], target[~test], ridge)
        p = log_probabilities(w, x[test], mask[test])
        loss -= p[np.arange(test.sum()), target[test]].sum()
        right += hits(w, x[test], mask[test], target[test]).sum()
    return loss / len(target), right / len(target)


def wilson(right, n, z=1.959964):
    p = right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def report(name, right):
    right = np.asarray(right, float)
    low, high = wilson(right.sum(), len(right))
    print(f"{name:58s} {100 * right.mean():5.1f} %  [{100 * low:4.1f}, {100 * high:4.1f}]  n={len(right)}", flush=True)


def argmax_hits(rows, scores, candidates):
    return [max(r[candidates], key=lambda w: (s[w], -w)) == r["antecedent"] for r, s in zip(rows, scores)]


def rollout(m):
    out = np.eye(m.shape[2])
    for layer in m.mean(1):
        a = layer + np.eye(len(layer))
        out = a / a.sum(-1, keepdims=True) @ out
    return out


def position_features(row):
    q, n = row["query"], len(row["words"])
    f = np.zeros((8, n))
    for i, w in enumerate(row["content"]):
        f[0, w] = math.log(1 + abs(w - q))
        f[1, w] = w > q
        f[2, w] = math.log(1 + w)
        if i < 4:
            f[3 + i, w] = 1
    return f


def calibrate(rows, values, candidates="content"):
    cal = [i for i, r in enumerate(rows) if r["split"] == "calibrate"]
    x, mask, target = stack(rows, values, candidates)
    results = []
    for ridge in RIDGES:
        loss, accuracy = cross_validate(x[cal], mask[cal], target[cal], ridge)
        results.append((loss, -ridge, ridge, accuracy))
        print(f"  ridge {ridge}: cross-validated loss {loss:.4f}, accuracy {100 * accuracy:.1f} %", flush=True)
    loss, _, ridge, accuracy = min(results)
    return fit(x[cal], mask[cal], target[cal], ridge), ridge, loss, accuracy, (x, mask, target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--pronouns", required=True)
    parser.add_argument("--preset")
    parser.add_argument("--reference")
    parser.add_argument("--sentence", action="append", default=[],
                        help="also query this sentence's `it` (a sentence TAB pronoun works too); never selected on")
    args = parser.parse_args()
    rows, reader = read_rows(args.pronouns), Reader(args.model)
    for row in rows:
        row["matrix"] = word_matrices(*reader(row["text"]), row["words"])
    held = [i for i, r in enumerate(rows) if r["split"] == "heldout"]
    cal = [i for i, r in enumerate(rows) if r["split"] == "calibrate"]
    part = lambda values, index: [values[i] for i in index]
    held_rows, cal_rows = part(rows, held), part(rows, cal)
    print("held-out accuracy, 95 % Wilson intervals")
    report("nearest noun", [r["nearest"] == r["antecedent"] for r in held_rows])
    report("subject", [r["subject"] == r["antecedent"] for r in held_rows])
    second = lambda r: r["nouns"][1]
    report("second noun", [second(r) == r["antecedent"] for r in held_rows])
    print(f"random noun {100 * np.mean([1 / len(r['nouns']) for r in held_rows]):.1f} %, "
          f"random content word {100 * np.mean([1 / len(r['content']) for r in held_rows]):.1f} %")
    position = [position_features(r) for r in rows]
    layers, heads = rows[0]["matrix"].shape[:2]
    raw = [features(r) for r in rows]
    logs = [np.log(f + FLOOR) for f in raw]
    n = layers * heads
    for candidates in ("nouns", "content"):
        print(f"-- among {candidates}")
        w, *_ , data = calibrate(rows, position, candidates)
        x, mask, target = data
        report("fitted position only (no model)", hits(w, x[held], mask[held], target[held]))
        report("mean of all heads", argmax_hits(held_rows, [f[:n].mean(0) for f in part(raw, held)], candidates))
        report("rollout", argmax_hits(held_rows, [rollout(r["matrix"])[r["query"]] for r in held_rows], candidates))
        single = [np.mean(argmax_hits(cal_rows, [f[j] for f in part(raw, cal)], candidates)) for j in range(2 * n)]
        best = int(np.argmax(single))
        label = lambda j: f"{(j % n) // heads}.{j % heads}{' backward' if j >= n else ''}"
        report(f"best single head ({label(best)})", argmax_hits(held_rows, [f[best] for f in part(raw, held)], candidates))
        chosen, best_now = [], -1.0
        while len(chosen) < 8:
            tried = [(np.mean(argmax_hits(cal_rows, [f[chosen + [j]].sum(0) for f in part(raw, cal)], candidates)), -j)
                     for j in range(n) if j not in chosen]
            accuracy, j = max(tried)
            if accuracy <= best_now:
                break
            chosen, best_now = chosen + [-j], accuracy
        greedy = lambda index: [f[chosen].sum(0) for f in part(raw, index)]
        report("greedy sum of heads (" + " ".join(map(label, chosen)) + ")", argmax_hits(held_rows, greedy(held), candidates))
        for name, values in (("forward only", [v[:n] for v in logs]), ("both directions", logs)):
            w, ridge, loss, accuracy, (x, mask, target) = calibrate(rows, values, candidates)
            right = hits(w, x[held], mask[held], target[held])
            report(f"log-linear, {name}, ridge {ridge}, cv {100 * accuracy:.1f}", right)
    for kind in ("subject", "middle", "nearest"):
        report(f"  of these, antecedent {kind}", [h for h, r in zip(right, held_rows) if r["kind"] == kind])
    for sentence in args.sentence:
        text, pronoun = (sentence.split("\t") + ["it"])[:2]
        words = [m.span() for m in WORD.finditer(text)]
        query = [text[b:e] for b, e in words].index(pronoun)
        row = {"words": words, "query": query, "matrix": word_matrices(*reader(text), words)}
        c = content_words(text, words, query)
        z = (w @ np.log(features(row) + FLOOR))[c]
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        ranked = sorted(zip(p, c), key=lambda t: (-t[0], t[1]))
        print(text, " ".join(f"{text[slice(*words[i])]}={v:.3f}" for v, i in ranked))
    low, high = wilson(right.sum(), len(right))
    if args.preset:
        terms = [{"head": [(j % n) // heads, j % heads], "direction": "backward" if j >= n else "forward",
                  "weight": round(float(w[j]), 5)} for j in range(2 * n)]
        preset = {"coreference": {"kind": "encoder", "form": "log_linear", "floor": FLOOR, "terms": terms,
                  "figures": {"candidates": "content words", "ridge": ridge, "cross_validated_loss": round(loss, 4),
                              "cross_validated_accuracy": round(float(accuracy), 4), "calibrate_examples": len(cal),
                              "heldout_accuracy": round(float(right.mean()), 4), "heldout_examples": len(held),
                              "heldout_interval": [round(low, 4), round(high, 4)]},
                  "note": "conditional logit on the calibrate split of tests/data/pronouns.tsv"}}
        with open(args.preset, "w", encoding="utf-8") as file:
            file.write(json.dumps(preset, indent=1) + "\n")
        w = np.array([t["weight"] for t in terms])
    if args.reference:
        with open(args.reference, "w", encoding="utf-8") as file:
            for row, value in zip(rows, logs):
                c = row["content"]
                z = (w @ value)[c]
                p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
                file.write(json.dumps({"id": row["id"], "candidates": [row["text"][slice(*row["words"][i])] for i in c],
                                       "words": c, "scores": [round(float(v), 6) for v in p],
                                       "antecedent": c.index(row["antecedent"])}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
