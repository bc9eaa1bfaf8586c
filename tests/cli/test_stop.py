"""Stopped anywhere and resumed, a run comes to the same bytes as one left alone, through the program.

stopper.c sends a signal at an exact moment; this script goes through the moments. SIGKILL at every moment between two parts
of the run (each step, evaluation, census, save and write), SIGINT and SIGTERM at every moment between two steps. With
adam, SGD and Nesterov, decay, clipping, schedules, warm-up, early stopping, and both intervals.

    test_stop.py PROGRAM STOPPER [--all]     --all: SIGKILL before every write too, not before every seventh
"""
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time

import program

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}

VARIANTS = {
    "adam": ["--optimizer", "adam", "--lr", "0.05", "--census", "2", "--schedule", "cosine"],
    "sgd": ["--optimizer", "sgd", "--lr", "0.5", "--checkpoint", "4", "--census", "final", "--schedule", "1:0.5,5:0.1",
            "--warmup", "2"],
    "early-stop": ["--optimizer", "nesterov", "--lr", "0.5", "--epochs", "12", "--early-stop", "2", "--clip-norm", "1",
                   "--weight-decay", "0.01", "--checkpoint", "1000"],
}
TRAIN = ["train", "digits", "--holdout", "0.5", "--hidden", "12,9", "--batch", "300", "--epochs", "3", "--progress", "off",
         "--threads", "1", "-o"]


def stopped(relume, arguments, at, number, time_only):
    """Runs with a signal at moment `at`: exit status, stderr, and how many moments there were, 0 where it was killed."""
    count = relume.path("count")
    environment = {**relume.environment(), "LD_PRELOAD": os.path.abspath(sys.argv[2]), "STOP_AT": str(at),
                   "STOP_WITH": str(int(number)), "STOP_COUNT": count, "STOP_TIME_ONLY": str(int(time_only))}
    environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    done = subprocess.run([relume.program, *arguments], cwd=relume.folder, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=100, check=False)
    moments = 0
    if os.path.exists(count):
        with open(count, encoding="ascii") as file:
            moments = int(file.read())
        os.remove(count)
    return done.returncode, done.stderr.decode(), moments


def moments_of(relume, arguments, time_only):
    status, err, moments = stopped(relume, [*TRAIN, "counted", *arguments], 0, 0, time_only)
    assert status == 0, err
    relume.remove("counted")
    return moments


def undisturbed(relume, arguments):
    relume.must(*TRAIN, "alone", *arguments)
    return relume.tell("alone")


def compare(relume, expected, what):
    relume.must(*what[0], "--resume")
    difference = program.apart(relume.tell("run"), expected)
    assert not difference, f"{what[1]}: {difference}"
    relume.remove("run")


def ask_to_stop(relume, name, expected):
    """SIGINT and SIGTERM by turns; the status says which, and the state is there."""
    arguments = [*TRAIN, "run", *VARIANTS[name]]
    moments, steps = moments_of(relume, VARIANTS[name], True), set()
    for at in range(1, moments + 1):
        number = list(SIGNALS)[at % 2]
        status, err, _ = stopped(relume, arguments, at, number, True)
        what = f"{name}, {signal.Signals(number).name} at moment {at} of {moments}"
        step = re.search(r"stopped after step (\d+)", err)
        if status == 0:  # it came after the last look
            assert not step, what
        elif status == -number:  # it came before the program listened: nothing has begun
            assert not os.path.exists(relume.path("run")), what
        else:
            assert status == SIGNALS[number], f"{what}: exit {status}\n{err}"
            steps.add(int(step.group(1)))
        compare(relume, expected, (arguments, what))
    return moments, steps


def kill(relume, name, expected):
    arguments = [*TRAIN, "run", *VARIANTS[name]]
    moments = moments_of(relume, VARIANTS[name], False)
    stride = 1 if "--all" in sys.argv else 7
    tried = range(1 + len(name) % stride, moments + 1, stride)
    for at in tried:
        status, _, _ = stopped(relume, arguments, at, signal.SIGKILL, False)
        assert status == -signal.SIGKILL, f"{name}, moment {at}: exit {status}"
        compare(relume, expected, (arguments, f"{name}, SIGKILL at moment {at} of {moments}"))
    return moments, len(tried)


