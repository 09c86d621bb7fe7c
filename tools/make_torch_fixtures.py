#!/usr/bin/env python3
"""Writes the torch.save fixtures that the checkpoint tests read, and the seeds of the checkpoint fuzz targets.

Pinned: torch 2.6.0, safetensors 0.5 or newer (only for marian_tiny). Run by hand when a fixture is added; tests never
run it. Usage: tools/make_torch_fixtures.py
"""

import collections
import json
import pathlib
import pickle
import shutil
import struct
import zipfile

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "torch_bin"
SEEDS = ROOT / "tests" / "fuzz" / "seeds"


def mixed_state_dict():
    """One tensor of each kind that a state dict may hold."""
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4) * 0.5 - 2
    embedding = torch.linspace(-1, 1, 10).reshape(5, 2)
    cube = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    state = collections.OrderedDict()
    state["float32"] = base.clone()
    state["float16"] = torch.tensor([[1.0, -2.5], [6.1e-5, 5.96e-8], [65504.0, float("inf")]], dtype=torch.float16)
    state["bfloat16"] = torch.tensor([1.0, -3.140625, 1e-30, 3e38], dtype=torch.bfloat16)
    state["float64"] = torch.tensor([0.1, -1e300, 2.5], dtype=torch.float64)
    state["transposed"] = base.t()
    state["column"] = base[:, 1]
    state["permuted"] = cube.permute(2, 0, 1)
    state["offset_rows"] = base[1:]
    state["expanded"] = torch.tensor([[1.5], [2.5]]).expand(2, 3)
    state["shared.weight"] = embedding
    state["lm_head.weight"] = embedding
    state["parameter"] = torch.nn.Parameter(torch.tensor([4.0, 5.0, 6.0]))
    state["scalar"] = torch.tensor(7.25)
    state["empty"] = torch.zeros(0, 3)
    state["position_ids"] = torch.arange(5).expand((1, -1))
    state["int32"] = torch.tensor([-1, 2**31 - 1], dtype=torch.int32)
    state["int16"] = torch.tensor([-32768, 7], dtype=torch.int16)
    state["int8"] = torch.tensor([-128, 127], dtype=torch.int8)
    state["uint8"] = torch.tensor([0, 255], dtype=torch.uint8)
    state["bool"] = torch.tensor([True, False, True])
    state._metadata = collections.OrderedDict([("", {"version": 1}), ("shared", {"version": 2})])
    return state


def describe(state):
    """Values in row-major order, as exact as JSON allows; infinities become strings."""
    out = {}
    for name, tensor in state.items():
        values = tensor.detach().double().flatten().tolist()
        out[name] = {
            "dtype": str(tensor.dtype).replace("torch.", ""),
            "shape": list(tensor.shape),
            "values": [v if v not in (float("inf"), float("-inf")) else str(v) for v in values],
        }
    return out


def write_folder(name):
    folder = GOLDEN / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "fixture"}\n')
    return folder


def write_golden():
    state = mixed_state_dict()
    folder = write_folder("mixed")
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "expected.json").write_text(json.dumps(describe(state), indent=1) + "\n")

    folder = write_folder("sharded")
    shards = {
        "pytorch_model-00001-of-00002.bin": {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[3.0]])},
        "pytorch_model-00002-of-00002.bin": {"c": torch.tensor([4.0, 5.0, 6.0], dtype=torch.float16)},
    }
    weight_map = {}
    for shard, tensors in shards.items():
        torch.save(tensors, folder / shard)
        weight_map.update({tensor: shard for tensor in tensors})
    index = {"metadata": {"total_size": 18}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1) + "\n")

    folder = write_folder("before_1_6")
    torch.save({"a": torch.tensor([1.0])}, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)

    folder = write_folder("training_checkpoint")
    torch.save({"model": {"a": torch.tensor([1.0])}, "epoch": 3}, folder / "pytorch_model.bin")

    folder = write_folder("marian_tiny")
    from safetensors.torch import load_file

    torch.save(load_file(ROOT / "tests/golden/marian_tiny/model/model.safetensors"), folder / "pytorch_model.bin")


def safetensors(entries, metadata=None):
    header, content = {}, b""
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, dtype, shape, raw in entries:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(content), len(content) + len(raw)]}
        content += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content


class SystemCall:
    def __reduce__(self):
        import os

        return os.system, ("true",)


def write_seeds():
    for name in ("safetensors", "pytorch_archive", "json"):
        shutil.rmtree(SEEDS / name, ignore_errors=True)
        (SEEDS / name).mkdir(parents=True)

    folder = SEEDS / "safetensors"
    two = [("a", "F32", [2, 2], b"\0" * 16), ("b", "F16", [3], b"\1" * 6)]
    (folder / "two").write_bytes(safetensors(two, {"format": "pt"}))
    (folder / "scalar_and_empty").write_bytes(safetensors([("e", "BF16", [0, 4], b""), ("s", "I64", [], b"\2" * 8)]))
    (folder / "no_tensors").write_bytes(safetensors([]))
    (folder / "huge_dimensions").write_bytes(safetensors([("x", "F64", [1 << 62, 1 << 62], b"")]))
    (folder / "bad_type").write_bytes(safetensors([("x", "F8_E4M3", [1], b"\0")]))

    folder = SEEDS / "pytorch_archive"
    torch.save({"a": torch.tensor([1.0, 2.0])}, folder / "one")
    state = collections.OrderedDict(a=torch.arange(6.0).reshape(2, 3).t(), b=torch.tensor(3))
    state._metadata = {"": {"version": 1}}
    torch.save(state, folder / "transposed")
    torch.save({"a": torch.tensor([1.0])}, folder / "before_1_6", _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(folder / "transposed") as archive:
        (folder / "pickle").write_bytes(archive.read("transposed/data.pkl"))
    (folder / "pickle_system").write_bytes(pickle.dumps({"a": SystemCall()}, protocol=2))
    with zipfile.ZipFile(folder / "deflated", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("x/data.pkl"), b"\x80\x02}." * 20, zipfile.ZIP_DEFLATED)

    folder = SEEDS / "json"
    texts = {
        "config": b'{"d_model": 32, "scale_embedding": true, "eps": 1e-5, "a": [1, -2, 3.5], "n": null, "o": {"k": "v"}}',
        "vocabulary": '{"</s>": 0, "\u2581the": 1, "\\u00e9": 2}'.encode(),
        "numbers": b"[0, -0, 9223372036854775807, 18446744073709551615, 1e308, -1.5E-3]",
        "strings": '["", "\\n\\"\\\\", "\\ud83d\\ude00", "\u00df\u6f22\U0001f600"]'.encode(),
        "deep": b"[" * 60 + b"]" * 60,
        "index": b'{"metadata": {"total_size": 8}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}',
        "scalar": b"null",
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text)


if __name__ == "__main__":
    torch.manual_seed(0)
    write_golden()
    write_seeds()
