"""A number that is not finite is divergence, found at its step and named, and never a dead unit.

    test_divergence.py PROGRAM
"""
import json
import os
import re
import struct
import sys

import program

FASHION = "/usr/share/datasets/fashion-mnist"
NAMED = re.compile(r"step (\d+) \(epoch \d+\): .*unit ((?:h\d+|out)\.\d+)")


def diverge(relume, data, *arguments):
    """Trains until it diverges; returns the number of the step named, after checking what is left behind."""
    relume.remove("run")
    status, out, err = relume.run("train", data, "-o", "run", "--progress", "off", *arguments)
    assert status == 6, f"exit {status}\n{err}"
    assert out == "", out
    named = NAMED.search(err)
    assert named, err
    step, unit = int(named.group(1)), named.group(2)
    kept = sorted(int(name[5:-12]) for name in os.listdir(relume.path("run", "checkpoints")))
    assert kept[-1] == step - 1 if "after step" not in err else kept[-1] < step, (kept, err)
    assert not os.path.exists(relume.path("run", "model.safetensors"))
    # each checkpoint can be counted, but for the weights that the batch of this step has shown to be bad
    for at in kept:
        status, out, told = relume.run("census", f"run/checkpoints/step-{at}.safetensors", data, "--json", "--units")
        if at == step - 1 and status == 6:
            assert re.search(r"unit (h\d+|out)\.\d+ is -?(inf|nan)", told) and not out, told
            continue
        assert status == 0, told
        assert all(unit["margin"] is not None for unit in json.loads(out)["units"])
    history = relume.tell("run")
    (run,) = history["table run"]
    assert run[1] == "diverged" and unit in run[-1], run
    assert not any(row[0] >= step for row in history["table census"]), "a census of what had diverged was entered"
    # the same again: it diverges at the same step, and says so in the same words
    assert relume.run("train", data, "-o", "run", "--progress", "off", *arguments, "--resume") == (6, "", err)
    return step, unit


def test_at_any_rate(relume):
    """Small data; whatever diverges does so well, at every census interval and with every optimizer."""
    program.write_idx(relume.path("images"), 60)
    seen = set()
    for optimizer, rate in (("sgd", "1e9"), ("momentum", "1e12"), ("nesterov", "1e18"), ("adam", "1e18"), ("adamw", "1e37")):
        for more in ([], ["--census", "1"], ["--checkpoint", "1"], ["--clip-norm", "1e30"], ["--loss", "mse"]):
            step, unit = diverge(relume, "images", "--hidden", "8,8", "--batch", "16", "--optimizer", optimizer, "--lr", rate,
                                 "--epochs", "50", *more)
            seen.add(unit.split(".")[0])
    print(f"# found in {', '.join(sorted(seen))}")


def test_fashion_mnist(relume):
    """SGD at 1.0, which ends in NaN in PyTorch too."""
    if not os.path.isdir(FASHION):
        raise program.Skip("the Debian package dataset-fashion-mnist is not installed")
    for seed in range(3):
        step, unit = diverge(relume, "fashion-mnist", "--optimizer", "sgd", "--lr", "1", "--epochs", "3", "--seed", seed)
        print(f"# seed {seed}: step {step}, unit {unit}")


def tensors_of(path):
    """Name to place and count of each tensor of a .safetensors, and the bytes of the file."""
    with open(path, "rb") as file:
        content = bytearray(file.read())
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    header.pop("__metadata__", None)
    return content, {name: 8 + length + entry["data_offsets"][0] for name, entry in header.items()}


def test_never_called_dead(relume):
    """A model with a NaN, an infinity, or weights whose sums overflow: refused by census and predict, whichever the place."""
    program.write_idx(relume.path("images"), 40)
    relume.must("train", "images", "-o", "run", "--hidden", "6,5", "--epochs", "1", "--progress", "off")
    finite = refused = 0
    content, places = tensors_of(relume.path("run", "model.safetensors"))
    huge = struct.unpack("<f", struct.pack("<I", 0x7f7fffff))[0]  # the largest float: two of it overflow
    for name, place in places.items():
        for value in (float("nan"), float("inf"), float("-inf"), huge, -huge):
            if abs(value) == huge and name.endswith("bias"):
                continue  # one of it is finite, and so is its sum with small numbers
            changed = bytearray(content)
            count = 4 if abs(value) == huge else 1
            struct.pack_into(f"<{count}f", changed, place, *[value] * count)
            with open(relume.path("bad.safetensors"), "wb") as file:
                file.write(changed)
            for command in ("census", "predict"):
                for level in program.levels(relume):
                    status, out, err = relume.run(command, "bad.safetensors", "images", cpu=level)
                    what = f"{command} with {value} in {name} at {level}: exit {status}\n{out}{err}"
                    if abs(value) == huge and status == 0:
                        finite += 1  # fed by zeros, or cancelled
                        continue
                    # a sum that overflows may show in the layer above, all others in their own
                    unit = r"unit (h\d|out)\.\d" if abs(value) == huge else re.escape(name.split(".")[0])
                    assert status in (3, 6) and not out and re.search(unit, err), what
                    refused += 1
    assert refused > 5 * finite
    print(f"# {refused} refused, {finite} finite all the same")


if __name__ == "__main__":
    sys.exit(program.main([test_at_any_rate, test_fashion_mnist, test_never_called_dead]))
