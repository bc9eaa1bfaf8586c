#!/usr/bin/python3
"""relume bench as a user runs it: test_bench.py PROGRAM. Its JSON fits docs/schemas/bench-1.json, each part appears when asked for
and only then, figures agree with one another, and wrong words are refused. No speed is asserted: that is docs/performance.md's
business. Exit 77 where python3-jsonschema is missing."""
import json
import pathlib
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is not installed")
    sys.exit(77)

SMALL = ["--data", "digits", "--hidden", "32,16", "--batch", "16", "--seconds", "0.1", "--repeats", "3"]
SCHEMA = json.loads((pathlib.Path(__file__).parents[2] / "docs/schemas/bench-1.json").read_text(encoding="utf-8"))


def run(*arguments):
    return subprocess.run([sys.argv[1], "bench", *arguments], capture_output=True, text=True, timeout=120)


def document(*arguments):
    told = run(*arguments, "--json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    jsonschema.Draft7Validator(SCHEMA).validate(found)
    return found


def parts(found):
    return [name for name in ("train", "census", "kernels") if name in found]


def main():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert parts(document(*SMALL)) == ["train", "census", "kernels"]
    for part in ("train", "census", "kernels"):
        assert parts(document(part, *SMALL)) == [part], part
    found = document("all", *SMALL, "--threads", "1", "--optimizer", "adam", "--dense", "--no-ledger")
    assert found["network"] == [64, 32, 16, 10] and found["dataset"]["name"] == "digits" and found["threads"] == 1
    assert (found["optimizer"], found["learning_rate"], found["dense"], found["ledger"]) == ("adam", 0.001, True, False)
    work = {"train": 4 * 64 * 32 + 6 * (32 * 16 + 16 * 10), "census": 2 * (64 * 32 + 32 * 16 + 16 * 10)}
    for part, flop in work.items():
        one = found[part][0]
        assert abs(one["gflops"] / (one["samples_per_second"] * flop * 1e-9) - 1) < 1e-9, part
        assert one["spread"][0] <= one["samples_per_second"] <= one["spread"][1], part
    names = [kernel["kernel"] for kernel in found["kernels"]]
    assert names == ["forward", "backward_weights", "backward_input"]
    told = run(*SMALL)
    assert told.returncode == 0 and "of peak" in told.stdout and "64-32-16-10" in told.stdout, told.stdout
    for wrong, word in ((["speed"], "train, census, kernels or all"), (["--seconds", "0"], "--seconds"), (["--repeats", "102"], "--repeats")):
        told = run(*wrong)
        assert told.returncode == 2 and word in told.stderr and not told.stdout, told.stderr
    assert run("--data", "no-such-file.csv").returncode == 3


main()
