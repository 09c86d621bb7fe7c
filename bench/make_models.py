#!/usr/bin/env python3
"""Writes Hugging Face folders of realistic sizes with random weights, each with a workload and a tokenizer.

    make_models.py --out DIR [--which opus,tiny] [--seed 1] [--sentences 512]

Every word of the tokenizer is one token: "w123" has id 123, so texts and ids say the same, and the folder can be served
to callers who send text. Needs numpy.
"""
import argparse
import json
import math
import os

from lib import safetensors, sentencepiece_file, workloads

MODELS = {
    "opus": dict(hidden=512, encoder=6, decoder=6, ffn=2048, heads=8, vocab=59514),  # the size of opus-mt-en-fr
    "tiny": dict(hidden=256, encoder=6, decoder=2, ffn=1024, heads=8, vocab=8001),  # a student
    "toy": dict(hidden=16, encoder=1, decoder=1, ffn=32, heads=2, vocab=101),  # for tests
}
EMBEDDINGS = "model.shared.weight"


def config_of(size):
    pad = size["vocab"] - 1
    return {
        "architectures": ["MarianMTModel"], "model_type": "marian", "is_encoder_decoder": True, "torch_dtype": "float32",
        "activation_function": "swish", "d_model": size["hidden"], "max_position_embeddings": 512,
        "encoder_layers": size["encoder"], "decoder_layers": size["decoder"], "num_hidden_layers": size["encoder"],
        "encoder_ffn_dim": size["ffn"], "decoder_ffn_dim": size["ffn"],
        "encoder_attention_heads": size["heads"], "decoder_attention_heads": size["heads"],
        "vocab_size": size["vocab"], "decoder_vocab_size": size["vocab"], "scale_embedding": True,
        "share_encoder_decoder_embeddings": True, "static_position_embeddings": True, "normalize_before": False,
        "normalize_embedding": False, "bos_token_id": 0, "eos_token_id": 0, "forced_eos_token_id": None,
        "pad_token_id": pad, "decoder_start_token_id": pad,
    }


def tensors_of(size):
    """(name, shape) of every stored tensor."""
    hidden, ffn = size["hidden"], size["ffn"]
    yield EMBEDDINGS, (size["vocab"], hidden)
    yield "final_logits_bias", (1, size["vocab"])
    for side in ("encoder", "decoder"):
        attentions = ["self_attn"] + (["encoder_attn"] if side == "decoder" else [])
        for layer in range(size[side]):
            prefix = f"model.{side}.layers.{layer}."
            linear = {f"{a}.{p}_proj": (hidden, hidden) for a in attentions for p in ("k", "v", "q", "out")}
            linear.update({"fc1": (ffn, hidden), "fc2": (hidden, ffn)})
            for name, shape in linear.items():
                yield prefix + name + ".weight", shape
                yield prefix + name + ".bias", shape[:1]
            for norm in [a + "_layer_norm" for a in attentions] + ["final_layer_norm"]:
                yield prefix + norm + ".weight", (hidden,)
                yield prefix + norm + ".bias", (hidden,)


def values_of(name, shape, draw):
    """Activations that neither vanish nor explode, and logits with few near-ties."""
    import numpy  # only here and in write_model: what writes files is tested where there is no numpy
    if name == "final_logits_bias":
        return numpy.zeros(shape, numpy.float32)
    if name.endswith("layer_norm.weight"):
        return numpy.ones(shape, numpy.float32)
    scale = 0.02 if len(shape) == 1 else (2.0 if name == EMBEDDINGS else 1.0) / math.sqrt(shape[-1])
    values = draw.standard_normal(shape, numpy.float32) * numpy.float32(scale)
    if name == EMBEDDINGS:
        values[-1] = 0  # as in every Marian model: padding, from which the decoder starts
    return values


def write_tokenizer(folder, vocab):
    words = [f"w{i}" for i in range(workloads.FIRST_WORD, vocab - 1)]
    for name in ("source.spm", "target.spm"):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(sentencepiece_file.model_bytes(words))
    pieces = ["</s>", "<unk>"] + ["▁" + word for word in words] + ["<pad>"]
    write_json(folder, "vocab.json", {piece: i for i, piece in enumerate(pieces)})
    write_json(folder, "tokenizer_config.json", {
        "tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "fr", "model_max_length": 512,
        "separate_vocabs": False, "unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>"})


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        json.dump(value, f, indent=1, ensure_ascii=False)


def write_model(folder, size, seed, sentences):
    import numpy
    os.makedirs(folder, exist_ok=True)
    pad = size["vocab"] - 1
    write_json(folder, "config.json", config_of(size))
    write_json(folder, "generation_config.json", {
        "bad_words_ids": [[pad]], "eos_token_id": 0, "pad_token_id": pad, "decoder_start_token_id": pad,
        "max_length": 512, "num_beams": 1})
    write_tokenizer(folder, size["vocab"])
    workloads.write(os.path.join(folder, "workload.jsonl"), workloads.make(sentences, size["vocab"], seed))
    draw = numpy.random.default_rng(seed)
    declared = [(name, "F32", shape) for name, shape in tensors_of(size)]
    # Under another name until it is whole: an interrupted run must not leave a folder that looks finished.
    path = os.path.join(folder, "model.safetensors")
    with safetensors.Writer(path + ".part", declared) as writer:
        for name, _, shape in declared:
            writer.put(name, values_of(name, shape, draw))
    os.replace(path + ".part", path)
    return sum(math.prod(shape) for _, _, shape in declared)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--which", default="opus,tiny", help="of " + ", ".join(MODELS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentences", type=int, default=512)
    args = parser.parse_args()
    for name in args.which.split(","):
        folder = os.path.join(args.out, name)
        parameters = write_model(folder, MODELS[name], args.seed, args.sentences)
        print(json.dumps({"model": name, "parameters": parameters, "folder": folder}), flush=True)


if __name__ == "__main__":
    main()
