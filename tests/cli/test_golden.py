"""What the program prints, compared with the files in expected/: help of every command, results on small data made here,
and the message for each kind of wrong usage and bad input.

    test_golden.py PROGRAM              compare
    test_golden.py PROGRAM --refresh    write the files anew; look at `git diff` before you commit them

Every number shown is the same on every machine and at every CPU level; what is not (version, level, threads, times) is
replaced by a word in capitals first.
"""
import difflib
import os
import re
import sys

import program

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected")

REPLACED = [
    (r"(?m)^relume \d+\.\d+\.\d+$", "relume VERSION"),
    (r'("relume": )"[^"]*"', r'\1"VERSION"'),
    (r"(?m)^CPU level: .*$", "CPU level: LEVEL"),
    (r"(?m)^threads: .*$", "threads: N"),
    (r'("kernel": )"[^"]*"', r'\1"LEVEL"'),
    (r'("threads": )\d+', r"\1N"),
    (r"(?m)^(!   machine   )\w+  threads \d+$", r"\1LEVEL  threads N"),
    (r'("(?:\w+_)?seconds": )[-+.\de]+', r"\1SECONDS"),
    (r'("samples_per_second": )[-+.\de]+', r"\1RATE"),
    (r"[\d:]+ left  [\d,]+ samples/s", "TIME left  RATE samples/s"),
]

TRAIN = ["train", "table.csv", "--target", "kind", "--hidden", "6,5", "--epochs", "3", "--batch", "16", "--lr", "0.5"]

DIGITS = ["train", "digits", "--hidden", "12,10", "--optimizer", "adam", "--epochs", "2", "--progress", "off"]


def change_data(relume):
    """# one number of table.csv is changed"""
    with open(relume.path("table.csv"), encoding="ascii") as file:
        lines = file.read().split("\n")
    lines[1] = "0.25" + lines[1][lines[1].index(","):]
    with open(relume.path("table.csv"), "w", encoding="ascii") as file:
        file.write("\n".join(lines))


def remove_data(relume):
    """# table.csv is removed"""
    os.remove(relume.path("table.csv"))


