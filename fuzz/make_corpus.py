#!/usr/bin/python3
"""Writes the seeds of the fuzzers' corpora that are made, not found: make_corpus.py [FOLDER]

Small valid files of every kind, so that libFuzzer begins beyond the first check. Run it again after a format has grown;
what the fuzzers have found themselves lies beside these seeds under names that begin with "found-".
"""
import gzip
import io
import json
import pathlib
import struct
import sys
import zipfile
import zlib

import numpy

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "corpus")


def put(target, name, data):
    (ROOT / target).mkdir(parents=True, exist_ok=True)
    (ROOT / target / name).write_bytes(data)


def squeeze(data):
    return gzip.compress(data, mtime=0)


def full_header(member):
    """A gzip member as squeeze makes it, with all that may stand in a header."""
    head = member[:3] + b"\x1e" + member[4:10] + b"\x05\x00extra" + b"name\0" + b"a comment\0"
    return head + struct.pack("<H", zlib.crc32(head) & 0xffff) + member[10:]


def npy(array, version=None):
    buffer = io.BytesIO()
    numpy.lib.format.write_array(buffer, array, version=version)
    return buffer.getvalue()


def idx(array):
    kinds = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    head = bytes([0, 0, kinds[array.dtype.str[1:]], array.ndim])
    return head + struct.pack(">%dI" % array.ndim, *array.shape) + array.astype(array.dtype.newbyteorder(">")).tobytes()


def npz(method=zipfile.ZIP_STORED, zip64=False, **arrays):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(name + ".npy", (2000, 1, 1, 0, 0, 0))
            info.compress_type = method
            with archive.open(info, "w", force_zip64=zip64) as member:
                member.write(npy(array))
    return buffer.getvalue()


def safetensors(tensors, metadata=None):
    names = {"f4": "F32", "f2": "F16", "f8": "F64", "i8": "I64", "u1": "U8"}
    header, place, blobs = {}, 0, []
    if metadata:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        blob = numpy.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": names[array.dtype.str[1:]],
            "shape": list(array.shape),
            "data_offsets": [place, place + len(blob)],
        }
        place += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(blobs)


def arrays():
    base = numpy.arange(6).reshape(2, 3)
    for kind in "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1".split():
        put("npy", "little-" + kind, npy((base % 2 if kind == "b1" else base).astype("<" + kind)))
    for kind in "f4 f8 i2 u8".split():
        put("npy", "big-" + kind, npy(base.astype(">" + kind)))
    put("npy", "fortran", npy(numpy.asfortranarray(base.astype("f4"))))
    put("npy", "fortran-big-3d", npy(numpy.asfortranarray(numpy.arange(24).reshape(2, 3, 4).astype(">i2"))))
    put("npy", "version-2", npy(base.astype("f4"), (2, 0)))
    put("npy", "version-3", npy(base.astype("f4"), (3, 0)))
    put("npy", "scalar", npy(numpy.array(3.5)))
    put("npy", "empty", npy(numpy.zeros((0, 3))))
    put("npy", "gzipped", squeeze(npy(base.astype("f8"))))
    for kind in "u1 i1 i2 i4 f4 f8".split():
        put("idx", "kind-" + kind, idx(base.astype(kind)))
    put("idx", "images", idx(numpy.arange(12, dtype="u1").reshape(3, 2, 2)))
    put("idx", "gzipped", squeeze(idx(base.astype("u1"))))
    put("npz", "stored", npz(X=base.astype("f4"), y=numpy.arange(2)))
    put("npz", "deflated", npz(zipfile.ZIP_DEFLATED, X=base.astype("f4"), y=numpy.arange(2)))
    put("npz", "zip64", npz(zip64=True, X=base.astype("u1")))
    put("npz", "empty", npz())


def texts():
    table = b"a,b,y\r\n1,2.5,cat\r\n-3e2,+.5,dog\r\n"
    quoted = b'"a ""1""",b,y\n"1","2",0\n4,"5\n",1\n'
    for name, text in {"text": table, "quoted": quoted, "plain": b"1,2\n3,4\n", "mark": b"\xef\xbb\xbf" + table,
                       "integers": b"y,a\n0,1\n1,0\n", "numbers": b"y\n1e-400\n0.1\n9007199254740993\n"}.items():
        for choice in range(4):
            put("csv", "%s-%d" % (name, choice), bytes([choice]) + text)
    put("csv", "gzipped", b"\x02" + squeeze(table))
    for name, data in {"one": squeeze(table), "two": squeeze(b"one") + squeeze(b"two"), "plain": table,
                       "filled": squeeze(b"x") + bytes(20), "zeros": squeeze(bytes(3000)),
                       "bomb": squeeze(bytes(9000)),
                       "header": full_header(squeeze(table)), "flags": b"\x1f\x8b\x08\xff" + squeeze(table)[4:],
                       "coded": squeeze(bytes(i * i % 251 for i in range(3000)))}.items():
        put("gzip", name, b"\x02" + data)


