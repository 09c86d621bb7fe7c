#!/usr/bin/env python3
"""Scores extractive summaries with ROUGE, beside lead, TextRank and LexRank.

    summarization.py DATA.jsonl... [--outputs NAME=FILE.jsonl]... [--sumy]

DATA: JSON lines with "id", "sentences", "references", "k" (sentences a summary may take) and, where known, "oracle" (the
indices of the best ones). FILE: JSON lines with "id" and either "selected" (indices of sentences) or "summary" (the text).
Prints one table for each set: F1 x 100 of ROUGE-1, -2 and -L, each with a 95 % interval, and the mean of the three against
each baseline. Intervals are bootstrapped over documents; of differences, over the same documents on both sides.
"""
import argparse
import json
import os
import sys

from lib import extractive, rouge
from lib.figures import bootstrap_mean
from lib.pairs import table


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--outputs", action="append", default=[], metavar="NAME=FILE", help="summaries to score")
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sumy", action="store_true", help="also LexRank of the library sumy, which must be installed")
    return parser.parse_args()


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def read_outputs(option):
    name, _, path = option.partition("=")
    if not path:
        sys.exit(f"--outputs takes NAME=FILE, not {option}")
    return name, {row["id"]: row for row in read_lines(path)}


def summary_of(document, row):
    if "summary" in row:
        return row["summary"]
    return " ".join(document["sentences"][i] for i in sorted(row["selected"]))


def sumy_lexrank(sentences, k):
    """The library's own LexRank on the same words and sentences."""
    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
    from sumy.summarizers.lex_rank import LexRankSummarizer

    class Words:
        to_words = staticmethod(rouge.words)

    marked = [Sentence(sentence, Words) for sentence in sentences]
    chosen = LexRankSummarizer(str.lower)(ObjectDocumentModel([Paragraph(marked)]), k)
    place = {id(sentence): i for i, sentence in enumerate(marked)}
    return [place[id(sentence)] for sentence in chosen]


def baselines(document, with_sumy):
    """Name -> row of outputs."""
    sentences, k = document["sentences"], document["k"]
    rows = {name: {"selected": extractive.best(score(sentences), k)} for name, score in extractive.BASELINES.items()}
    if with_sumy:
        rows["sumy LexRank"] = {"selected": sumy_lexrank(sentences, k)}
    return rows


def evaluate(documents, outputs, with_sumy):
    """(name -> one (R1, R2, RL) a document, the names of baselines). An output that lacks a document is an error: leaving
    it out would make the sets differ."""
    scores = {}
    names = []
    for document in documents:
        rows = baselines(document, with_sumy)
        names = list(rows)
        for name, found in outputs:
            if document["id"] not in found:
                sys.exit(f"{name} has no summary of {document['id']}")
            rows[name] = found[document["id"]]
        if "oracle" in document:
            rows["oracle"] = {"selected": document["oracle"]}
        for name, row in rows.items():
            scores.setdefault(name, []).append(rouge.score(summary_of(document, row), document["references"]))
    return scores, names


def mean(values):
    return sum(values) / len(values)


def with_interval(values, args, sign=""):
    low, high = bootstrap_mean(values, args.resamples, args.seed)
    return f"{mean(values):{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def report(scores, baseline_names, args):
    """The table: a line a method; behind it the mean of R1, R2 and RL minus that of each baseline."""
    means = {name: [mean(row) for row in rows] for name, rows in scores.items()}
    lines = []
    for name, rows in scores.items():
        cells = [name] + [with_interval(column, args) for column in zip(*rows)] + [f"{mean(means[name]):.2f}"]
        for baseline in baseline_names:
            differences = [a - b for a, b in zip(means[name], means[baseline])]
            cells.append("–" if name == baseline else with_interval(differences, args, "+"))
        lines.append(cells)
    return table(["method", *rouge.NAMES, "mean", *(f"against {name}" for name in baseline_names)], lines)


def main():
    args = parse()
    outputs = [read_outputs(option) for option in args.outputs]
    for path in args.data:
        documents = read_lines(path)
        scores, names = evaluate(documents, outputs, args.sumy)
        print(f"\n{os.path.basename(path)}: {len(documents)} documents\n\n{report(scores, names, args)}")


if __name__ == "__main__":
    main()