# File of expected/ to the commands it shows; a function is called, and its docstring shown.
CASES = {
    "version": [["--version"]],
    "train": [
        [*TRAIN, "-o", "run", "--holdout", "0.25"],
        [*TRAIN, "-o", "run", "--holdout", "0.25", "--resume"],
        [*TRAIN, "-o", "run", "--holdout", "0.25"],
        [*TRAIN, "-o", "run", "--holdout", "0.2", "--resume"],
        [*TRAIN, "-o", "run", "--holdout", "0.25", "--batch", "8", "--resume"],
        ["inspect", "run"],
        ["inspect", "run/model.safetensors"],
    ],
    "train-json": [[*TRAIN, "--optimizer", "sgd", "--seed", "3", "-o", "run", "--json", "--progress", "off"]],
    "train-kills": [
        ["train", "images", "--hidden", "16", "--optimizer", "adam", "--lr", "0.3", "--epochs", "2", "--batch", "20", "-o",
         "run", "--fail-if-dead", "5%"],
        ["census", "run", "images", "--fail-if-dead", "5%"],
    ],
    "train-early-stop": [[*TRAIN, "--epochs", "40", "--holdout", "0.25", "--early-stop", "2", "--schedule", "1:0.5,9:0.05",
                          "--warmup", "3", "--clip-norm", "1", "-o", "run"]],
    "train-diverges": [
        ["train", "table.csv", "--target", "kind", "--hidden", "6,5", "--epochs", "9", "--batch", "16", "--optimizer", "sgd",
         "--lr", "1e20", "-o", "run"],
        ["inspect", "run"],
    ],
    "train-regression": [
        ["train", "table.csv", "--target", "kind", "--x-key", "f1", "-o", "run"],
        ["train", "numbers.npy", "--labels", "targets.npy", "--hidden", "6", "--epochs", "2", "--batch", "8", "--lr", "0.05",
         "--loss", "mse", "-o", "run"],
        ["predict", "run", "numbers.npy"],
    ],
    "census": [
        [*TRAIN, "-o", "run", "--progress", "off", "--json"],
        ["census", "run", "table.csv", "--target", "kind"],
        ["census", "run", "table.csv", "--target", "kind", "--units"],
        ["census", "run", "table.csv", "--target", "kind", "--json", "--units"],
        ["census", "run", "table.csv", "--target", "kind", "--split", "test"],
        ["census", "run", "images"],
    ],
    "autopsy": [
        [*DIGITS, "--lr", "0.1", "-o", "run"],
        ["autopsy", "run"],
        ["autopsy", "run", "--limit", "1", "--all"],
        ["autopsy", "run", "h2.1", "--episodes"],
        ["autopsy", "run", "h1.0", "h1.9", "h2.0", "h2.3"],
    ],
    "census-off": [
        [*DIGITS, "--lr", "0.1", "--census", "off", "-o", "run"],
        [*DIGITS, "--lr", "0.1", "--census", "off", "-o", "run", "--resume", "--json"],
        [*DIGITS, "--lr", "0.1", "--census", "final", "-o", "run", "--resume"],
        ["inspect", "run"],
        ["autopsy", "run", "--limit", "1"],
        [*DIGITS, "--census", "off", "--warn", "-o", "other"],
        [*DIGITS, "--census", "off", "--fail-if-dead", "5%", "-o", "other"],
        ["sweep", "digits", "--census", "off"],
        [*TRAIN, "--census", "off", "--progress", "plain", "-o", "table-run"],
        remove_data,
        ["autopsy", "table-run"],
        ["report", "table-run"],
    ],
    "autopsy-none": [
        [*DIGITS, "--lr", "0.001", "--standardize", "-o", "run"],
        ["autopsy", "run"],
        ["autopsy", "run", "h1.3"],
        ["autopsy", "run", "--json"],
    ],
    "autopsy-refuses": [
        [*TRAIN, "-o", "run"],
        ["autopsy", "run", "h9.1"],
        ["autopsy", "run", "h1.6"],
        ["autopsy", "run", "37"],
        ["autopsy", "table.csv"],
        change_data,
        ["autopsy", "run"],
        remove_data,
        ["autopsy", "run"],
    ],
    "predict": [
        [*TRAIN, "-o", "run", "--progress", "off", "--json"],
        ["predict", "run", "short.csv", "--target", "kind"],
        ["predict", "run", "short.csv", "--target", "kind", "--probabilities"],
        ["predict", "run", "short.csv", "--target", "kind", "-o", "classes.csv"],
        ["predict", "run", "images"],
    ],
    "report": [
        [*TRAIN, "-o", "run", "--optimizer", "sgd", "--lr", "3", "--holdout", "0.25", "--progress", "off", "--json"],
        ["report", "run"],
        ["report", "run", "--no-autopsy"],
        ["forecast", "run", "--seeds", "4", "--steps", "3"],
        ["forecast", "run", "--hidden", "3"],
        ["report", "run"],
        ["report", "run", "--autopsy", "--no-autopsy"],
        ["report", "run", "--json", "-o", "run.html"],
        ["report", "nothing"],
    ],
    "inspect": [
        ["inspect", "table.csv"],
        ["inspect", "numbers.npy"],
        ["inspect", "images"],
        ["inspect", "nothing"],
        ["inspect", "text.safetensors"],
    ],
    "one-of-each": [  # and so no word in the plural beside a 1
        ["train", "one.npy", "--labels", "target.npy", "--hidden", "1", "--epochs", "1", "--batch", "16", "--lr", "0.5", "--loss",
         "mse", "--progress", "off", "-o", "run"],
        ["inspect", "run"],
        ["report", "run"],
        ["autopsy", "run"],
        ["census", "run", "one.npy"],
        ["predict", "run", "one.npy"],
        ["forecast", "run", "--seeds", "1", "--steps", "1"],
        ["gradcheck", "one.npy", "--labels", "target.npy", "--hidden", "1"],
    ],
    "wrong-usage": [
        [],
        ["trian"],
        ["--versoin"],
        ["--json"],
        ["train"],
        ["train", "table.csv"],
        ["train", "table.csv", "other.csv", "-o", "run"],
        ["train", "digits", "-o", "run", "--epoch", "3"],
        ["train", "digits", "-o", "run", "--epochs", "0"],
        ["train", "digits", "-o", "run", "--epochs", "many"],
        ["train", "digits", "-o", "run", "--batch", "-1"],
        ["train", "digits", "-o", "run", "--lr", "fast"],
        ["train", "digits", "-o", "run", "--lr", "nan"],
        ["train", "digits", "-o", "run", "--momentum", "1"],
        ["train", "digits", "-o", "run", "--optimizer", "adamm"],
        ["train", "digits", "-o", "run", "--hidden", "12,,9"],
        ["train", "digits", "-o", "run", "--hidden", "0"],
        ["train", "digits", "-o", "run", "--schedule", "9:0.1,3:0.2"],
        ["train", "digits", "-o", "run", "--holdout", "1.5"],
        ["train", "digits", "-o", "run", "--seed"],
        ["train", "digits", "-o"],
        ["census", "digits"],
        ["census", "nothing", "digits"],
        ["predict", "digits", "digits"],
    ],
    "bad-input": [
        ["train", "nothing.csv", "--target", "kind", "-o", "run"],
        ["train", "table.csv", "-o", "run"],
        ["train", "table.csv", "--target", "kinds", "-o", "run"],
        ["train", "nan.csv", "--target", "kind", "-o", "run"],
        ["train", "ragged.csv", "--target", "kind", "-o", "run"],
        ["train", "images", "--loss", "mse", "--hidden", "4", "-o", "images"],
        ["train", "broken", "-o", "run"],
        ["census", "text.safetensors", "images"],
    ],
}


