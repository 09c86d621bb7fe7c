"""A SentencePiece model in which every word is one piece. The file is a protobuf message; the few fields that are
needed are written by hand: ModelProto{1: pieces, 2: TrainerSpec, 3: NormalizerSpec}, SentencePiece{1: piece, 2: score,
3: type}."""
import struct

NORMAL, UNKNOWN, CONTROL = 1, 2, 3
UNIGRAM = 1


def _varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _integer(field, value):
    return _varint(field << 3) + _varint(value)


def _bytes(field, value):
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _piece(text, score, kind):
    return _bytes(1, _bytes(1, text.encode()) + _varint(2 << 3 | 5) + struct.pack("<f", score) + _integer(3, kind))


def model_bytes(words):
    """Every word costs the same, an unknown character costs more than any word, so a word is never cut."""
    out = [_piece("</s>", 0, CONTROL), _piece("<unk>", 0, UNKNOWN)]
    out += [_piece("▁" + word, -1, NORMAL) for word in words]
    trainer = _integer(3, UNIGRAM) + _integer(4, len(words) + 2)
    normalizer = _bytes(1, b"identity") + _integer(3, 1) + _integer(4, 1) + _integer(5, 1)
    return b"".join(out) + _bytes(2, trainer) + _bytes(3, normalizer)
