"""Bad archives, compressed files and IDX folders. See bad_making.py."""
import gzip
import zipfile

import numpy

from bad_making import GOOD, IMAGES, TRAIN, case, csv, features, idx, idx_bytes, labels, npy_header, npz

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
