"""The bad inputs of test_bad_inputs.py: each is a name, the files it needs, and a command.

A case is a function named after its fault. It writes files into the folder it is given and returns the words of a relume
command; the name of the function, with dashes, is the name of the golden file with the message. Files are made by what a
user would have made them with, then damaged at one place, so that every message is about one fault.
"""
import gzip
import io
import json
import pickle
import sqlite3
import struct
import zipfile

import numpy

TRAIN = ["-o", "run"]
CASES = []


def case(function):
    CASES.append((function.__name__.replace("_", "-"), function))
    return function


# ---- how files are made ----


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


# ---- arrays ----


@case
def npy_empty_file(folder):
    return features(folder, b"")


@case
def npy_is_text(folder):
    return features(folder, b"1,2,3\n4,5,6\n")


@case
def npy_is_a_pickle(folder):
    return features(folder, pickle.dumps([1, 2, 3], 4))


@case
def npy_version_of_the_future(folder):
    return features(folder, b"\x93NUMPY\x09\x00" + bytes(100))


@case
def npy_header_of_4_gigabytes(folder):
    return features(folder, b"\x93NUMPY\x02\x00" + b"\xff" * 4 + bytes(100))


@case
def npy_header_cut(folder):
    return features(folder, npy_bytes(numpy.ones((4, 3)))[:50])


@case
def npy_header_no_dictionary(folder):
    return features(folder, npy_header("print('hello')"))


@case
def npy_header_unknown_key(folder):
    return features(folder, npy_header("{'descr': '<f4', 'order': False, 'shape': (4, 3)}"))


@case
def npy_header_lacks_shape(folder):
    return features(folder, npy_header("{'descr': '<f4', 'fortran_order': False}"))


@case
def npy_of_objects(folder):
    return features(folder, npy_bytes(numpy.array([["a", 1], ["b", 2]], object)))


@case
def npy_with_fields(folder):
    return features(folder, npy_bytes(numpy.zeros(4, [("a", "f4"), ("b", "i4")])))


@case
def npy_of_complex_numbers(folder):
    return features(folder, npy_bytes(numpy.ones((4, 3), "c8")))


@case
def npy_of_texts(folder):
    return features(folder, npy_bytes(numpy.array([["a", "b"]] * 4)))


@case
def npy_of_dates(folder):
    return features(folder, npy_bytes(numpy.zeros((4, 1), "M8[D]")))


@case
def npy_negative_size(folder):
    return features(folder, npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 3)}"))


@case
def npy_size_beyond_64_bits(folder):
    return features(folder, npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 3)}"))


@case
def npy_product_beyond_64_bits(folder):
    return features(folder, npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}"))


@case
def npy_nine_dimensions(folder):
    return features(folder, npy_bytes(numpy.ones((1,) * 9)))


@case
def npy_promises_terabytes(folder):
    return features(folder, npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000)}"))


@case
def npy_values_cut(folder):
    return features(folder, npy_bytes(numpy.ones((4, 3)))[:-5])


@case
def npy_values_too_many(folder):
    return features(folder, npy_bytes(numpy.ones((4, 3))) + b"more")


@case
def npy_with_nan(folder):
    x = numpy.ones((4, 3), "f4")
    x[2, 1] = numpy.nan
    return features(folder, npy_bytes(x))


@case
def npy_beyond_float32(folder):
    x = numpy.ones((4, 3))
    x[3, 0] = 1e300
    return features(folder, npy_bytes(x))


@case
def npy_one_dimension(folder):
    return features(folder, npy_bytes(numpy.ones(4)))


@case
def npy_no_samples(folder):
    return features(folder, npy_bytes(numpy.ones((0, 3))))


@case
def npy_without_labels(folder):
    (folder / "x.npy").write_bytes(npy_bytes(numpy.ones((4, 3))))
    return ["train", "x.npy", *TRAIN]


@case
def labels_too_few(folder):
    return labels(folder, npy_bytes(numpy.array([0, 1, 0])))


@case
def labels_one_hot(folder):
    return labels(folder, npy_bytes(numpy.eye(4, dtype="i8")))


@case
def labels_with_nan(folder):
    return labels(folder, npy_bytes(numpy.array([0.5, 1, numpy.nan, 2])))


@case
def labels_beyond_63_bits(folder):
    return labels(folder, npy_bytes(numpy.array([0, 1, 2**63, 3], "u8")))


