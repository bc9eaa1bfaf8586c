"""relume's float32 arithmetic again in NumPy, from docs/numerics.md: one chain of fused multiply-adds a sum, in order, the bias last.

Everything here works to the bit, so that a training can be held against the program's checkpoints for equality. exp and log
need their polynomials (src/kernels/loss_math.h); only the losses softmax and bce use them, mse needs none.
"""
import math

import numpy

F = numpy.float32
EXP_Q = [float.fromhex(q) for q in ("0x1.fffffcp-2", "0x1.555490p-3", "0x1.5558f4p-5", "0x1.123a6cp-7", "0x1.6a2352p-10")]
LOG_P = [float.fromhex(p) for p in ("0x1.55554cp-2", "-0x1.0000b6p-2", "0x1.99a300p-3", "-0x1.551318p-3", "0x1.232454p-3",
                                    "-0x1.02cbb8p-3", "0x1.f0dd52p-4", "-0x1.ac70dep-4", "0x1.89f370p-5")]
LOG2_E, LN2_HIGH, LN2_LOW = (F(float.fromhex(x)) for x in ("0x1.715476p+0", "0x1.62e430p-1", "-0x1.05c610p-29"))
ROUND = F(1.5 * 2**23)


def fma(a, b, c):
    """Exact: a·b is exact in float64; the float64 sum is rounded to odd (TwoSum tells whether it is exact), and then the second
    rounding, from 53 bits to 24, cannot go wrong."""
    product = numpy.asarray(a, F).astype(numpy.float64) * numpy.asarray(b, F).astype(numpy.float64)
    product, addend = numpy.broadcast_arrays(product, numpy.asarray(c, F).astype(numpy.float64))
    total = product + addend
    back = total - product
    error = (product - (total - back)) + (addend - back)
    even = (numpy.ascontiguousarray(total).view(numpy.int64) & 1).reshape(total.shape) == 0
    odd = numpy.nextafter(total, numpy.where(error > 0, numpy.inf, -numpy.inf))
    return numpy.where((error != 0) & even & numpy.isfinite(total), odd, total).astype(F)


def forward(x, weight, bias):
    p = numpy.zeros((len(x), len(bias)), F)
    for k in range(weight.shape[1]):
        p = fma(x[:, k, None], weight[None, :, k], p)
    return p + bias


def run(layers, x):
    """Pre-activations of every layer, and what each layer is fed; the last of these are the logits."""
    pre, fed = [], [x]
    for weight, bias in layers:
        pre.append(forward(fed[-1], weight, bias))
        fed.append(numpy.maximum(pre[-1], F(0)))
    fed[-1] = pre[-1]
    return pre, fed


def backward(dz, x):
    dweight, dbias = numpy.zeros((dz.shape[1], x.shape[1]), F), numpy.zeros(dz.shape[1], F)
    for b in range(len(dz)):
        dweight, dbias = fma(dz[b, :, None], x[b, None, :], dweight), dbias + dz[b]
    return dweight + F(0), dbias + F(0)


def below(dz, weight, gate):
    dx = numpy.zeros((len(dz), weight.shape[1]), F)
    for n in range(len(weight)):
        dx = fma(dz[:, n, None], weight[None, n, :], dx)
    return numpy.where(gate, dx + F(0), F(0))


def gradients(layers, pre, fed, dlogits):
    made, dz = [None] * len(layers), dlogits
    for l in reversed(range(len(layers))):
        made[l] = backward(dz, fed[l])
        if l:
            dz = below(dz, layers[l][0], pre[l - 1] > 0)
    return made


# ---- losses ----

def horner(coefficients, x):
    value = numpy.full_like(x, F(coefficients[-1]))
    for coefficient in coefficients[-2::-1]:
        value = fma(value, x, F(coefficient))
    return value


def exp(x):
    x = numpy.clip(x, F(-104), F(89))
    n = fma(x, LOG2_E, ROUND) - ROUND
    r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, x))
    power = fma(horner(EXP_Q, r), r * r, r) + F(1)
    k = n.astype(int)
    half = (k + 256 >> 1) - 128
    return power * numpy.ldexp(F(1), half) * numpy.ldexp(F(1), k - half)


def log_near_1(f, k):
    r = fma(f * f, fma(horner(LOG_P, f), f, F(-0.5)), f)
    return fma(k, LN2_HIGH, fma(k, LN2_LOW, r))


def log(x):
    m, k = numpy.frexp(x)
    low = m < numpy.array(0x3F3504F3, numpy.uint32).view(F)
    m, k = numpy.where(low, m * F(2), m), numpy.where(low, k - 1, k).astype(F)
    return log_near_1(m - F(1), k)


def log1p(x):
    large = x > F(0.5)
    return log_near_1(numpy.where(large, (x - F(1)) * F(0.5), x), numpy.where(large, F(1), F(0)))


