"""The safetensors format: 8 bytes with the size of a JSON header, the header, the tensors one after another."""
import json
import os
import struct


class Writer:
    """Writes tensors of known shapes, (name, dtype as the format calls it, shape), in the order in which they are
    declared, so that never more than one need be in memory."""
    SIZES = {"F32": 4, "F16": 2, "BF16": 2}

    def __init__(self, path, declared):
        self.path, self.waiting, header, at = path, [], {"__metadata__": {"format": "pt"}}, 0
        for name, dtype, shape in declared:
            size = self.SIZES[dtype]
            for n in shape:
                size *= n
            header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
            self.waiting.append((name, size))
            at += size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self.file = open(path, "wb")
        self.file.write(struct.pack("<Q", len(text)) + text)

    def put(self, name, data):
        expected, size = self.waiting.pop(0)
        data = memoryview(data).cast("B")
        if name != expected or len(data) != size:
            raise ValueError(f"{name} with {len(data)} bytes instead of {expected} with {size}")
        self.file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.file.close()
        if kind is None and self.waiting:
            raise ValueError(f"{self.path}: {len(self.waiting)} tensors were not written")


def read_header(path):
    """({name: {dtype, shape, data_offsets}}, where the data begin)."""
    with open(path, "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        if size > os.path.getsize(path):
            raise ValueError(f"{path}: no safetensors file")
        header = json.loads(f.read(size))
    header.pop("__metadata__", None)
    return header, 8 + size


def read_arrays(path):
    """{name: numpy array as float32}."""
    import numpy
    header, begin = read_header(path)
    stored = numpy.memmap(path, dtype=numpy.uint8, mode="r")
    arrays = {}
    for name, tensor in header.items():
        dtype = {"F32": numpy.float32, "F16": numpy.float16}[tensor["dtype"]]
        first, last = (begin + offset for offset in tensor["data_offsets"])
        arrays[name] = stored[first:last].view(dtype).reshape(tensor["shape"]).astype(numpy.float32)
    return arrays