@case
def labels_of_objects(folder):
    return labels(folder, npy_bytes(numpy.array(["cat", "dog", "cat", "dog"], object)))


@case
def labels_text_of_two_columns(folder):
    return labels(folder, b"cat,1\ndog,2\ncat,3\ndog,4\n", "y.txt")


@case
def labels_missing_file(folder):
    (folder / "x.npy").write_bytes(npy_bytes(numpy.ones((4, 3))))
    return ["train", "x.npy", "--labels", "lables.npy", *TRAIN]


# ---- archives ----


@case
def npz_is_no_zip(folder):
    return npz(folder, damage=lambda data: b"PK\x03\x04" + b"no zip" * 30)


@case
def npz_empty_file(folder):
    return npz(folder, damage=lambda data: b"")


@case
def npz_cut(folder):
    return npz(folder, damage=lambda data: data[: len(data) // 2], **GOOD)


@case
def npz_without_features(folder):
    return npz(folder, data=GOOD["X"], labels=GOOD["y"])


@case
def npz_without_targets(folder):
    return npz(folder, X=GOOD["X"])


@case
def npz_key_mistyped(folder):
    return npz(folder, "--x-key", "x_trian", x_train=GOOD["X"], y_train=GOOD["y"])


@case
def npz_array_of_objects(folder):
    return npz(folder, X=GOOD["X"], y=numpy.array(["a", "b", "a", "b"], object))


@case
def npz_compressed_by_lzma(folder):
    return npz(folder, method=zipfile.ZIP_LZMA, **GOOD)


@case
def npz_bomb(folder):
    return npz(folder, method=zipfile.ZIP_DEFLATED, X=numpy.zeros((100000, 1000), "u1"), y=numpy.arange(100000))


@case
def npz_encrypted(folder):
    def encrypt(data):
        local, central = data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02")
        data = bytearray(data)
        data[local + 6] |= 1
        data[central + 8] |= 1
        return bytes(data)

    return npz(folder, damage=encrypt, **GOOD)


@case
def npz_values_changed(folder):
    return npz(folder, damage=lambda data: data.replace(numpy.ones(2, "f4").tobytes(), bytes(8), 1), **GOOD)


@case
def npz_two_of_one_name(folder):
    return npz(folder, damage=lambda data: data.replace(b"z.npy", b"X.npy"), X=GOOD["X"], z=GOOD["X"], y=GOOD["y"])


@case
def npz_test_split_of_other_width(folder):
    return npz(folder, X_train=GOOD["X"], y_train=GOOD["y"], X_test=numpy.ones((2, 4), "f4"), y_test=GOOD["y"][:2])


# ---- gzip ----


@case
def gzip_cut(folder):
    return csv(folder, gzip.compress(b"a,y\n1,0\n2,1\n" * 50, mtime=0)[:-20], name="data.csv.gz")


@case
def gzip_checksum_wrong(folder):
    data = bytearray(gzip.compress(b"a,y\n1,0\n2,1\n", mtime=0))
    data[-8] ^= 1
    return csv(folder, bytes(data), name="data.csv.gz")


@case
def gzip_followed_by_other_bytes(folder):
    return csv(folder, gzip.compress(b"a,y\n1,0\n2,1\n", mtime=0) + b"other bytes", name="data.csv.gz")


@case
def gzip_bomb(folder):
    return csv(folder, gzip.compress(b"a,y\n" + b"0,1\n" * 20000000, 9, mtime=0), name="data.csv.gz")


@case
def gzip_promises_more_than_it_can(folder):
    array = npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000000)}")
    return features(folder, gzip.compress(array + bytes(1000), mtime=0), "x.npy.gz")


# ---- IDX ----


@case
def idx_folder_is_empty(folder):
    (folder / "idx").mkdir()
    return ["train", "idx", *TRAIN]


@case
def idx_unknown_type(folder):
    return idx(folder, idx_bytes(IMAGES, 0x0A), idx_bytes(IMAGES[:, 0, 0]))


@case
def idx_no_dimensions(folder):
    return idx(folder, b"\0\0\x08\0" + bytes(16), idx_bytes(IMAGES[:, 0, 0]))


@case
def idx_header_cut(folder):
    return idx(folder, idx_bytes(IMAGES)[:9], idx_bytes(IMAGES[:, 0, 0]))


@case
def idx_values_cut(folder):
    return idx(folder, idx_bytes(IMAGES)[:-3], idx_bytes(IMAGES[:, 0, 0]))


