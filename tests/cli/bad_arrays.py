"""Bad .npy files, features and labels. See bad_making.py."""
import pickle

import numpy

from bad_making import TRAIN, case, features, labels, npy_bytes, npy_header


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
def labels_text_empty(folder):
    return labels(folder, npy_bytes(numpy.array(["a", "b", "", "a"])))


@case
def labels_text_in_latin_1(folder):
    return labels(folder, npy_bytes(numpy.array([b"a", b"B\xe4r", b"a", b"a"])))


@case
def labels_text_two_a_sample(folder):
    return labels(folder, npy_bytes(numpy.array([["a", "b"]] * 4)))


@case
def labels_text_of_no_width(folder):
    return labels(folder, npy_bytes(numpy.array(["a"] * 4)).replace(b"<U1", b"<U0"))


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
