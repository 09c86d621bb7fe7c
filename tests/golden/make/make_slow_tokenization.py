#!/usr/bin/env python3
"""What transformers' slow (Python) tokenizers make of folders without tokenizer.json.

    make_slow_tokenization.py GOLDEN_FOLDER OUTPUT.json [NUMBER_OF_RANDOM_TEXTS]

Each variant is a golden folder whose SentencePiece model stays as it is and whose configuration files are replaced, so
that every way of numbering tokens is there: today's folders, those of older releases, and bare ones. Needs
requirements.txt.
"""
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import sentencepiece
from transformers import AutoTokenizer
from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES as M2M_CODES

import corpus_shared as corpus

CONFIG, MAP, ADDED = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
TEXTS = corpus.TRICKY + [
    "a<extra_id_0>b", "  <extra_id_0>  <extra_id_1>x", "<extra_id_0>", "\u2581\u2581x \u2581", "x </s>", "</s>", "</s></s>",
    "<unk> <pad><s>x", "<mask>", "a  <mask>  b <mask_1>c<mask_2>", "<unk_2> <unk_102> <unk_103>", "__fr__ Oui", "a__de__",
    "fr_XX Oui en_XX", "fra_Latn Oui deu_Latnx", "x\u3000<mask>\u00A0<extra_id_2>\x1cy", "\uff1c/s\uff1e", "the thing \u4e2d\u6587",
]
HARD = ["<extra_id_0>", "<extra_id_1>", "<extra_id_11>", "<mask>", "<mask_1>", "</s>", "<s>", "<pad>", "<unk>", "__fr__", "fr_XX",
        "en_XX", "fra_Latn", "<unk_2>", " ", "  ", "\n", "\t", "\u00a0", "\u3000", "\u2581", "\u200b", "\ufeff", "\x1c", "\x00", "\u00e9",
        "e\u0301", "\ufb01", "\uff21", "\u4e2d", "\ud55c", "\U0001f600", "<", ">", "_", "the", "The ", "ing", "a", "b", "Oui", ".", ",", "'s", "1", "23"]


def bpe_vocabulary(golden):
    model = sentencepiece.SentencePieceProcessor(model_file=str(golden / "sentencepiece/bpe.model"))
    pieces = ["<s>", "<pad>", "</s>", "<unk>"] + [model.id_to_piece(i) for i in range(3, model.get_piece_size())]
    return {piece: i for i, piece in enumerate(pieces)}


def variants(golden):
    def config(base, **changes):
        kept = json.loads((golden / base / "model" / CONFIG).read_text())
        kept.update(changes)
        return {key: value for key, value in kept.items() if value != "absent"}

    same = ["t5_tiny", "flan_t5_tiny", "pegasus_tiny", "mbart50_tiny", "m2m100_tiny", "nllb_tiny"]
    for base in same:
        yield base, base, {CONFIG: config(base)}
    yield "t5 bare", "t5_tiny", {}
    yield "t5 from its older files", "t5_tiny", {
        CONFIG: {"extra_ids": 20, "model_max_length": 512},
        MAP: json.loads((golden / "t5_tiny/model" / MAP).read_text())}
    yield "t5 without a prefix space", "flan_t5_tiny", {CONFIG: config("flan_t5_tiny", add_prefix_space=False)}
    yield "t5 with tokens of its own", "t5_tiny", {
        CONFIG: {"additional_special_tokens": ["<sep>"], "extra_ids": 4, "clean_up_tokenization_spaces": True},
        ADDED: {"<sep>": 330, "<new>": 331}}
    yield "pegasus bare", "pegasus_tiny", {}
    yield "pegasus without a sentence mask", "pegasus_tiny", {CONFIG: {"mask_token_sent": None, "offset": 10}}
    yield "mbart bare", "mbart50_tiny", {CONFIG: {"src_lang": "de_DE", "tgt_lang": "fr_XX", "tokenizer_class": "MBartTokenizer"}}
    yield "mbart50 bare", "mbart50_tiny", {CONFIG: {"tokenizer_class": "MBart50Tokenizer", "src_lang": "uk_UA", "tgt_lang": "en_XX"}}
    hub = {"src_lang": None, "tgt_lang": "de", "language_codes": "m2m100", "tokenizer_class": "M2M100Tokenizer",
           "additional_special_tokens": [f"__{code}__" for code in M2M_CODES["m2m100"]]}
    yield "m2m100 as on the hub", "m2m100_tiny", {CONFIG: hub}
    yield "wmt21", "m2m100_tiny", {CONFIG: dict(
        hub, language_codes="wmt21", additional_special_tokens=[f"__{code}__" for code in M2M_CODES["wmt21"]])}
    yield "m2m100 of type BPE", "m2m100_tiny", {CONFIG: hub, "vocab.json": bpe_vocabulary(golden)}
    yield "nllb bare", "nllb_tiny", {CONFIG: {"tokenizer_class": "NllbTokenizer", "tgt_lang": "zho_Hant"}}
    yield "nllb with the language last", "nllb_tiny", {CONFIG: config("nllb_tiny", legacy_behaviour=True)}


def random_texts(count):
    rng = random.Random(3)
    return ["".join(rng.choice(HARD) for _ in range(rng.randint(1, 12))) for _ in range(count)]


def describe(golden, name, base, files, texts):
    is_bpe = "vocab.json" in files
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        source = golden / base / "model"
        for file in ["spiece.model", "sentencepiece.bpe.model", "vocab.json"]:
            if (source / file).exists():
                shutil.copyfile(source / file, folder / file)
        if is_bpe:
            shutil.copyfile(golden / "sentencepiece/bpe.model", folder / "sentencepiece.bpe.model")
        model_config = json.loads((source / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(model_config))
        for file, content in files.items():
            (folder / file).write_text(json.dumps(content))
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=False)
    ids = sorted(set(tokenizer.get_vocab().values()))
    vocab_size = max(ids + [0] + list(getattr(tokenizer, "lang_code_to_id", {}).values())) + 1
    out = {"name": name, "base": base, "class": type(tokenizer).__name__, "vocab_size": vocab_size, "files": {name: json.dumps(content) for name, content in files.items()},
           "is_bpe": is_bpe, "special_ids": sorted(set(tokenizer.all_special_ids)), "cases": [], "decode_cases": []}
    has_target = getattr(tokenizer, "tgt_lang", None) is not None
    for text in texts:
        case = {"ids": tokenizer(text)["input_ids"]}
        if has_target:
            case["target_ids"] = tokenizer(text_target=text)["input_ids"]
        out["cases"].append(case)
    rng = random.Random(5)
    lists = [case["ids"] for case in out["cases"]]
    lists += [[rng.choice(ids) for _ in range(rng.randint(1, 14))] for _ in range(20)]
    lists += [[rng.choice(out["special_ids"] + ids[-3:] + ids[100:110]) for _ in range(rng.randint(1, 8))] for _ in range(20)]
    for each in lists:
        out["decode_cases"].append({"ids": each, "decoded": tokenizer.decode(each, skip_special_tokens=True),
                                    "decoded_with_special": tokenizer.decode(each, skip_special_tokens=False)})
    return out


def main():
    golden = pathlib.Path(sys.argv[1])
    texts = TEXTS + random_texts(int(sys.argv[3]) if len(sys.argv) > 3 else 10)
    out = {"texts": texts, "variants": [describe(golden, *variant, texts) for variant in variants(golden)]}
    with open(sys.argv[2], "w") as file:
        json.dump(out, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