def models():
    w1, w2 = numpy.ones((3, 2), "f4"), numpy.ones((2, 3), "f4")
    b1, b2 = numpy.zeros(3, "f4"), numpy.zeros(2, "f4")
    own = {"h1.weight": w1, "h1.bias": b1, "out.weight": w2, "out.bias": b2}
    metadata = {"relume": "0.1.0", "architecture": "[2, 3, 2]", "loss": "softmax", "init": "he-normal",
                "scaling": "[0, 255]", "classes": '["a", "b"]', "image": "[1, 2]", "foreign": '["fc1", "fc2"]'}
    slots = {name + ".velocity": array for name, array in own.items()}
    ledger = {"ledger.h1." + what: numpy.zeros(3, "i8") for what in ("last_step", "first_step", "last_sample")}
    ledger["ledger.h1.dead"] = numpy.zeros(3, "u1")
    scalars = {"relume." + key: "0" for key in ("step", "epoch_loss_bits", "epoch_correct", "epoch_samples",
                                                 "ledger_samples", "ledger_census_step", "ledger_counted")}
    files = {
        "own": safetensors(own, metadata),
        "checkpoint": safetensors({**own, **slots, **ledger}, {**metadata, **scalars, "relume.step": "1"}),
        "scaled": safetensors({**own, "input.offset": b2, "input.divisor": b2 + 1},
                              {**metadata, "scaling": "per-feature"}),
        "torch": safetensors({"net.2.weight": w2.astype("f8"), "net.2.bias": b2, "net.0.weight": w1}),
        "half": safetensors({"a.weight": w1.astype("f2")}),
        "shapes": safetensors({"a.weight": w2, "b.weight": w1, "c.weight": w2}),
        "empty": safetensors({}),
        "odd": safetensors({"a": numpy.zeros((0, 5), "f4"), "b": numpy.array(1.0), "\u00e9\"": numpy.ones(3, "u1")}),
    }
    for name, data in files.items():
        put("network", name, data)
        put("safetensors", name, data)


def whole():
    x, y = numpy.arange(12, dtype="f4").reshape(4, 3), numpy.array([0, 1, 0, 1])
    put("dataset", "csv", bytes([8 + 2 * 16]) + b"a,y,b\n1,cat,2\n3,dog,4\n5,cat,6\n7,dog,0\n")
    put("dataset", "csv-first", bytes([2 + 4 + 16]) + b"0,1,2\n1,3,4\n0,5,6\n1,7,0\n")
    put("dataset", "csv-real", bytes([2 * 16]) + b"a,y\n1,0.5\n3,1e3\n")
    put("dataset", "npz", bytes([8]) + npz(zipfile.ZIP_DEFLATED, X=x, y=y))
    put("dataset", "npz-splits", bytes([8]) + npz(X_train=x, y_train=y, X_test=x[:2], y_test=y[:2]))
    for name, labels in {"npy": npy(y), "text": b"cat\ndog\ncat\ndog\n", "idx": idx(y.astype("u1")),
                         "real": npy(y * 0.5)}.items():
        put("dataset", "labels-" + name, bytes([1 + 8]) + struct.pack("<H", len(labels)) + labels + npy(x))
    put("dataset", "idx", bytes([2]) + squeeze(idx(numpy.arange(16, dtype="u1").reshape(4, 2, 2))))


def lines():
    for name, text in {"train": "digits\n-o\nrun\n--hidden\n5,6\n--lr\n0.1\n--schedule\n1:0.1,5:0.01",
                       "wrong": "--bach\n7", "equals": "--batch=7\n--\n-x", "letters": "-orun\ndigits\n--resume",
                       "census": "model\ndata\n--split\ntest\n--fail-if-dead\n5%\n--json", "help": "--help"}.items():
        for command in range(16):
            put("args", "%s-%d" % (name, command), bytes([command]) + text.encode())
    begin = bytes([1, 20, 3, 2, 2, 7, 5, 0, 0, 1, 1, 0, 0, 0, 6, 0, 0, 5, 0])
    put("session", "steps", begin + bytes([3, 0, 0, 0, 3, 0, 5, 0, 3, 4, 9, 6]))
    put("session", "harm", begin + bytes([3, 7, 0, 2, 1, 0, 3, 7, 0, 2, 0, 0, 5, 3, 4, 1]))
    for kind in range(5):
        put("session", "optimizer-%d" % kind,
            bytes([0, 30, 2, 1, 1, 9, kind % 3, kind, kind, kind, 3 + kind % 3, 1, 2, 8, 1, 3, 4, 0]) + bytes([3, 0, 1, 5, 2, 3] * 6))


for part in (arrays, texts, models, whole, lines):
    part()
