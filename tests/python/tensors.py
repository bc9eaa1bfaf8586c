"""A safetensors reader and writer in a few lines, so that the comparisons need no package that Debian lacks."""
import json
import struct

import numpy

KINDS = {"F32": numpy.float32, "F64": numpy.float64, "U32": numpy.uint32, "I64": numpy.int64, "U8": numpy.uint8}
NAMES = {numpy.dtype(kind): name for name, kind in KINDS.items()}


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = numpy.frombuffer(data[begin:end], KINDS[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def write(path, tensors):
    header, place, blobs = {}, 0, []
    for name, array in tensors.items():
        blob = numpy.ascontiguousarray(array).tobytes()
        kind = NAMES[numpy.asarray(array).dtype]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [place, place + len(blob)]}
        place += len(blob)
        blobs.append(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