def make_data(relume):
    """The files the cases speak of."""
    program.write_csv(relume.path("table.csv"), 60)
    program.write_csv(relume.path("short.csv"), 5, seed=2)
    program.write_idx(relume.path("images"), 60)
    numbers = program.Numbers(3)
    program.write_npy(relume.path("numbers.npy"), [[(numbers.below(17) - 8) / 8 for _ in range(3)] for _ in range(12)])
    program.write_npy(relume.path("targets.npy"), [[(numbers.below(17) - 8) / 8] for _ in range(12)])
    program.write_npy(relume.path("one.npy"), [[0.75]])
    program.write_npy(relume.path("target.npy"), [[0.5]])
    with open(relume.path("table.csv"), encoding="ascii") as file:
        lines = file.read().split("\n")
    for name, line in (("nan.csv", "1,nan,2,3,a"), ("ragged.csv", "1,2,3,a")):
        with open(relume.path(name), "w", encoding="ascii") as file:
            file.write("\n".join([*lines[:4], line, *lines[4:]]))
    with open(relume.path("text.safetensors"), "w", encoding="ascii") as file:
        file.write("this is no model\n")
    program.write_idx(relume.path("broken"), 9)
    with open(relume.path("broken", "train-images-idx3-ubyte"), "r+b") as file:
        file.truncate(100)


def shown(relume, commands):
    """The commands as a shell session: what was typed, stdout, stderr behind "! ", and the exit status where it is not 0."""
    text = []
    for command in commands:
        if callable(command):
            command(relume)
            text.append(command.__doc__ + "\n\n")
            continue
        status, out, err = relume.run(*command)
        text.append("$ " + " ".join(["relume", *command]) + "\n")
        text.append(out)
        text.append("".join("! " + line + "\n" for line in err.splitlines()))
        if status:
            text.append(f"exit {status}\n")
        text.append("\n")
    text = "".join(text).replace(relume.folder, "FOLDER").replace(relume.program, "relume")
    for pattern, word in REPLACED:
        text = re.sub(pattern, word, text)
    return text


def command_names(relume):
    """The commands that `relume --help` lists."""
    listed = re.search(r"(?ms)^Commands\n(.*?)\n\n", relume.must("--help")).group(1)
    return re.findall(r"(?m)^  (\w+)", listed)


def compare(name, text):
    path = os.path.join(EXPECTED, name + ".txt")
    if "--refresh" in sys.argv:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    assert os.path.exists(path), f"{path} is missing; make it with: tests/cli/test_golden.py PROGRAM --refresh"
    with open(path, encoding="utf-8") as file:
        expected = file.read()
    if text != expected:
        lines = difflib.unified_diff(expected.splitlines(), text.splitlines(), "expected/" + name + ".txt", "printed now",
                                     lineterm="", n=1)
        raise AssertionError("\n".join(lines) + "\nif this is meant: tests/cli/test_golden.py PROGRAM --refresh")


def case_test(name):
    def test(relume):
        make_data(relume)
        compare(name, shown(relume, CASES[name]))

    test.__name__ = "test_" + name
    return test


def test_help(relume):
    """Each command's help by itself and through `relume help`, and no page for a command that is gone."""
    compare("help", shown(relume, [["--help"], ["help", "errors"]]))
    names = command_names(relume)
    for name in names:
        compare("help-" + name, shown(relume, [[name, "--help"]]))
        assert relume.run(name, "-h") == relume.run("help", name), f"`relume {name} -h` is not `relume help {name}`"
        assert all(len(line) <= 80 for line in relume.must(name, "--help").split("\n")), f"help of {name} is too wide"
    pages = {file[5:-4] for file in os.listdir(EXPECTED) if file.startswith("help-")}
    assert pages == set(names), f"pages without a command: {sorted(pages - set(names))}"


if __name__ == "__main__":
    sys.exit(program.main([test_help, *(case_test(name) for name in CASES)]))
