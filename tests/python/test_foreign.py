"""Models that relume did not write, on data it did not choose: how bytes are scaled for them, and which output a label means.

A PyTorch-style file states no scaling and no classes. NumPy works out the same network in float64 on what the documents
promise (bytes by 255, labels by their own numbers, classes by name); a difference of logits far below 1e-4 of their size
cannot be float32's, while raw bytes in place of scaled ones, or labels numbered anew, differ by orders of magnitude.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy

import tensors

LAYERS = ("0", "2", "4")


def network(random, widths):
    layers = {}
    for name, (k, n) in zip(LAYERS, zip(widths, widths[1:])):
        layers[name + ".weight"] = (random.normal(size=(n, k)) * (2 / k) ** 0.5).astype(numpy.float32)
        layers[name + ".bias"] = (random.normal(size=n) / 4).astype(numpy.float32)
    return layers


def activations(layers, x):
    z, hidden = x.astype(numpy.float64), []
    for name in LAYERS:
        z = z @ layers[name + ".weight"].T.astype(numpy.float64) + layers[name + ".bias"]
        hidden.append(z)
        z = numpy.maximum(z, 0)
    return hidden


class Session:
    def __init__(self, program, folder):
        self.program, self.folder = os.path.abspath(program), folder

    def run(self, *arguments, fed=b""):
        """Exit status, stdout and stderr of a command whose stdin is a pipe with these bytes."""
        done = subprocess.run([self.program, *arguments], cwd=self.folder, input=fed, capture_output=True, timeout=120,
                              check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def json(self, *arguments):
        status, out, err = self.run(*arguments, "--json")
        assert status == 0, err
        return json.loads(out)

    def save(self, name, array):
        numpy.save(f"{self.folder}/{name}", array)


def check_scaling(session, layers, images):
    """Bytes are divided by 255 for a model that states nothing, floats are taken as they are."""
    for scale, array in ((255, images), (1, (images / 16).astype(numpy.float32))):
        session.save("x.npy", array)
        expected = activations(layers, array / scale)
        margins = [unit["margin"] for unit in session.json("census", "m.safetensors", "x.npy", "--units")["units"]]
        wanted = numpy.concatenate([layer.max(axis=0) for layer in expected[:2]])
        assert numpy.allclose(margins, wanted, rtol=1e-4, atol=1e-4), (scale, margins, wanted)
        found = session.json("predict", "m.safetensors", "x.npy")["predictions"]
        assert found == [str(i) for i in expected[2].argmax(axis=1)], scale
    assert session.json("inspect", "m.safetensors")["model"]["scaling"] is None
    assert "none stated" in session.run("inspect", "m.safetensors")[1]


def check_training_from_it(session, layers, images, labels):
    """--init-from takes scaling and classes from the data where the model has none."""
    session.save("x.npy", images)
    session.save("y.npy", labels + 5)
    train = ["train", "x.npy", "--labels", "y.npy", "--init-from", "m.safetensors", "--epochs", "1", "--optimizer", "sgd"]
    session.json(*train, "-o", "plain")
    model = session.json("inspect", "plain/checkpoints/step-0.safetensors")["model"]
    assert model["scaling"] == {"uniform": True, "offset": [0.0], "divisor": [255.0]}, model["scaling"]
    assert model["classes"] == [str(5 + i) for i in range(layers["4.bias"].size)], model["classes"]
    session.json(*train, "-o", "centred", "--standardize")
    centred = tensors.read(f"{session.folder}/centred/model.safetensors")
    assert numpy.allclose(centred["input.offset"], images.mean(axis=0), rtol=1e-5), "not standardized"
    status, _, err = session.run(*train[:5], "plain", *train[6:], "-o", "again", "--standardize")
    assert status == 3 and "plain" in err and "--standardize" in err, err


def accuracy(session, *arguments):
    return session.json("predict", *arguments)["accuracy"]


def check_labels(session, layers, images, labels):
    """Fewer classes in the data than outputs: a number is its own output, a name the model's."""
    right = activations(layers, images / 255)[2].argmax(axis=1) == labels
    some = labels > 0
    session.save("x.npy", images[some])
    session.save("y.npy", labels[some])
    assert accuracy(session, "m.safetensors", "x.npy", "--labels", "y.npy") == right[some].mean()
    names = numpy.array(["ant", "bee", "cat"])[labels]
    rows = [",".join([*map(str, row), name]) for row, name in zip(images, names)]
    for name, kept in (("all", rows), ("some", [row for row in rows if "ant" not in row])):
        with open(f"{session.folder}/{name}.csv", "w", encoding="ascii") as file:
            file.write("\n".join([",".join([f"f{k}" for k in range(images.shape[1])] + ["kind"]), *kept]) + "\n")
    session.json("train", "all.csv", "--target", "kind", "--hidden", "9", "--epochs", "30", "-o", "run")
    found = numpy.array(session.json("predict", "run", "all.csv", "--target", "kind")["predictions"]) == names
    assert accuracy(session, "run", "some.csv", "--target", "kind") == found[some].mean()
    assert accuracy(session, "run", "x.npy", "--labels", "y.npy") == found[some].mean(), "numbers, for classes with names"
    with open(f"{session.folder}/some.csv", "a", encoding="ascii") as file:
        file.write(rows[0].replace(names[0], "wasp") + "\n")
    document = session.run("predict", "run", "some.csv", "--target", "kind", "--json")
    assert document[0] == 0 and json.loads(document[1])["accuracy"] is None and '"wasp"' in document[2], document
    status, _, err = session.run("explain", "run", "h1.0", "--data", "some.csv", "--target", "kind")
    assert status == 3 and '"wasp"' in err, err


