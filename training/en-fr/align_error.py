"""Alignment error rate of the server's word links against an eflomal alignment of the same pairs.

    attend align --source-file pairs.en --target-file pairs.fr --json > links.jsonl
    python align_error.py --data DATA --links links.jsonl

eflomal aligns the pairs together with the training text (it is an unsupervised aligner and needs much of it), in both
directions; links that both directions propose are "sure", those that grow-diag adds are "possible". AER as Och & Ney 2003:
1 - (|A & S| + |A & P|) / (|A| + |S|). Words are the server's own (source_words, target_words of the JSON).
"""
import argparse
import json

from prepare import align_directions, read_lines, read_sources, select, symmetrize, words_of


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", required=True, help="training corpus that eflomal also reads")
    p.add_argument("--sources", default="sources.tsv")
    p.add_argument("--links", required=True, help="JSON lines of `attend align --json`")
    a = p.parse_args()
    rows = [json.loads(line) for line in read_lines(a.links) if line.strip()]
    lower = lambda words: [w["text"].lower().replace(" ", "_") for w in words]
    tested = [(lower(r["source_words"]), lower(r["target_words"])) for r in rows]
    corpus = [(words_of(s)[0], words_of(t)[0]) for s, t, _ in select(a.data, read_sources(a.sources))]
    both = tested + corpus
    gold = align_directions([s for s, _ in both], [t for _, t in both])[:len(rows)]
    hit_sure = hit_possible = num_links = num_sure = 0
    for row, (forward, reverse) in zip(rows, gold):
        sure, possible = forward & reverse, symmetrize(forward, reverse)
        links = {(link["source_word"], link["target_word"]) for link in row["links"]}
        hit_sure += len(links & sure)
        hit_possible += len(links & possible)
        num_links += len(links)
        num_sure += len(sure)
    print(f"{len(rows)} pairs, {num_links} links, {num_sure} sure: precision {hit_possible / num_links:.3f}"
          f"  recall {hit_sure / num_sure:.3f}  AER {1 - (hit_sure + hit_possible) / (num_links + num_sure):.3f}")


if __name__ == "__main__":
    main()
