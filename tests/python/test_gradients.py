"""float32 gradients against PyTorch's: random networks of one to four hidden layers, every loss, batches of 1 and 37.

The difference is measured a tensor at a time, max|a - b| / max|b|. PyTorch computes in float64 here, so that what is
measured is relume's own rounding alone; PyTorch in float32 is measured beside it and printed. A gate whose pre-activation
is so near 0 that float32 and float64 disagree would make the comparison meaningless: such a draw is made anew (counted and
printed), which happens with a probability of some 1e-7 a gate.
"""
import sys
import tempfile

import numpy

import nets


def smallest_gate(layers, x):
    """The smallest |p| of any hidden unit over its layer's largest."""
    names = [name[:-7] for name in layers if name.endswith(".weight")]
    z, smallest = x.astype(numpy.float64), 1.0
    for name in names[:-1]:
        p = z @ layers[name + ".weight"].T.astype(numpy.float64) + layers[name + ".bias"]
        smallest = min(smallest, numpy.abs(p).min() / numpy.abs(p).max())
        z = numpy.maximum(p, 0)
    return smallest


def torch_gradients(torch, layers, x, y, loss, dtype):
    model, named = nets.torch_model(torch, layers, dtype)
    target = torch.tensor(y) if loss == "softmax" else torch.tensor(y, dtype=dtype)
    nets.torch_loss(torch, loss)(model(torch.tensor(x, dtype=dtype)), target).backward()
    return {name: parameter.grad.numpy() for name, parameter in named.items()}


def difference(found, expected):
    """The worst tensor's difference and name; a gradient that is 0 throughout must be so in both."""
    worst = (0.0, "")
    for name, tensor in expected.items():
        scale = numpy.abs(tensor).max()
        apart = numpy.abs(found[name] - tensor).max()
        worst = max(worst, (apart / scale if scale > 0 else float(apart > 0), name))
    return worst


def main(program):
    torch = nets.torch_or_skip()
    seed = 20
    random = numpy.random.default_rng(seed)
    print(f"seed {seed}")
    worst, worst_float, drawn_anew, failures = (0.0, ""), (0.0, ""), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        probe = nets.Probe(program, folder)
        for hidden in (1, 2, 3, 4):
            for loss in nets.LOSSES:
                for batch in (1, 37):
                    for _ in range(3):
                        while True:
                            widths = [int(width) for width in random.integers(3, 60, hidden + 2)]
                            layers = nets.network(random, widths)
                            x, y = nets.data(random, loss, batch, widths[0], widths[-1])
                            if smallest_gate(layers, x) > 1e-6:
                                break
                            drawn_anew += 1
                        found = probe.run("gradients", layers, x, y, loss)
                        expected = torch_gradients(torch, layers, x, y, loss, torch.float64)
                        torch_float = torch_gradients(torch, layers, x, y, loss, torch.float32)
                        apart = difference(found, expected)
                        worst = max(worst, apart)
                        worst_float = max(worst_float, difference(torch_float, expected))
                        if not apart[0] <= 1e-5:
                            failures += 1
                            print(f"widths {widths}, {loss}, batch {batch}: {apart[1]} differs by {apart[0]:.3g}")
    print(f"72 networks, {drawn_anew} drawn anew: largest relative difference {worst[0]:.3g} ({worst[1]}); "
          f"PyTorch's own float32: {worst_float[0]:.3g}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
