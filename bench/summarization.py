#!/usr/bin/env python3
"""Scores extractive summaries with ROUGE, beside lead, TextRank and LexRank.

    summarization.py DATA.jsonl... [--outputs NAME=FILE.jsonl]... [--attend CLIENT --model NAME...] [--sumy]

DATA: JSON lines with "id", "sentences", "references", "k" (sentences a summary may take) and, where known, "oracle" (the
indices of the best ones). With --attend the client asks the server at ATTEND_ADDRESS for a summary of each document (its
"document", or its sentences joined by spaces: the server finds the sentences and the kind of text by itself). FILE: JSON lines with "id" and either "selected" (indices of sentences) or "summary" (the text).
Prints one table for each set: F1 x 100 of ROUGE-1, -2 and -L, each with a 95 % interval, and the mean of the three against
each baseline. Intervals are bootstrapped over documents; of differences, over the same documents on both sides.
"""
import argparse
import json
import os
import subprocess
import sys

from lib import extractive, rouge
from lib.figures import bootstrap_mean
from lib.pairs import table


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--outputs", action="append", default=[], metavar="NAME=FILE", help="summaries to score")
    parser.add_argument("--attend", metavar="CLIENT", help="build/release/bin/attend")
    parser.add_argument("--model", action="append", default=[], metavar="NAME", help="ask this model, with --attend")
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


def ask_server(client, model, documents):
    """id -> row of outputs, from one run of the client for each length of summary."""
    rows = {}
    for k in sorted({document["k"] for document in documents}):
        asked = [document for document in documents if document["k"] == k]
        texts = [" ".join((d.get("document") or " ".join(d["sentences"])).split()) for d in asked]
        run = subprocess.run([client, "summarize", "--lines", "--json", "--sentences", str(k), "--model", model, "-"],
                             input="\n".join(texts) + "\n", stdout=subprocess.PIPE, text=True)
        if run.returncode != 0:
            sys.exit(f"{client} summarize ended with {run.returncode}")
        answers = [json.loads(line) for line in run.stdout.splitlines()]
        if len(answers) != len(asked):
            sys.exit(f"{client}: {len(answers)} summaries of {len(asked)} documents")
        for document, answer in zip(asked, answers):
            rows[document["id"]] = {"summary": answer["text"]}
    return rows


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
    if bool(args.attend) != bool(args.model):
        sys.exit("--attend and --model go together")
    outputs = [read_outputs(option) for option in args.outputs]
    for path in args.data:
        documents = read_lines(path)
        asked = [(f"attend {model}", ask_server(args.attend, model, documents)) for model in args.model]
        scores, names = evaluate(documents, outputs + asked, args.sumy)
        print(f"\n{os.path.basename(path)}: {len(documents)} documents\n\n{report(scores, names, args)}")


if __name__ == "__main__":
    main()
