"""Random networks and data for the comparisons with PyTorch and NumPy, and the program that runs relume on them."""
import os
import subprocess

import numpy

import tensors

LOSSES = ["softmax", "mse", "bce"]


def network(random, widths):
    """He-normal weights and small random biases, as float32, named as relume names them."""
    layers = {}
    for index, (columns, rows) in enumerate(zip(widths, widths[1:])):
        name = "out" if index == len(widths) - 2 else f"h{index + 1}"
        layers[name + ".weight"] = (random.standard_normal((rows, columns)) * (2 / columns) ** 0.5).astype(numpy.float32)
        layers[name + ".bias"] = (0.1 * random.standard_normal(rows)).astype(numpy.float32)
    return layers


def data(random, loss, samples, features, outputs):
    x = random.standard_normal((samples, features)).astype(numpy.float32)
    if loss == "softmax":
        y = random.integers(0, outputs, samples)
        y[0] = outputs - 1  # so that relume counts as many classes as there are outputs
    else:
        y = random.random((samples, outputs)).astype(numpy.float32)
    return x, y


class Probe:
    """Runs the probe program on arrays and gives back arrays."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def run(self, command, layers, x, y, loss, *settings):
        model, points, result = (os.path.join(self.folder, name) for name in ("model", "data", "result"))
        tensors.write(model, layers)
        targets = {} if y is None else {"targets": y} if y.ndim == 2 else {"labels": y.astype(numpy.uint32)}
        tensors.write(points, {"X": x, **targets})
        subprocess.run([self.program, command, model, points, loss, result, *settings], check=True)
        return tensors.read(result)


def torch_or_skip():
    """PyTorch, or exit with 77: Meson counts the test as skipped and shows the reason."""
    try:
        import torch
    except ImportError:
        print("skipped: PyTorch is not installed (Debian package python3-torch)")
        raise SystemExit(77)
    torch.set_num_threads(1)
    return torch


def torch_loss(torch, loss):
    kind = {"softmax": torch.nn.CrossEntropyLoss, "mse": torch.nn.MSELoss, "bce": torch.nn.BCEWithLogitsLoss}
    return kind[loss]()


def torch_model(torch, layers, dtype):
    """The same weights in a Sequential; returns it and its parameters by relume's names."""
    modules, named = [], {}
    names = [name[: -len(".weight")] for name in layers if name.endswith(".weight")]
    for name in names:
        weight = torch.tensor(layers[name + ".weight"], dtype=dtype)
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(weight)
            linear.bias.copy_(torch.tensor(layers[name + ".bias"], dtype=dtype))
        named[name + ".weight"], named[name + ".bias"] = linear.weight, linear.bias
        modules += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1]), named
