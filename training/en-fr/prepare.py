"""Parallel corpus -> what train.py reads.

Reads  DATA/{train,dev}.{en,fr}.gz and DATA/train.src.gz (the source of each line), sources.tsv (which sources, how
often, how long), and own_pairs.py.
Writes OUT/{source,target}.spm (one joint SentencePiece unigram model), vocab.json and tokenizer_config.json, so that
transformers.MarianTokenizer loads the folder, and OUT/{train,dev}.npz: flat id arrays, offsets and piece alignments.

Alignments are made on words (eflomal, both directions, grow-diag) and carried to the pieces of those words: on pieces,
rare words are aligned badly.
"""
import argparse
import gzip
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import sentencepiece as spm

import own_pairs

TOKENIZER_FILES = ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json")
WORD = re.compile(r"\w+(?:'(?=\w))?|[^\w\s]")


def read_lines(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as f:
        return [line.rstrip("\n") for line in f]


def read_sources(path):
    """name -> (weight, longest) from sources.tsv."""
    out = {}
    for line in read_lines(path):
        if line and not line.startswith("#"):
            name, weight, longest, _ = line.split("\t")
            out[name] = (int(weight), int(longest))
    return out


def select(data, sources, long_share=0.0, long_words=40):
    """Pairs of the chosen sources, own sentences included, each once; returns [(source, target, weight)].

    Of the pairs that are longer than their source's limit, but not than `long_words`, a share is kept too."""
    rows = zip(read_lines(f"{data}/train.src.gz"), read_lines(f"{data}/train.en.gz"), read_lines(f"{data}/train.fr.gz"))
    own = (("own", s, t) for s, t in own_pairs.pairs())
    rng, kept, counts = random.Random(11), [], {}
    for name, s, t in list(rows) + list(own):
        weight, longest = sources.get(name, (0, 0))
        words = max(len(s.split()), len(t.split()))
        if weight and (words <= longest or (words <= long_words and rng.random() < long_share)):
            kept.append((s, t, weight))
            counts[name] = counts.get(name, 0) + 1
    print("pairs by source:", json.dumps(counts), flush=True)
    return kept


def join_some(pairs, count):
    """Texts of two to four sentences, from neighbours in the list: without them a model that only ever read single
    sentences stops after the first full stop."""
    rng, out = random.Random(12), []
    ends = (".", "!", "?", '"')
    whole = [(s, t) for s, t, _ in pairs if s.endswith(ends) and t.endswith(ends) and len(s.split()) <= 16]
    for _ in range(count if whole else 0):
        first = rng.randrange(len(whole) - 4)
        group = whole[first:first + rng.choice((2, 2, 2, 3, 3, 4))]
        out.append((" ".join(s for s, _ in group), " ".join(t for _, t in group), 1))
    return out


def symmetrize(forward, reverse):
    """grow-diag (Koehn et al. 2003) of two sets of (source, target) links."""
    union, links = forward | reverse, forward & reverse
    sources, targets = {s for s, _ in links}, {t for _, t in links}
    queue = sorted(links)
    while queue:
        s, t = queue.pop(0)
        for ds, dt in ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
            p = (s + ds, t + dt)
            if p in union and p not in links and (p[0] not in sources or p[1] not in targets):
                links.add(p); sources.add(p[0]); targets.add(p[1]); queue.append(p)
    return links


def align_directions(source_words, target_words):
    """eflomal in both directions: per pair the (forward, reverse) sets of (source, target) word links."""
    with tempfile.TemporaryDirectory() as work:
        path = {k: os.path.join(work, k) for k in "stfr"}
        with open(path["s"], "w") as fs, open(path["t"], "w") as ft:
            for s, t in zip(source_words, target_words):
                fs.write(" ".join(s) + "\n")
                ft.write(" ".join(t) + "\n")
        exe = os.path.join(os.path.dirname(sys.executable), "eflomal-align")
        subprocess.run([exe, "-s", path["s"], "-t", path["t"], "-f", path["f"], "-r", path["r"], "--overwrite"], check=True)
        parse = lambda line: {tuple(map(int, p.split("-"))) for p in line.split()}
        with open(path["f"]) as f, open(path["r"]) as r:
            return [(parse(a), parse(b)) for a, b in zip(f, r)]


def words_of(text):
    """Lower-cased words and their character ranges."""
    found = [(m.group().lower(), m.start(), m.end()) for m in WORD.finditer(text)]
    return [w for w, _, _ in found], [(a, b) for _, a, b in found]


def pieces_of_words(proto, ranges):
    """For each word the indices of the pieces that overlap it."""
    out = []
    for a, b in ranges:
        out.append([i for i, p in enumerate(proto.pieces) if p.begin < b and p.end > a and p.piece != "▁"])
    return out


def flatten(rows):
    rows = [np.asarray(r, np.int32).ravel() for r in rows]
    flat = np.concatenate(rows) if rows else np.zeros(0, np.int32)
    return flat, np.concatenate([[0], np.cumsum([r.size for r in rows])]).astype(np.int64)


def encode_split(sp, pairs, max_pieces, out, with_alignment):
    sources = [sp.encode(s, out_type="immutable_proto") for s, _, _ in pairs]
    targets = [sp.encode(t, out_type="immutable_proto") for _, t, _ in pairs]
    keep = [i for i in range(len(pairs)) if 0 < len(sources[i].pieces) <= max_pieces and 0 < len(targets[i].pieces) <= max_pieces]
    links = [[] for _ in keep]
    if with_alignment:
        sw, tw = [words_of(pairs[i][0]) for i in keep], [words_of(pairs[i][1]) for i in keep]
        for k, (forward, reverse) in enumerate(align_directions([w for w, _ in sw], [w for w, _ in tw])):
            found = sorted(symmetrize(forward, reverse))
            sp_of, tp_of = pieces_of_words(sources[keep[k]], sw[k][1]), pieces_of_words(targets[keep[k]], tw[k][1])
            links[k] = [(a, b) for s, t in found for a in sp_of[s] for b in tp_of[t]]
    ids = lambda proto: [p.id for p in proto.pieces]
    src, src_off = flatten([ids(sources[i]) for i in keep])
    tgt, tgt_off = flatten([ids(targets[i]) for i in keep])
    al, al_off = flatten(links)
    np.savez(out, src=src, src_off=src_off, tgt=tgt, tgt_off=tgt_off, al=al, al_off=al_off,
             weight=np.array([pairs[i][2] for i in keep], np.int8))
    print(os.path.basename(out), len(keep), "pairs,", src.size, "source and", tgt.size, "target pieces", flush=True)


def make_tokenizer(lines, size, out):
    """One joint SentencePiece model, in the files that transformers.MarianTokenizer reads."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as f:
        f.write("\n".join(lines))
        f.flush()
        spm.SentencePieceTrainer.train(
            input=f.name, model_prefix=f"{out}/source", vocab_size=size, model_type="unigram",
            character_coverage=0.9999, input_sentence_size=300000, shuffle_input_sentence=True,
            normalization_rule_name="nmt_nfkc", bos_id=-1, eos_id=0, unk_id=1, pad_id=-1, num_threads=2, minloglevel=1)
    os.replace(f"{out}/source.model", f"{out}/source.spm")
    os.remove(f"{out}/source.vocab")
    shutil.copy(f"{out}/source.spm", f"{out}/target.spm")
    sp = spm.SentencePieceProcessor(model_file=f"{out}/source.spm")
    vocab = {sp.id_to_piece(i): i for i in range(sp.get_piece_size())}
    vocab["<pad>"] = len(vocab)
    with open(f"{out}/vocab.json", "w", encoding="utf-8") as f:
        json.dump(vocab, f, ensure_ascii=False, indent=0)
    with open(f"{out}/tokenizer_config.json", "w") as f:
        json.dump({"source_lang": "en", "target_lang": "fr", "model_max_length": 512, "separate_vocabs": False,
                   "unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>", "tokenizer_class": "MarianTokenizer"}, f, indent=2)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", required=True, help="folder with train.{en,fr,src}.gz and dev.{en,fr}.gz")
    p.add_argument("--out", required=True)
    p.add_argument("--vocab", type=int, default=8000)
    p.add_argument("--max-pieces", type=int, default=64)
    p.add_argument("--vocab-from", help="a folder that this program wrote: use its vocabulary instead of making one")
    p.add_argument("--long-share", type=float, default=0.0, help="share of the pairs above their source's limit that is kept")
    p.add_argument("--joined", type=int, default=0, help="add so many texts of several sentences")
    p.add_argument("--limit", type=int, help="only so many pairs (for a trial)")
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    here = os.path.dirname(os.path.abspath(__file__))
    train = select(a.data, read_sources(os.path.join(here, "sources.tsv")), a.long_share)[:a.limit]
    train += join_some(train, a.joined)
    dev = [(s, t, 1) for s, t in zip(read_lines(f"{a.data}/dev.en.gz"), read_lines(f"{a.data}/dev.fr.gz"))]
    if a.vocab_from:
        for name in TOKENIZER_FILES:
            shutil.copy(f"{a.vocab_from}/{name}", a.out)
    else:
        make_tokenizer([x for pair in train for x in pair[:2]], a.vocab, a.out)
    sp = spm.SentencePieceProcessor(model_file=f"{a.out}/source.spm")
    encode_split(sp, train, a.max_pieces, f"{a.out}/train.npz", with_alignment=True)
    encode_split(sp, dev, a.max_pieces, f"{a.out}/dev.npz", with_alignment=False)


if __name__ == "__main__":
    main()
