"""Data that stay in their file (RELUME_STREAM=always) give what data in memory give, byte for byte: final model, checkpoints,
history, census, predictions, forecast, sweep and report. What needs them in memory says so. A file that becomes shorter while
a run trains on it ends the run with its state saved, and the run goes on to the same end when the file is back.
    test_stream.py PROGRAM STOPPER      (stopper.c says what that is)
"""
import os
import signal
import sys

import program

NEVER, ALWAYS = ("env", "RELUME_STREAM=never"), ("env", "RELUME_STREAM=always")


def write_labels(path, samples, classes=3):
    with open(path, "w", encoding="ascii") as file:
        file.write("".join(f"{sample % classes}\n" for sample in range(samples)))


def write_table(path, samples, features=9, classes=3):
    """Floats that lean to a side by class."""
    numbers = program.Numbers(3)
    program.write_npy(path, [[(numbers.below(25) - 12 + (8 if k % classes == sample % classes else 0)) / 4
                              for k in range(features)] for sample in range(samples)])


def told_by(relume, stream, arguments):
    relume.remove("run")
    relume.must("train", *arguments, "-o", "run", "--progress", "off", before=stream)
    return relume.tell("run")


def compare_runs(relume, arguments):
    difference = program.apart(told_by(relume, ALWAYS, arguments), told_by(relume, NEVER, arguments))
    assert not difference, f"{' '.join(map(str, arguments))}: {difference}"


def compare_output(relume, *command):
    """The last run is read by both."""
    _, stays, err = relume.run(*command, before=ALWAYS)
    held = relume.must(*command, before=NEVER)
    assert stays == held, f"{' '.join(map(str, command))}: other output\n{err}"


def test_runs_on_images(relume):
    program.write_idx(relume.path("images"), 403)
    program.write_idx(relume.path("images"), 60, prefix="t10k", seed=2)
    for more in (["--batch", 128], ["--batch", 7, "--optimizer", "adam", "--no-shuffle"], ["--batch", 1, "--epochs", 1],
                 ["--batch", 1000, "--standardize", "--threads", 1]):
        compare_runs(relume, ["images", "--hidden", "24,16", "--epochs", 3, "--lr", "0.3", *more])
    for command in (["census", "run", "images", "--units", "--json", "--split", "all"], ["inspect", "images", "--json"],
                    ["predict", "run", "images", "--split", "test", "--json"], ["explain", "run", "--sample", 5],
                    ["forecast", "images", "--hidden", "20", "--seeds", 2, "--json"],
                    ["report", "run", "--json"]):
        compare_output(relume, *command)


def test_runs_on_floats(relume):
    write_table(relume.path("x.npy"), 1501)
    write_labels(relume.path("y.txt"), 1501)
    data = ["x.npy", "--labels", "y.txt", "--holdout", "0.2"]
    for more in (["--standardize"], ["--batch", 33, "--optimizer", "nesterov", "--clip-norm", "1"], ["--census", 10]):
        compare_runs(relume, [*data, "--hidden", "20", "--epochs", 2, *more])
    compare_output(relume, "gradcheck", *data, "--hidden", "4", "--parameters", 5)
    compare_output(relume, "census", "run", *data)


def test_what_needs_memory(relume):
    program.write_idx(relume.path("images"), 203)
    assert "read from their file as they are used" in relume.must("inspect", "images", before=ALWAYS)
    assert "read from their file" not in relume.must("inspect", "images")
    relume.remove("run")
    relume.must("train", "images", "--hidden", "24,16", "--lr", "3", "--epochs", 2, "-o", "run", before=ALWAYS)
    status, _, err = relume.run("autopsy", "run", before=ALWAYS)
    assert status == 5 and "holds the whole training split in memory" in err, (status, err)
    relume.must("autopsy", "run", before=NEVER)


def halted(relume, *arguments):
    """A run on a file that has put itself to sleep at its 600th look at the clock, of which there are four a step: on
    one thread, for others look at it while they wait. Nobody has to be quick to catch it there, however busy the machine is."""
    process = relume.start(*arguments, before=(*ALWAYS, f"LD_PRELOAD={os.path.abspath(sys.argv[2])}", "STOP_AT=600",
                                               f"STOP_WITH={int(signal.SIGSTOP)}", "STOP_TIME_ONLY=1"))
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), f"the run ended before\n{process.stderr.read().decode()}"
    return process


def test_a_file_that_becomes_shorter(relume):
    write_table(relume.path("x.npy"), 4001, features=20)
    write_labels(relume.path("y.txt"), 4001)
    arguments = ["train", "x.npy", "--labels", "y.txt", "--hidden", "64", "--epochs", 5, "--batch", 50, "--threads", 1,
                 "--progress", "off"]
    relume.must(*arguments, "-o", "whole", before=NEVER)
    with open(relume.path("x.npy"), "rb") as file:
        data = file.read()
    process = halted(relume, *arguments, "-o", "cut")
    kept = os.listdir(relume.path("cut", "checkpoints"))
    assert "step-81.safetensors" in kept, f"the run slept too early, with {kept}"
    os.truncate(relume.path("x.npy"), 100000)
    process.send_signal(signal.SIGCONT)
    err = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 3, (process.returncode, err)
    # whichever comes first: a row that is not there any more, or the look at the file that a boundary takes
    assert ("x.npy, byte " in err and "the file has become shorter" in err
            or "x.npy: was written to while rows were read from it (it has 100000 bytes, it had 320208)" in err), err
    with open(relume.path("x.npy"), "wb") as file:
        file.write(data)
    relume.must(*arguments, "-o", "cut", "--resume", before=ALWAYS)
    for name in ("model.safetensors", "checkpoints/step-405.safetensors"):
        with open(relume.path("whole", name), "rb") as one, open(relume.path("cut", name), "rb") as other:
            assert one.read() == other.read(), f"{name}: the resumed run came to another end"


if __name__ == "__main__":
    sys.exit(program.main([test_runs_on_images, test_runs_on_floats, test_what_needs_memory, test_a_file_that_becomes_shorter]))
