"""A Hugging Face folder of the Marian family as a CTranslate2 model, without torch and transformers. What is set, and
how, is what CTranslate2's own converter sets for this family. Its tokens are called t0, t1, ... after their ids."""
import json
import math
import os

import numpy
from ctranslate2.converters import utils
from ctranslate2.converters.converter import Converter
from ctranslate2.specs import common_spec, transformer_spec

from lib import safetensors

ACTIVATIONS = {"relu": common_spec.Activation.RELU, "swish": common_spec.Activation.SWISH}
TABLES = ("model.shared.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight")


def token(token_id):
    return f"t{token_id}"


class MarianFolder(Converter):
    def __init__(self, folder):
        self.folder = folder

    def _load(self):
        with open(os.path.join(self.folder, "config.json"), encoding="utf-8") as f:
            config = json.load(f)
        weights = safetensors.read_arrays(os.path.join(self.folder, "model.safetensors"))
        spec = transformer_spec.TransformerSpec.from_config(
            (config["encoder_layers"], config["decoder_layers"]), config["encoder_attention_heads"], pre_norm=False,
            activation=ACTIVATIONS[config["activation_function"]])
        table = next(weights[name] for name in TABLES if name in weights)
        bias = weights["final_logits_bias"].reshape(-1)
        start = config["eos_token_id"]
        # The last row is padding, from which the decoder starts. As a rule it is zeros: there is a flag for that, and
        # without the row it cannot be chosen. A model that has learnt another start keeps it, and never chooses it.
        spec.decoder.start_from_zero_embedding = not table[-1].any()
        if spec.decoder.start_from_zero_embedding:
            table, bias = table[:-1], bias[:-1]
        else:
            start = config["decoder_start_token_id"]
            bias[-1] = -1e9
        for side in ("encoder", "decoder"):
            _set_stack(getattr(spec, side), weights, f"model.{side}.", table, config)
        spec.decoder.projection.weight = table
        if bias.any():
            spec.decoder.projection.bias = bias
        names = [token(i) for i in range(len(table))]
        spec.register_source_vocabulary(names)
        spec.register_target_vocabulary(names)
        spec.config.eos_token, spec.config.decoder_start_token = token(config["eos_token_id"]), token(start)
        spec.config.unk_token = token(1)
        return spec


def _set_stack(spec, weights, prefix, table, config):
    spec.scale_embeddings = math.sqrt(config["d_model"]) if config["scale_embedding"] else 1.0
    embeddings = spec.embeddings[0] if isinstance(spec.embeddings, list) else spec.embeddings
    embeddings.weight = table
    spec.position_encodings.encodings = _positions(config["max_position_embeddings"], config["d_model"])
    for i, layer in enumerate(spec.layer):
        at = f"{prefix}layers.{i}."
        _set_attention(layer.self_attention, weights, at + "self_attn", [("q", "k", "v")])
        if hasattr(layer, "attention"):
            _set_attention(layer.attention, weights, at + "encoder_attn", [("q",), ("k", "v")])
        _set_linear(layer.ffn.linear_0, weights, at + "fc1")
        _set_linear(layer.ffn.linear_1, weights, at + "fc2")
        _set_norm(layer.ffn.layer_norm, weights, at + "final_layer_norm")


def _set_attention(spec, weights, at, groups):
    for linear, projections in zip(spec.linear, groups):
        parts = [common_spec.LinearSpec() for _ in projections]
        for part, projection in zip(parts, projections):
            _set_linear(part, weights, f"{at}.{projection}_proj")
        utils.fuse_linear(linear, parts)
    _set_linear(spec.linear[-1], weights, at + ".out_proj")
    _set_norm(spec.layer_norm, weights, at + "_layer_norm")


def _set_linear(spec, weights, at):
    spec.weight, spec.bias = weights[at + ".weight"], weights[at + ".bias"]


def _set_norm(spec, weights, at):
    spec.gamma, spec.beta = weights[at + ".weight"], weights[at + ".bias"]


def _positions(count, size):
    """Sines in the first half, cosines in the second."""
    angles = numpy.arange(count)[:, None] / numpy.power(10000, 2 * numpy.arange(size // 2) / size)[None, :]
    return numpy.concatenate([numpy.sin(angles), numpy.cos(angles)], axis=1).astype(numpy.float32)


def convert(folder, out, compute_type):
    """Weights are stored in that type, so that a load need not quantise."""
    MarianFolder(folder).convert(out, quantization=compute_type, force=True)
