# -*- coding: utf-8 -*-
"""Small tokenizer.json files that use what the model folders beside them do not, and what `tokenizers` makes of some texts.

    python make_tokenizer_variants.py ../tokenizer_variants

Writes NAME.json (a tokenizer.json) and NAME.cases.json for each variant.
"""
import json
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import corpus_shared as corpus

TEXTS = [a for a, _ in corpus.PAIRS] + [b for _, b in corpus.PAIRS]
CASES = corpus.TEST_INPUTS[:6] + corpus.TRICKY + [
    "a  b   c\n\nd \t e", "1234567 and 89, 3.14", "don't WON'T I'll", "naïve Ångström ﬁn ½ İ",
    "e\u0301 a\u0323\u0307 \u1100\u1161\u11a8 \ufb01", "snow_case CamelCase x<tok>y <tok> ztok tok tok2",
    "日本語 🦊 \U0001f468\u200d\U0001f469", " lead and trail ", "\u0007bell\u00a0nbsp\u200bzw", "",
]
BYTES = ["<0x%02X>" % byte for byte in range(256)]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def bpe(specials, size=300, alphabet=(), **options):
    tokenizer = Tokenizer(models.BPE(**options))
    trainer_options = {key: options[key] for key in ("continuing_subword_prefix", "end_of_word_suffix") if key in options}
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=specials, initial_alphabet=list(alphabet),
                                  show_progress=False, **trainer_options)
    return tokenizer, trainer


def llama2():
    tokenizer, trainer = bpe(["<unk>", "<s>", "</s>"] + BYTES, 420, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return tokenizer


def llama3():
    tokenizer, trainer = bpe(["<|end|>"], 330, pre_tokenizers.ByteLevel.alphabet(), ignore_merges=True)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(single="<|end|> $A", pair="<|end|> $A $B", special_tokens=[("<|end|>", 0)])])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def end_of_word():
    tokenizer, trainer = bpe(["<unk>"], 260, unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=False)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_tokens([AddedToken("tok", single_word=True, normalized=True), AddedToken("<tok>", lstrip=True, rstrip=True)])
    tokenizer.post_processor = processors.BertProcessing(("<unk>", 0), ("<unk>", 0))
    tokenizer.decoder = decoders.BPEDecoder("</w>")
    return tokenizer


def continuing():
    tokenizer, trainer = bpe(["<unk>"], 260, unk_token="<unk>", continuing_subword_prefix="@@", fuse_unk=True)
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Nmt()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("merged_with_previous"), pre_tokenizers.Digits()])
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.decoder = decoders.WordPiece(prefix="@@", cleanup=False)
    return tokenizer


def unigram_bytes():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    trainer = trainers.UnigramTrainer(vocab_size=150, special_tokens=["<unk>"] + BYTES, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    state = json.loads(tokenizer.to_str())
    state["model"]["byte_fallback"] = True
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_tokens([AddedToken("<tok>", normalized=False)])
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
    return tokenizer


def cased_wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=12))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, handle_chinese_chars=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Split("_", behavior="removed"),
         pre_tokenizers.Split(Regex("[A-Z][a-z]+"), behavior="contiguous")])
    tokenizer.train_from_iterator(TEXTS, trainers.WordPieceTrainer(
        vocab_size=200, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False))
    return tokenizer


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    for make in (llama2, llama3, end_of_word, continuing, unigram_bytes, cased_wordpiece):
        tokenizer = make()
        (out / (make.__name__ + ".json")).write_text(tokenizer.to_str() + "\n", encoding="utf-8")
        cases = []
        for text in CASES:
            encoded = tokenizer.encode(text)
            cases.append({
                "text": text, "ids": encoded.ids,
                "offsets": [list(offset) for offset in encoded.offsets],
                "decoded": tokenizer.decode(encoded.ids), "decoded_with_special": tokenizer.decode(encoded.ids, skip_special_tokens=False)})
        (out / (make.__name__ + ".cases.json")).write_text(json.dumps({"cases": cases}) + "\n", encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
