#!/usr/bin/python3
"""SIGKILL, SIGINT and SIGTERM at random moments of training, a checkpoint every few steps: test_signals.py PROGRAM

After each the same command is repeated until it ends, and the final weights, every checkpoint and the history must be those of an
undisturbed run. SIGINT and SIGTERM also: exit status 130 and 143, and the state saved within a step. Two processes that start at
once: one trains, the other is refused. 30 moments of each kind, 300 with RELUME_LONG=1. Speaks TAP."""
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
MOMENTS = 300 if os.environ.get("RELUME_LONG") else 30
ARGUMENTS = ["train", "digits", "--hidden", "24,16", "--epochs", "12", "--batch", "50", "--checkpoint", "7", "--threads", "1",
             "--lr", "0.2", "--progress", "off", "--resume", "-o", "run"]
TABLES = ["setting", "layer", "run", "epoch", "update_ratio", "census", "census_layer", "census_unit", "event"]


def start(folder):
    return subprocess.Popen([PROGRAM] + ARGUMENTS, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def finish(process):
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def tell(folder):
    """Everything of a run directory that must not depend on interruptions."""
    run = pathlib.Path(folder, "run")
    files = {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*.safetensors*")}
    with sqlite3.connect("file:%s?mode=ro" % (run / "history.sqlite"), uri=True) as database:
        rows = {table: sorted(map(repr, database.execute("SELECT * FROM " + table))) for table in TABLES}
    return files, rows


def newest(folder):
    steps = [int(path.name[5:-12]) for path in pathlib.Path(folder, "run", "checkpoints").glob("step-*.safetensors")]
    return max(steps, default=-1)


def undisturbed(root):
    folder = tempfile.mkdtemp(dir=root)
    began = time.monotonic()
    status, said = finish(start(folder))
    assert status == 0, said
    return tell(folder), time.monotonic() - began


def interrupt(root, number, expected, seconds, draw):
    """One moment; returns whether the signal came while the run was going on."""
    folder = tempfile.mkdtemp(dir=root)
    process = start(folder)
    time.sleep(draw.uniform(0, seconds))
    before = newest(folder)
    process.send_signal(number)
    status, said = finish(process)
    there = newest(folder)
    assert there >= before, "checkpoint %d was there before the signal, now the newest is %d" % (before, there)
    if number != signal.SIGKILL and status not in (0, -number):  # -number: before training had begun
        assert status == 128 + number, "exit status %d: %s" % (status, said)
        step = int(re.search(r"stopped after step (\d+)", said).group(1))
        assert there == step, "stopped after step %d, but the newest checkpoint is %d" % (step, there)
    if status == -number and number != signal.SIGKILL:
        assert there == -1, "ended by the signal with training under way: %s" % said
    repeated, said = finish(start(folder))
    assert repeated == 0, "resuming: exit status %d: %s" % (repeated, said)
    assert tell(folder) == expected, "the resumed run differs from an undisturbed one"
    shutil.rmtree(folder)
    return status != 0


def moments(root, number):
    expected, seconds = undisturbed(root)
    draw = random.Random(int(number))
    hit = 0
    for _ in range(MOMENTS):
        if interrupt(root, number, expected, seconds, draw):
            hit += 1
        else:
            seconds *= 0.8  # it took less time than the first, on a machine that is less busy by now
    print("# %s: %d moments, %d of them while it ran" % (signal.Signals(number).name, MOMENTS, hit))
    assert hit * 4 > MOMENTS, "hardly any signal came while the run was going on"


def together(root):
    expected, _ = undisturbed(root)
    refused = 0
    for _ in range(MOMENTS // 3):
        folder = tempfile.mkdtemp(dir=root)
        both = [finish(process) for process in (start(folder), start(folder))]
        statuses = sorted(status for status, _ in both)
        assert statuses in ([0, 4], [0, 0]), both  # [0, 0]: the second came when the first had ended
        for status, said in both:
            assert status == 0 or "is writing this run" in said or "at the same moment" in said, said
        refused += statuses == [0, 4]
        assert tell(folder) == expected, "two processes at once left another run"
        shutil.rmtree(folder)
    print("# two at once: %d times, one refused in %d" % (MOMENTS // 3, refused))
    assert refused > 0


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and its children with it
    root = tempfile.mkdtemp(prefix="relume-signals-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    tests = [("SIGKILL", lambda: moments(root, signal.SIGKILL)), ("SIGINT", lambda: moments(root, signal.SIGINT)),
             ("SIGTERM", lambda: moments(root, signal.SIGTERM)), ("two at once", lambda: together(root))]
    failed = 0
    print("1..%d" % len(tests))
    for place, (name, test) in enumerate(tests, 1):
        try:
            test()
            print("ok %d - %s" % (place, name), flush=True)
        except AssertionError as fault:
            failed += 1
            print("# %s\nnot ok %d - %s" % (str(fault).replace("\n", "\n# "), place, name), flush=True)
    shutil.rmtree(root)
    return 1 if failed else 0


sys.exit(main())
