"""How the files of bad inputs are made, and the list of the cases.

A case is a function named after its fault. It writes files into the folder it is given and returns the words of a relume
command; the name of the function, with dashes, is the name of the golden file with the message. Files are made by what a
user would have made them with, then damaged at one place, so that every message is about one fault.
"""
import io
import json
import struct
import zipfile

import numpy

TRAIN = ["-o", "run"]
CASES = []


def case(function):
    CASES.append((function.__name__.replace("_", "-"), function))
    return function


def npy_bytes(array):
    buffer = io.BytesIO()
    numpy.lib.format.write_array(buffer, numpy.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def npy_header(text, version=1):
    text = text.encode() + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text


def features(folder, data, name="x.npy"):
    """Trains on x.npy, which is `data`, with good labels of four samples."""
    (folder / name).write_bytes(data)
    (folder / "y.npy").write_bytes(npy_bytes(numpy.array([0, 1, 0, 1])))
    return ["train", name, "--labels", "y.npy", *TRAIN]


def labels(folder, data, name="y.npy"):
    (folder / "x.npy").write_bytes(npy_bytes(numpy.ones((4, 3), "f4")))
    (folder / name).write_bytes(data)
    return ["train", "x.npy", "--labels", name, *TRAIN]


def npz(folder, *options, method=zipfile.ZIP_STORED, damage=None, **arrays):
    """Trains on data.npz; `damage` changes its bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, array in arrays.items():
            archive.writestr(zipfile.ZipInfo(name + ".npy", (2000, 1, 1, 0, 0, 0)), npy_bytes(array), method)
    data = buffer.getvalue()
    (folder / "data.npz").write_bytes(damage(data) if damage else data)
    return ["train", "data.npz", *options, *TRAIN]


GOOD = {"X": numpy.ones((4, 3), "f4"), "y": numpy.array([0, 1, 0, 1])}


def csv(folder, text, *options, name="data.csv"):
    data = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(data)
    return ["train", name, *(options or ["--target", "y"]), *TRAIN]


def idx_bytes(array, kind=8):
    return struct.pack(">BBBB", 0, 0, kind, array.ndim) + struct.pack(">%dI" % array.ndim, *array.shape) + array.tobytes()


def idx(folder, images, targets=None):
    (folder / "idx").mkdir()
    (folder / "idx/train-images-idx3-ubyte").write_bytes(images)
    if targets is not None:
        (folder / "idx/train-labels-idx1-ubyte").write_bytes(targets)
    return ["train", "idx", *TRAIN]


IMAGES = numpy.zeros((4, 2, 2), "u1")


def tensors_bytes(tensors, metadata=None):
    names = {"f4": "F32", "f8": "F64", "i8": "I64"}
    header, place, blobs = {}, 0, []
    if metadata:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        blob = array.tobytes()
        header[name] = {
            "dtype": names[array.dtype.str[1:]],
            "shape": list(array.shape),
            "data_offsets": [place, place + len(blob)],
        }
        place += len(blob)
        blobs.append(blob)
    return header_bytes(json.dumps(header)) + b"".join(blobs)


def header_bytes(text):
    return struct.pack("<Q", len(text)) + text.encode()


def model(folder, data):
    (folder / "model.safetensors").write_bytes(data)
    return ["inspect", "model.safetensors"]


LAYERS = {
    "h1.weight": numpy.ones((4, 3), "f4"),
    "h1.bias": numpy.zeros(4, "f4"),
    "out.weight": numpy.ones((2, 4), "f4"),
    "out.bias": numpy.zeros(2, "f4"),
}
METADATA = {"relume": "0.1.0", "architecture": "[3, 4, 2]", "scaling": "[0, 1]"}


def net(folder, tensors=None, **metadata):
    return model(folder, tensors_bytes({**LAYERS, **(tensors or {})}, {**METADATA, **metadata}))


def one_tensor(folder, entry, values=16):
    return model(folder, header_bytes(json.dumps({"a.weight": entry})) + bytes(values))
