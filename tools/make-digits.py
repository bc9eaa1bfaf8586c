#!/usr/bin/python3
"""Makes src/data/digits/*.gz from scikit-learn's load_digits (Debian: python3-sklearn). See src/data/digits/README.md.

usage: tools/make-digits.py [FOLDER]     the default is src/data/digits beside this script's folder
"""
import gzip
import pathlib
import struct
import sys

import numpy
from sklearn.datasets import load_digits


def write_idx(path, values):
    """Writes unsigned bytes as gzipped IDX, with no time in the gzip header: the same bytes at every run."""
    header = struct.pack(">BBBB", 0, 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes(), compresslevel=9, mtime=0))


def main():
    here = pathlib.Path(__file__).resolve().parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "src" / "data" / "digits"
    digits = load_digits()
    images = digits.images.astype(numpy.uint8)
    assert images.shape == (1797, 8, 8) and (images == digits.images).all() and images.max() == 16
    write_idx(folder / "images-idx3-ubyte.gz", images)
    write_idx(folder / "labels-idx1-ubyte.gz", digits.target.astype(numpy.uint8))


if __name__ == "__main__":
    main()