def check_text_labels(session, images, labels):
    """Texts as NumPy keeps them are labels like those of a CSV: the same classes in the same order, the same run."""
    names = numpy.array(["zebra", "d\u00f6g \U0001f415", "a,b"])[labels]
    session.save("x.npy", images)
    with open(f"{session.folder}/y.txt", "w", encoding="utf-8") as file:
        file.write("".join(f'"{name}"\n' for name in names))
    train = ["--hidden", "7", "--epochs", "3", "-o"]
    expected = session.json("train", "x.npy", "--labels", "y.txt", *train, "from-text")["train"]
    for index, array in enumerate((names, names.astype(">U30"), names[:, None], numpy.char.encode(names, "utf-8"))):
        session.save("y.npy", array)
        run = f"from-array-{index}"
        assert session.json("train", "x.npy", "--labels", "y.npy", *train, run)["train"] == expected, array.dtype
        assert session.json("inspect", run + "/model.safetensors")["model"]["classes"] == sorted(set(names.tolist()))
    numpy.savez_compressed(f"{session.folder}/texts.npz", X=images, y=names)
    assert session.json("train", "texts.npz", *train, "from-archive")["train"] == expected


def check_labels_as_floats(session, images, labels):
    """Labels written as 1.0, 2.0, … are targets of a regression, and labels where --loss softmax says so."""
    session.save("x.npy", images)
    session.save("y.npy", labels * 2)
    train = ["train", "x.npy", "--labels", "y.npy", "--hidden", "7", "--epochs", "3"]
    expected = session.json(*train, "-o", "as-integers")["train"]
    session.save("y.npy", labels * 2.0)
    assert session.json(*train, "-o", "as-floats")["train"]["accuracy"] is None
    assert session.json(*train, "--loss", "softmax", "-o", "asked-for")["train"] == expected
    assert accuracy(session, "asked-for", "x.npy", "--labels", "y.npy") == expected["accuracy"]
    session.json("autopsy", "asked-for")  # which loads the data anew, and compares them
    status, out, _ = session.run(*train, "--loss", "softmax", "-o", "asked-for", "--resume", "--json")
    assert status == 0 and json.loads(out)["was_finished"] is True
    session.save("y.npy", labels * 0.5)
    status, _, err = session.run(*train, "--loss", "softmax", "-o", "halves")
    assert status == 3 and "not all whole numbers" in err, err


def check_gradcheck(session, images, labels):
    """The loss that gradcheck works on is the model's: its scaling stays when --loss names a loss, and so do its classes.

    predict sums in float32 what gradcheck sums in double: some 1e-7 of the loss apart, other data or classes tens of percent."""
    session.save("x.npy", images)
    session.save("y.npy", labels)
    session.json("train", "x.npy", "--labels", "y.npy", "--standardize", "--hidden", "7", "--epochs", "3", "-o", "scaled")
    check = ["gradcheck", "x.npy", "--labels", "y.npy", "--init-from", "scaled", "--batch", "60"]
    loss = session.json("predict", "scaled", "x.npy", "--labels", "y.npy")["mean_loss"]
    for options in ([], ["--loss", "softmax"]):
        found = session.json(*check, *options)["loss_value"]
        assert abs(found - loss) < 1e-5 * loss, (options, found, loss)
    assert session.json(*check, "--loss", "mse")["loss"] == "mse"
    session.save("x.npy", images[labels > 0])
    session.save("y.npy", labels[labels > 0])
    loss = session.json("predict", "scaled", "x.npy", "--labels", "y.npy")["mean_loss"]
    for kind in (labels.dtype, numpy.float32):  # which are labels because the model tells classes apart
        session.save("y.npy", labels[labels > 0].astype(kind))
        found = session.json(*check)["loss_value"]
        assert abs(found - loss) < 1e-5 * loss, (kind, found, loss)


def check_pipes(session, images):
    """A pipe gives its bytes once: options tell what they are, not a look at them before they are read."""
    session.save("x.npy", images / 16)
    expected = session.json("predict", "m.safetensors", "x.npy")["predictions"]
    with open(f"{session.folder}/x.npy", "rb") as file:
        array = file.read()
    table = "\n".join(",".join(map(repr, row)) for row in (images / 16).tolist()).encode()
    for fed, options in ((table, []), (array, ["--labels", "y.npy"])):
        session.save("y.npy", numpy.arange(len(images)) % 3)
        status, out, err = session.run("predict", "m.safetensors", "/dev/stdin", *options, fed=fed)
        assert status == 0 and out.split() == expected, (options, err)


def main(program):
    seed = 11
    random = numpy.random.default_rng(seed)
    print(f"seed {seed}")
    images = random.integers(0, 256, (60, 12)).astype(numpy.uint8)
    labels = random.integers(0, 3, 60)
    layers = network(random, [12, 10, 8, 3])
    with tempfile.TemporaryDirectory() as folder:
        session = Session(program, folder)
        tensors.write(f"{folder}/m.safetensors", layers)
        check_scaling(session, layers, images)
        check_training_from_it(session, layers, images, labels)
        check_labels(session, layers, images, labels)
        check_text_labels(session, images, labels)
        check_labels_as_floats(session, images, labels)
        check_gradcheck(session, images, labels)
        check_pipes(session, images)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