def loss(kind, logits, target):
    """Each sample's loss and the gradient of the batch's mean; target: labels for softmax, else numbers."""
    (batch, outputs), total = logits.shape, numpy.zeros(len(logits), F)
    if kind == "softmax":
        largest, rows = logits.max(1), numpy.arange(batch)
        e = exp(logits - largest[:, None])
        for n in range(outputs):
            total = total + e[:, n]
        hit = numpy.zeros_like(logits)
        hit[rows, target] = 1
        return log(total) - (logits[rows, target] - largest), (e / total[:, None] - hit) * F(1 / batch)
    if kind == "mse":
        d = logits - target
        for n in range(outputs):
            total = fma(d[:, n], d[:, n], total)
        return total * F(1 / outputs), d * F(2 / (batch * outputs))
    e = exp(-numpy.abs(logits))
    for n in range(outputs):
        total = total + ((numpy.maximum(logits[:, n], F(0)) - logits[:, n] * target[:, n]) + log1p(e[:, n]))
    sigmoid = numpy.where(logits > 0, F(1), e) / (F(1) + e)
    return total * F(1 / outputs), (sigmoid - target) * F(1 / (batch * outputs))


# ---- updates ----

def norm(grads):
    """In double: squares in 16 lanes by column, the lanes in order, then row by row, the bias as a row of its own."""
    total = 0.0
    for row in (row for dweight, dbias in grads for row in [*dweight, dbias]):
        lanes = numpy.zeros(16)
        for begin in range(0, len(row), 16):
            part = row[begin : begin + 16].astype(numpy.float64) ** 2
            lanes[: len(part)] += part
        of_row = 0.0
        for lane in lanes:
            of_row += lane
        total += of_row
    return math.sqrt(total)


class Optimizer:
    """beta1 0.9, beta2 0.999, epsilon 1e-8, as relume's defaults."""

    def __init__(self, kind, momentum, decay, decay_bias):
        self.kind, self.momentum, self.decay, self.decay_bias = kind, momentum, decay, decay_bias

    def update(self, w, g, s1, s2, rate, step, is_bias, without=(), kept_s2=None):
        """Parameters and states after a step. `without` leaves parts out, with the second moment kept as `kept_s2`."""
        decay = 0.0 if "decay" in without or (is_bias and not self.decay_bias) else self.decay
        g = numpy.zeros_like(g) if "gradient" in without else g
        s1 = numpy.zeros_like(s1) if "momentum" in without else s1
        if decay and self.kind != "adamw":
            g = fma(F(decay), w, g)
        if self.kind == "sgd":
            return fma(F(-rate), g, w), s1, s2
        if self.kind in ("momentum", "nesterov"):
            s1 = fma(F(self.momentum), s1, g)
            return fma(F(-rate), s1 if self.kind == "momentum" else fma(F(self.momentum), s1, g), w), s1, s2
        s1 = fma(F(0.9), s1, F(1 - 0.9) * g)
        s2 = fma(F(0.999), s2, F(1 - 0.999) * g * g) if kept_s2 is None else kept_s2
        if decay and self.kind == "adamw":
            w = w * F(1 - rate * decay)
        size, correction = rate / (1 - 0.9**step), 1 / math.sqrt(1 - 0.999**step)
        return fma(F(-size), s1 / fma(numpy.sqrt(s2), F(correction), F(1e-8)), w), s1, s2


def rate_at(schedule, rate, step, steps, warmup, points=()):
    if schedule == "step":
        rate = rate / 100 if step * 4 > steps * 3 else rate / 10 if step * 2 > steps else rate
    elif schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * (step - 1) / steps))
    for begin, value in points:
        rate = value if step >= begin else rate
    return rate * step / (warmup + 1) if step <= warmup else rate


# ---- random numbers: Philox4x64-10 ----

def philox(seed, purpose, group, index):
    counter, key, mask = [index, group, 0, 0], [seed, purpose], 2**64 - 1
    for _ in range(10):
        a, b = 0xD2E7470EE14C6C93 * counter[0], 0xCA5A826395121157 * counter[2]
        counter = [b >> 64 ^ counter[1] ^ key[0], b & mask, a >> 64 ^ counter[3] ^ key[1], a & mask]
        key = [key[0] + 0x9E3779B97F4A7C15 & mask, key[1] + 0xBB67AE8584CAA73B & mask]
    return counter


def shuffle(seed, purpose, group, count):
    """Fisher-Yates from the end; that a draw is thrown away happens once in 2**64 / count."""
    order = list(range(count))
    for i in range(count - 1, 0, -1):
        j = philox(seed, purpose, group, i)[0] * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
    return numpy.array(order)


def epoch_order(seed, epoch, count):
    return shuffle(seed, 3, epoch, count)


def holdout(seed, count, share):
    """Rows to train on and rows held out, each in the order of the data."""
    held = numpy.zeros(count, bool)
    held[shuffle(seed, 4, 0, count)[count - max(1, math.floor(share * count + 0.5)) :]] = True
    return numpy.flatnonzero(~held), numpy.flatnonzero(held)
