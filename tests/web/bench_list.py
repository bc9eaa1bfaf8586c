#!/usr/bin/python3
"""How long a folder of runs takes to be listed: bench_list.py PROGRAM [RUNS]

One run of 100,000 steps, with a census at each of its 6,667 epochs, is copied; then `relume serve` is started on the folder, and the
seconds are counted from its start to the whole page, and to the same page asked for again."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
RUNS = int(sys.argv[2]) if len(sys.argv) > 2 else 50
TRAIN = ["digits", "--hidden", "16", "--batch", "120", "--epochs", "6667", "--optimizer", "sgd", "--lr", "0.1", "--checkpoint", "100000"]


def get(url):
    began = time.perf_counter()
    with urllib.request.urlopen(url) as answer:
        text = answer.read()
    return text, time.perf_counter() - began


def main():
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([PROGRAM, "train", *TRAIN, "-o", "run-0", "--progress", "off"], check=True, **quiet)
        for i in range(1, RUNS):
            shutil.copytree(pathlib.Path(folder, "run-0"), pathlib.Path(folder, f"run-{i}"))
        began = time.perf_counter()
        server = subprocess.Popen([PROGRAM, "serve", folder], stdout=subprocess.PIPE, text=True)
        url = re.search(r"http://\S+", server.stdout.readline())[0]
        started = time.perf_counter() - began
        page, first = get(url)
        facts, _ = get(url + "facts.json")
        _, again = get(url)
        server.terminate()
        server.wait()
        runs = json.loads(facts)["runs"]
        steps = {run["run"]["step"] for run in runs}
        size = pathlib.Path(folder, "run-0", "history.sqlite").stat().st_size
        print(f"{len(runs)} runs of {sorted(steps)} steps, each with a history of {size / 1e6:.1f} MB")
        print(f"started in {started:.3f} s, listed after {started + first:.3f} s ({len(page) / 1e6:.2f} MB), again in {again:.3f} s")


main()
