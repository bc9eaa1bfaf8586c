#!/usr/bin/python3
"""Prints the constants of tests/unit/base/test_rng.c: what base/rng.h promises, computed a second time.

The words come from NumPy's Philox, the arithmetic from whole numbers and from decimal with 40 digits; nothing here is
shared with the C code. Run it with Debian's python3 and python3-numpy: tools/rng_vectors.py
"""
from decimal import Decimal, getcontext

import numpy

getcontext().prec = 40
PI = Decimal("3.1415926535897932384626433832795028841972")
WORDS = 2**256


def block(seed, purpose, group, index, further=0):
    """The four words of counter {index, group, further, 0}: NumPy counts up once before it draws."""
    counter = (index | group << 64 | further << 128) - 1
    state = [(counter % WORDS) >> (64 * i) & (2**64 - 1) for i in range(4)]
    as_words = numpy.array(state + [seed, purpose], dtype=numpy.uint64)
    generator = numpy.random.Philox(counter=as_words[:4], key=as_words[4:])
    return [int(word) for word in generator.random_raw(4)]


def cosine(angle):
    """The Taylor series, in decimal."""
    term, total, n = Decimal(1), Decimal(0), 0
    while abs(term) > Decimal(10) ** -38:
        total += term
        n += 2
        term *= -angle * angle / (n * (n - 1))
    return total


def normal(seed, purpose, group, index):
    words = block(seed, purpose, group, index)
    first, second = (Decimal(word >> 11) / 2**53 for word in words[:2])
    return (-2 * (1 - first).ln()).sqrt() * cosine(2 * PI * second)


def below(seed, purpose, group, index, bound):
    further = 0
    while True:
        for word in block(seed, purpose, group, index, further):
            if word * bound % 2**64 >= 2**64 % bound:
                return word * bound >> 64
        further += 1


def shuffle(seed, purpose, group, count):
    order = list(range(count))
    for i in range(count - 1, 0, -1):
        other = below(seed, purpose, group, i, i + 1)
        order[i], order[other] = order[other], order[i]
    return order


KEYS = [(0, 1, 0, 0), (0, 1, 0, 1), (42, 3, 7, 123456789), (2**64 - 1, 5, 2**64 - 1, 2**64 - 1)]
BOUNDS = [(1, 0), (10, 1), (2**63 + 1, 2), (2**63 + 1, 3), (2**64 - 1, 4), (3 * 2**62, 5), (3 * 2**62, 6), (2**63 + 1, 28)]

for key in KEYS:
    print("{%s}, {%s}," % (", ".join("%#x" % n for n in key), ", ".join("%#018x" % w for w in block(*key))))
for index in (0, 1, 2, 3, 1000003):
    print("normal", index, repr(float(normal(42, 1, 2, index))))
for bound, index in BOUNDS:
    print("below", bound, index, below(42, 5, 0, index, bound))
print("shuffle", shuffle(42, 3, 1, 20))
