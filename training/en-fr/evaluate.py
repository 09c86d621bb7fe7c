"""Scores translations of a test set: those transformers makes with the checkpoint, and, beside them, the server's.

    python evaluate.py --model ../../models/en-fr --source test.en.gz --refs test.refs.gz --beams 1 \
        [--hypotheses server-output.txt] [--limit N]

Prints BLEU (all references, and the first only) and chrF (sacrebleu), and with --hypotheses how many lines are the same;
each line that differs is listed with the logit gap between the two first differing tokens, as transformers sees it:
a gap near zero is a rounding tie, a large one is a bug.
"""
import argparse

import sacrebleu
import torch
from transformers import MarianMTModel, MarianTokenizer

from prepare import read_lines
from train import translate


def score(name, hypotheses, refs):
    width = max(map(len, refs))
    streams = [[r[n] if n < len(r) else None for r in refs] for n in range(width)]
    print(f"{name}: BLEU {sacrebleu.corpus_bleu(hypotheses, streams).score:.2f}"
          f"  chrF {sacrebleu.corpus_chrf(hypotheses, [[r[n] if n < len(r) else '' for r in refs] for n in range(width)]).score:.2f}"
          f"  single-reference BLEU {sacrebleu.corpus_bleu(hypotheses, [[r[0] for r in refs]]).score:.2f}", flush=True)


def first_gap(model, tok, source, ours, theirs):
    """Difference of the logits of the two tokens where the translations first part, after their common prefix."""
    a, b = (tok(text_target=t).input_ids for t in (ours, theirs))
    n = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)) - 1)
    decoder_input = torch.tensor([[model.config.decoder_start_token_id] + a[:n]])
    with torch.no_grad():
        logits = model(**tok([source], return_tensors="pt"), decoder_input_ids=decoder_input).logits[0, -1]
    return float(logits[b[n]] - logits[a[n]])


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--model", required=True)
    p.add_argument("--source", required=True)
    p.add_argument("--refs", required=True, help="one line a sentence, references separated by tabs")
    p.add_argument("--beams", type=int, default=1)
    p.add_argument("--limit", type=int)
    p.add_argument("--hypotheses", help="the server's translations, one a line")
    p.add_argument("--out", help="write transformers' translations here")
    a = p.parse_args()
    tok = MarianTokenizer.from_pretrained(a.model)
    model = MarianMTModel.from_pretrained(a.model).float().eval()
    source = read_lines(a.source)[:a.limit]
    refs = [r.split("\t") for r in read_lines(a.refs)[:a.limit]]
    theirs = translate(model, tok, source, beams=a.beams, max_new_tokens=128)
    if a.out:
        with open(a.out, "w", encoding="utf-8") as f:
            f.writelines(line + "\n" for line in theirs)
    score(f"transformers, beam {a.beams}", theirs, refs)
    if a.hypotheses:
        ours = read_lines(a.hypotheses)[:a.limit]
        score("server", ours, refs)
        differ = [i for i in range(len(source)) if ours[i] != theirs[i]]
        print(f"same text: {len(source) - len(differ)} of {len(source)} lines ({100 * (1 - len(differ) / len(source)):.2f} %)")
        for i in differ:
            print(f"line {i + 1}: {source[i]}\n  server       {ours[i]}\n  transformers {theirs[i]}\n"
                  f"  logit gap {first_gap(model, tok, source[i], ours[i], theirs[i]):.6f}")


if __name__ == "__main__":
    main()