def variant_test(name):
    def test(relume):
        expected = undisturbed(relume, VARIANTS[name])
        steps_done = dict((row[0], row) for row in expected["table run"])[1][6]
        moments, steps = ask_to_stop(relume, name, expected)
        assert set(range(1, steps_done)) <= steps, f"never stopped after {set(range(1, steps_done)) - steps}"
        writes, kills = kill(relume, name, expected)
        print(f"# {name}: asked to stop at {moments} moments, after each of {steps_done} steps; killed at {kills} of {writes} "
              "moments: the same bytes after each")

    test.__name__ = f"test_{name}"
    return test


def seconds_worked(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def test_stops_within_a_second(relume):
    """Of the program's own processor time, since others may be using the machine; in the middle of a long epoch."""
    program.write_idx(relume.path("images"), 4000, side=28, classes=10)
    for number, expected in SIGNALS.items():
        process = relume.start("train", "images", "-o", f"long-{expected}", "--hidden", "512,512", "--epochs", "100000",
                               "--progress", "plain", "--threads", "1")
        while b"epoch 1/" not in process.stderr.readline():
            pass
        worked = seconds_worked(process)
        process.send_signal(number)
        began = time.monotonic()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        spent = usage.ru_utime + usage.ru_stime - worked
        assert process.returncode == expected, f"exit {process.returncode}"
        assert spent <= 1, f"{spent:.2f} s of work after the signal"
        print(f"# {signal.Signals(number).name}: {spent:.2f} s of work after the signal ({time.monotonic() - began:.2f} s passed)")
        told = relume.must("inspect", f"long-{expected}")
        assert "not finished" in told, told


def tie_down(history):
    """A history that is sound, but keeps whoever asks for the dead of each epoch busy for hours: so many censuses, and no index."""
    database = sqlite3.connect(history)
    database.execute("PRAGMA legacy_alter_table = ON")  # views name the tables that go
    for table, columns in {"census": "step, epoch, samples, dead, loss, accuracy", "epoch":
                           "epoch, step, learning_rate, loss, accuracy, train_loss, train_accuracy, test_loss, test_accuracy"}.items():
        database.execute(f"CREATE TABLE slow AS SELECT {columns} FROM {table}")
        database.execute(f"DROP TABLE {table}")
        database.execute(f"ALTER TABLE slow RENAME TO {table}")
    numbers = "WITH n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
    database.execute(f"{numbers} INSERT INTO census(step, epoch) SELECT i, i FROM n")
    database.execute(f"{numbers} INSERT INTO epoch(epoch, step) SELECT i, i FROM n")
    database.commit()
    database.close()


def signals_caught(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        (caught,) = [int(line.split()[1], 16) for line in file if line.startswith("SigCgt:")]
    return caught


def test_report_stops_within_a_query(relume):
    """And not only after it: SIGINT and SIGTERM once, each, to a report of a history that takes hours to read."""
    program.write_csv(relume.path("table.csv"), 30)
    relume.must("train", "table.csv", "--target", "kind", "-o", "run", "--hidden", "4", "--epochs", "2", "--progress", "off")
    relume.must("report", "run")
    tie_down(relume.path("run", "history.sqlite"))
    for number, expected in SIGNALS.items():
        process = relume.start("report", "run")
        while not signals_caught(process) >> (number - 1) & 1:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        while seconds_worked(process) < 0.1:  # far more than it needs up to that query
            time.sleep(0.01)
        process.send_signal(number)
        try:
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
        assert process.returncode == expected, f"exit {process.returncode}: {err.decode()}"
        assert out == b"" and err == b"relume: report: stopped while reading run/history.sqlite\n", (out, err)


if __name__ == "__main__":
    sys.exit(program.main([*(variant_test(name) for name in VARIANTS), test_stops_within_a_second, test_report_stops_within_a_query]))
