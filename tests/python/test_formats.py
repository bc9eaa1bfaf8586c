"""The readers of formats/ against the programs that wrote the files: arrays against NumPy, tables against Python's csv.

Arrays: every kind, byte order, memory order and header version, plain, gzipped and in archives (zip64 too) must give the
bytes that NumPy gives; as features, those of astype(float32), which rounds to nearest. Tables: random ones, written by the csv
module in several styles, must give the numbers of float() and float32 and the texts as they were.
"""
import csv
import gzip
import io
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zipfile

import numpy

KINDS = {"F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
         "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1", "BOOL": "b1"}
IDX_KINDS = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
LOCALE = {**os.environ, "LC_ALL": "de_DE.UTF-8", "LC_NUMERIC": "de_DE.UTF-8"}


class Reader:
    def __init__(self, program, folder):
        self.program, self.out, self.files = program, str(folder / "out"), 0

    def run(self, *words):
        self.files += 1
        done = subprocess.run([self.program, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=LOCALE, check=False)
        return done.returncode, done.stdout, done.stderr.decode()

    def array(self, kind, reading, path, *name):
        status, out, error = self.run(kind, reading, path, self.out, *name)
        assert status == 0, error
        words = out.decode().split()
        values = numpy.frombuffer(pathlib.Path(self.out).read_bytes(), KINDS[words[0]])
        return values.reshape([int(size) for size in words[2:]])

    def table(self, path, target="-"):
        status, out, error = self.run("csv", path, self.out, target)
        assert status == 0, error
        line, _, names = out.partition(b"\n")
        rows, columns, kind = line.decode().split()
        values = numpy.frombuffer(pathlib.Path(self.out).read_bytes(), "f4").reshape(int(rows), int(columns))
        raw = pathlib.Path(self.out + ".target").read_bytes()
        targets = [text.decode() for text in raw.split(b"\0")[:-1]] if kind == "text" else numpy.frombuffer(raw, "f8")
        return values, kind, targets, [name.decode() for name in names.split(b"\0")[:-1]]


def same(a, b):
    """Equal kinds, shapes and bits; a NaN equals a NaN."""
    a, b = numpy.asarray(a), numpy.asarray(b)
    if a.dtype.kind == "f":
        a, b = numpy.where(numpy.isnan(a), numpy.nan, a), numpy.where(numpy.isnan(b), numpy.nan, b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def kept(array):
    """What a dataset keeps of an array."""
    if array.dtype.kind == "b" or array.dtype == numpy.uint8:
        return array.astype(array.dtype.newbyteorder("="))
    with numpy.errstate(over="ignore"):
        return array.astype("f4")


def sample(kind, shape):
    """Ordinary values and all the edges: largest, smallest, beyond 2**24, subnormal, ties of rounding."""
    dtype, count = numpy.dtype(kind), int(numpy.prod(shape))
    draw = numpy.random.default_rng(count)
    if dtype.kind == "b":
        return draw.integers(0, 2, shape).astype("b1")
    if dtype.kind == "f":
        info = numpy.finfo(dtype)
        edges = [info.max, info.min, info.tiny, info.tiny / 2, 0.0, -0.0, 1 + info.eps, numpy.inf, numpy.nan,
                 1 + 2.0**-24, 1 + 3 * 2.0**-24, 2.0**-149, 2.0**-150, 2.0**24 + 1]
        with numpy.errstate(over="ignore"):
            edges = numpy.array(edges).astype(dtype)
        values = draw.normal(size=count).astype(dtype)
    else:
        info = numpy.iinfo(dtype)
        edges = [info.max, info.min, info.max - 1, 0, 1]
        edges += [2**bits + more for bits in (24, 25, 31, 53) for more in (1, 2, 3) if 2**bits + more <= info.max]
        edges = numpy.array(edges, dtype)
        values = draw.integers(info.min, info.max, count, dtype, endpoint=True)
    values[: min(count, len(edges))] = edges[:count]
    return values.reshape(shape)


def npy(array, version):
    buffer = io.BytesIO()
    numpy.lib.format.write_array(buffer, array, version=version)
    return buffer.getvalue()


def check_array(reader, kind, path, array, *name):
    native = numpy.ascontiguousarray(array).astype(array.dtype.newbyteorder("=")).reshape(array.shape)
    assert same(reader.array(kind, "stored", path, *name), native), (path, array.dtype)
    assert same(reader.array(kind, "features", path, *name), kept(native)), (path, array.dtype)


def check_npy(reader, folder):
    path = folder / "a.npy"
    for kind in KINDS.values():
        for order in "<>":
            for shape in ((), (0, 3), (31,), (5, 7), (2, 3, 4), (1, 2, 3, 2, 2)):
                array = sample(kind, shape).astype(numpy.dtype(kind).newbyteorder(order))
                for memory in "CF":
                    version = [(1, 0), (2, 0), (3, 0)][reader.files // 2 % 3]
                    data = npy(numpy.asarray(array, order=memory), version)
                    path.write_bytes(gzip.compress(data) if reader.files % 4 == 0 else data)
                    check_array(reader, "npy", path, array)
    many = sample("i4", (300, 211))  # several chunks
    path.write_bytes(npy(numpy.asfortranarray(many.astype(">i4")), (1, 0)))
    check_array(reader, "npy", path, many)


def check_npz(reader, folder):
    path = folder / "a.npz"
    arrays = {kind: sample(kind, (6, 5)) for kind in KINDS.values()}
    for save in (numpy.savez, numpy.savez_compressed):
        save(path, **arrays)
        for name, array in arrays.items():
            check_array(reader, "npz", path, array, name)
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("big.npy", "w", force_zip64=True) as member:
            member.write(npy(arrays["f8"], (1, 0)))
    check_array(reader, "npz", path, arrays["f8"], "big")


def check_idx(reader, folder):
    path = folder / "a-idx"
    for kind, number in IDX_KINDS.items():
        for shape in ((9,), (4, 3), (3, 2, 5)):
            array = sample(kind, shape)
            data = bytes([0, 0, number, array.ndim]) + struct.pack(">%dI" % array.ndim, *shape)
            data += array.astype(array.dtype.newbyteorder(">")).tobytes()
            path.write_bytes(gzip.compress(data) if reader.files % 4 == 0 else data)
            check_array(reader, "idx", path, array)


def number_text(draw):
    """A number that float32 can hold, in one of many spellings."""
    kind = draw.randrange(8)
    if kind == 0:
        return str(draw.randrange(-10**6, 10**6))
    if kind == 1:
        return repr(draw.uniform(-1, 1) * 10.0 ** draw.randrange(-40, 38))
    if kind == 2:
        return "%.*e" % (draw.randrange(0, 40), draw.uniform(-1e30, 1e30))
    if kind == 3:
        return "+%d." % draw.randrange(1000)
    if kind == 4:
        return draw.choice(["-.5", ".25E1", "0", "-0", "00012", "1e-400", "2e+5", "16777217", "0.1", "1E5"])
    if kind == 5:
        return "%d%s" % (draw.randrange(10**17, 10**18), draw.choice(["", ".5", "e-3"]))
    if kind == 6:
        return "%.*f" % (draw.randrange(0, 60), draw.uniform(-100, 100))
    return repr(struct.unpack("<f", struct.pack("<I", draw.randrange(0x7F7FFFFF)))[0])


def label_text(draw):
    return "L" + "".join(draw.choice(['a', 'Z', '"', ',', '\n', ' x', '\u00e9', '\u732b', ';', '\t.']) for _ in range(draw.randrange(6)))


def check_csv(reader, folder, rounds):
    path, draw = folder / "a.csv", random.Random(5)
    for _ in range(rounds):
        columns, rows, kind = draw.randrange(1, 6), draw.randrange(1, 20), draw.choice(["text", "integer", "real"])
        target, place = [], draw.randrange(columns + 1)
        features = [[number_text(draw) for _ in range(columns)] for _ in range(rows)]
        for _ in range(rows):
            target.append({"text": label_text(draw), "integer": str(draw.randrange(-5, 99)),
                           "real": repr(draw.uniform(-9, 9))}[kind])
        names = ["f%d" % i for i in range(columns)]
        table = [names[:place] + ["y"] + names[place:]]
        table += [row[:place] + [value] + row[place:] for row, value in zip(features, target)]
        text = io.StringIO()
        style = {"quoting": draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), "lineterminator": draw.choice(["\n", "\r\n"])}
        csv.writer(text, **style).writerows(table)
        data = draw.choice([b"", b"\xef\xbb\xbf"]) + text.getvalue().encode()
        data = data if draw.randrange(3) else data.rstrip(b"\r\n")
        path.write_bytes(gzip.compress(data) if draw.randrange(4) == 0 else data)
        again = list(csv.reader(io.StringIO(text.getvalue(), newline="")))
        assert again == table
        values, found, targets, found_names = reader.table(path, draw.choice(["y", str(place + 1)]))
        expected = numpy.array([[float(field) for field in row] for row in features]).astype("f4")
        assert same(values, expected), data
        assert found == kind and found_names == names, (found, kind, data)
        if kind == "text":
            assert targets == target, (targets, target)
        else:
            assert same(targets, numpy.array([float(value) for value in target])), data


def check_plain_csv(reader, folder):
    """Without a header; with empty lines; a wide table."""
    path = folder / "a.csv"
    path.write_text("1,2\n\n3,4\n\r\n5,6\r\n")
    values, kind, _, names = reader.table(path)
    assert kind == "none" and names == [] and values.tolist() == [[1, 2], [3, 4], [5, 6]]
    wide = numpy.arange(10**6)
    path.write_text(",".join("c%d" % i for i in wide) + "\n" + ",".join(map(str, wide)) + "\n")
    values, _, targets, names = reader.table(path, "c999999")
    assert same(values[0], wide[:-1].astype("f4")) and targets[0] == 999999 and len(names) == 999999


def main(program, rounds=400):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        reader = Reader(program, folder)
        check_npy(reader, folder)
        check_npz(reader, folder)
        check_idx(reader, folder)
        check_csv(reader, folder, rounds)
        check_plain_csv(reader, folder)
        print("%d files read, all exactly" % reader.files)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