@case
def idx_without_labels(folder):
    return idx(folder, idx_bytes(IMAGES))


@case
def idx_labels_of_other_count(folder):
    return idx(folder, idx_bytes(IMAGES), idx_bytes(IMAGES[:3, 0, 0]))


# ---- CSV ----


@case
def csv_empty_file(folder):
    return csv(folder, "")


@case
def csv_header_alone(folder):
    return csv(folder, "a,b,y\n")


@case
def csv_empty_field(folder):
    return csv(folder, "width,height,y\n1,2,0\n3,,1\n")


@case
def csv_text_among_numbers(folder):
    return csv(folder, "width,height,y\n1,2,0\n3,tall,1\n")


@case
def csv_decimal_commas(folder):
    return csv(folder, 'width,height,y\n"1,5",2,0\n"3,5",4,1\n')


@case
def csv_semicolons(folder):
    return csv(folder, "width;height;y\n1;2;0\n3;4;1\n")


@case
def csv_nan(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,NaN,1\n")


@case
def csv_beyond_float32(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,1e40,1\n")


@case
def csv_hexadecimal(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,0x1F,1\n")


@case
def csv_row_short(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,1\n")


@case
def csv_row_long(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,1,0,5\n")


@case
def csv_row_short_with_a_text(folder):
    return csv(folder, "a,b,c,d,kind\n1,2,3,4,cat\n5,6,dog\n7,8,9,1,cat\n", "--target", "kind")


@case
def csv_row_long_with_a_text(folder):
    return csv(folder, "a,b,kind\n1,2,cat\n3,4,5,dog,6\n", "--target", "kind")


@case
def csv_row_short_without_a_header(folder):
    return csv(folder, "1,2,3,0\n4,,1\n", "--target", "4")


@case
def csv_row_short_at_the_end(folder):
    return csv(folder, "a,b,kind\n1,2,cat\n3,tall", "--target", "kind")


@case
def csv_quote_not_closed(folder):
    return csv(folder, 'a,b,y\n1,2,0\n3,"4,1\n5,6,0\n')


@case
def csv_tabs(folder):
    return csv(folder, "width\theight\ty\n1\t2\t0\n3\t4\t1\n")


@case
def csv_quote_inside(folder):
    return csv(folder, 'a,b,y\n1,2,0\n3,4"5,1\n')


@case
def csv_utf_16(folder):
    return csv(folder, "a,b,y\n1,2,0\n".encode("utf-16"))


@case
def csv_is_a_spreadsheet(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("xl/workbook.xml", (2000, 1, 1, 0, 0, 0)), "<workbook/>")
    return csv(folder, buffer.getvalue())


@case
def csv_zero_byte(folder):
    return csv(folder, b"a,b,y\n1,2,0\n3,\0,1\n")


@case
def csv_label_in_latin_1(folder):
    return csv(folder, "a,y\n1,Bär\n2,Hund\n".encode("latin-1"))


@case
def csv_label_empty(folder):
    return csv(folder, "a,y\n1,cat\n2,\n")


@case
def csv_target_not_named(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,4,1\n", "--seed", "0")


@case
def csv_target_mistyped(folder):
    return csv(folder, "width,height,class\n1,2,0\n3,4,1\n", "--target", "clas")


@case
def csv_target_beyond_the_columns(folder):
    return csv(folder, "1,2,0\n3,4,1\n", "--target", "4")


@case
def csv_target_infinite(folder):
    return csv(folder, "a,y\n1,0.5\n2,inf\n")


# ---- models ----


@case
def model_empty_file(folder):
    return model(folder, b"")


@case
def model_is_a_pickle(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl", (2000, 1, 1, 0, 0, 0)), pickle.dumps({}))
    (folder / "model.pt").write_bytes(buffer.getvalue())
    return ["inspect", "model.pt"]


@case
def model_header_beyond_the_file(folder):
    return model(folder, struct.pack("<Q", 5000) + b"{}")


@case
def model_header_of_exabytes(folder):
    return model(folder, b"\xff" * 8 + b"{}")


@case
def model_header_no_json(folder):
    return model(folder, header_bytes('{"a.weight": {"dtype": F32}}'))


@case
def model_name_twice(folder):
    entry = '"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    return model(folder, header_bytes("{%s, %s}" % (entry, entry)) + bytes(4))


@case
def model_unknown_dtype(folder):
    return one_tensor(folder, {"dtype": "F4", "shape": [2, 2], "data_offsets": [0, 16]})


@case
def model_negative_size(folder):
    return one_tensor(folder, {"dtype": "F32", "shape": [2, -2], "data_offsets": [0, 16]})


@case
def model_shape_beyond_64_bits(folder):
    return one_tensor(folder, {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 16]})


@case
def model_shape_against_offsets(folder):
    return one_tensor(folder, {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 16]})


@case
def model_gap_between_tensors(folder):
    return one_tensor(folder, {"dtype": "F32", "shape": [2, 2], "data_offsets": [4, 20]}, 20)


@case
def model_values_cut(folder):
    return model(folder, tensors_bytes(LAYERS)[:-6])


@case
def model_bytes_at_the_end(folder):
    return model(folder, tensors_bytes(LAYERS) + b"hidden")


@case
def model_with_convolution(folder):
    return model(folder, tensors_bytes({"conv1.weight": numpy.ones((8, 3, 3, 3), "f4")}))


@case
def model_layers_do_not_chain(folder):
    return model(folder, tensors_bytes({"fc1.weight": numpy.ones((4, 3), "f4"), "fc2.weight": numpy.ones((2, 5), "f4")}))


@case
def model_of_whole_numbers(folder):
    return model(folder, tensors_bytes({"fc1.weight": numpy.ones((4, 3), "i8")}))


@case
def model_without_layers(folder):
    return model(folder, tensors_bytes({}))


@case
def model_with_nan(folder):
    weight = LAYERS["out.weight"].copy()
    weight[1, 2] = numpy.nan
    return net(folder, {"out.weight": weight})


@case
def model_without_architecture(folder):
    return model(folder, tensors_bytes(LAYERS, {"relume": "0.1.0"}))


@case
def model_against_its_architecture(folder):
    return net(folder, architecture="[3, 5, 2]")


@case
def model_lacks_a_layer(folder):
    return net(folder, architecture="[3, 4, 4, 2]")


@case
def model_lacks_a_bias(folder):
    tensors = {name: array for name, array in LAYERS.items() if name != "h1.bias"}
    return model(folder, tensors_bytes(tensors, METADATA))


@case
def model_bias_too_short(folder):
    return net(folder, {"h1.bias": numpy.zeros(3, "f4")})


@case
def model_scaling_divides_by_zero(folder):
    return net(folder, scaling="[0, 0]")


@case
def model_unknown_loss(folder):
    return net(folder, loss="hinge")


@case
def model_for_other_data(folder):
    net(folder)
    (folder / "x.npy").write_bytes(npy_bytes(numpy.ones((4, 7), "f4")))
    return ["census", "model.safetensors", "x.npy"]


# ---- runs, folders, names ----


@case
def run_with_history_of_garbage(folder):
    (folder / "old").mkdir()
    (folder / "old/history.sqlite").write_bytes(b"this is no database " * 100)
    return ["report", "old"]


@case
def run_with_empty_history(folder):
    (folder / "old").mkdir()
    (folder / "old/history.sqlite").write_bytes(b"")
    return ["report", "old"]


@case
def run_with_history_of_another_program(folder):
    (folder / "old").mkdir()
    database = sqlite3.connect(folder / "old/history.sqlite")
    database.execute("CREATE TABLE moz_places (id INTEGER)")
    database.commit()
    database.close()
    return ["report", "old"]


@case
def run_is_a_folder_of_other_things(folder):
    (folder / "old").mkdir()
    for name in ("notes.txt", "b.png", "c.png", "a.png", "d.png"):
        (folder / "old" / name).write_text("not a run")
    return ["inspect", "old"]


@case
def run_is_an_empty_folder(folder):
    (folder / "old").mkdir()
    return ["inspect", "old"]


@case
def run_is_a_folder_of_runs(folder):
    for name in ("rate-0.2", "rate-0.1"):
        (folder / "old" / name).mkdir(parents=True)
        (folder / "old" / name / "history.sqlite").write_bytes(b"")
    return ["inspect", "old"]


@case
def data_missing(folder):
    return ["train", "mnist.npz", *TRAIN]


@case
def data_name_mistyped(folder):
    return ["train", "digit", *TRAIN]


@case
def data_of_no_known_kind(folder):
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    return ["train", "picture.png", *TRAIN]


@case
def model_is_a_folder_that_is_no_run(folder):
    (folder / "empty").mkdir()
    return ["census", "empty", "digits"]
