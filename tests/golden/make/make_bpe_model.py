#!/usr/bin/env python3
"""Trains the small BPE models of tests/golden/sentencepiece: make_bpe_model.py FOLDER

Needs sentencepiece 0.2.0. The text is the other golden folders' own; without a normalisation table the files stay small.
"""
import io
import pathlib
import sys

import sentencepiece

import corpus_shared as corpus

TEXT = [side for pair in corpus.PAIRS for side in pair] + corpus.EXTRA_TEXT + corpus.GERMAN
MODELS = {
    "bpe.model": dict(vocab_size=400, user_defined_symbols=["<x>", "ing ", "\u2581the"]),
    "bpe_bytes.model": dict(vocab_size=600, byte_fallback=True, split_digits=True),
}


def main():
    folder = pathlib.Path(sys.argv[1])
    for name, options in MODELS.items():
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXT), model_writer=model, model_type="bpe", normalization_rule_name="identity",
            num_threads=1, minloglevel=2, **options)
        (folder / name).write_bytes(model.getvalue())


if __name__ == "__main__":
    main()
