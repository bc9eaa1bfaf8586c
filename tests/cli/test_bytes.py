"""The same bytes whatever computes them, through the program: final model, checkpoints, every table of the history but the
machine's, the census, and the autopsy, for 1, 2, 3 and 8 threads, every CPU level there is, and with and without --dense.

Batches of 1, 7 and 128, each with a short last batch, every optimizer, both census intervals, decay and clipping. The layers
are wide enough (96 × 200 multiply-adds a sample) that threads get ranges of their own.
    test_bytes.py PROGRAM
"""
import json
import sys

import program

# 150 samples are trained on: batches of 128 end with one of 22, batches of 7 with one of 3.
GRID = [
    # batch, optimizer, further settings
    (128, "sgd", ["--lr", "0.4"]),
    (128, "adam", ["--lr", "0.02", "--clip-norm", "1", "--census", "1"]),
    (128, "nesterov", ["--lr", "0.05", "--weight-decay", "0.01", "--schedule", "cosine"]),
    (7, "momentum", ["--lr", "0.05", "--clip-norm", "0.5"]),
    (7, "adamw", ["--lr", "0.02", "--weight-decay", "0.1", "--decay-bias", "--census", "5"]),
    (7, "sgd", ["--lr", "0.4", "--warmup", "9"]),
    (1, "adam", ["--lr", "0.01", "--census", "final", "--checkpoint", "40"]),
    (1, "sgd", ["--lr", "0.3"]),
]
THREADS = (1, 2, 3, 8)


def told_by(relume, arguments, batch, cpu, threads, dense):
    relume.remove("run")
    how = ["--threads", threads, *(["--dense"] if dense else [])]
    relume.must("train", *arguments, "-o", "run", "--batch", batch, "--epochs", 1 if batch == 1 else 2, "--progress", "off",
                *how, cpu=cpu)
    told = relume.tell("run")
    # `dense` and `threads` are the caller's wish, not a result
    told["table setting"] = [row for row in told["table setting"] if row[0] not in ("dense", "threads")]
    status, out, err = relume.run("census", "run", arguments[0], "--units", "--json", "--threads", threads, cpu=cpu)
    assert status == 0, err
    told["census"] = [line for line in out.split("\n") if '"kernel"' not in line]
    status, out, err = relume.run("autopsy", "run", "--all", "--json", "--threads", threads, cpu=cpu)
    assert status == 0, err
    told["autopsy"] = [line for line in out.split("\n") if '"seconds"' not in line]
    return told


def compare(relume, data, samples_note):
    tried, dead = 0, 0
    for batch, optimizer, more in GRID:
        arguments = [data, "--hidden", "96,200,64", "--optimizer", optimizer, "--holdout", "0.1", *more]
        expected = told_by(relume, arguments, batch, "ref", 1, True)
        dead += expected["table census"][-1][3]
        for level in program.levels(relume):
            for threads in THREADS if level != "ref" else (3,):
                dense = threads == 2
                told = told_by(relume, arguments, batch, level, threads, dense)
                difference = program.apart(told, expected)
                assert not difference, (f"{data}, batch {batch}, {optimizer} {' '.join(more)}: {level} on {threads} threads"
                                        f"{' --dense' if dense else ''}: {difference}")
                tried += 1
    assert dead > 0, "no unit ever died: nothing was left to skip"
    print(f"# {tried} runs on {samples_note}, the same bytes in each; {dead} units dead at the ends")


def test_bytes_of_images(relume):
    program.write_idx(relume.path("images"), 167)  # of which the holdout takes 17
    compare(relume, "images", "images of bytes")


def test_bytes_of_floats(relume):
    program.write_csv(relume.path("table.csv"), 167, features=9)
    arguments = ["table.csv", "--target", "kind"]
    for batch, optimizer, more in GRID[1:6:2]:
        expected = None
        for level in program.levels(relume):
            for threads in (1, 8):
                relume.remove("run")
                relume.must("train", *arguments, "-o", "run", "--hidden", "96,200", "--standardize", "--optimizer", optimizer,
                            "--batch", batch, "--epochs", 2, "--threads", threads, "--progress", "off", *more, cpu=level)
                told = relume.tell("run")
                difference = program.apart(told, expected or told)
                assert not difference, f"batch {batch}, {optimizer}: {level} on {threads} threads: {difference}"
                expected = told


def test_counted_late(relume):
    """A run without a census is told by autopsy and report as one that counted at its start and its end."""
    program.write_idx(relume.path("images"), 167)
    deaths = 0
    for optimizer, rate in (("sgd", "2"), ("momentum", "0.3"), ("adam", "0.1")):
        told = {}
        for census in ("off", "final"):
            run = f"run-{optimizer}-{census}"
            relume.must("train", "images", "-o", run, "--hidden", "40,30", "--optimizer", optimizer, "--lr", rate, "--batch",
                        "16", "--epochs", "4", "--holdout", "0.1", "--census", census, "--progress", "off")
            model = relume.tell(run)["file model.safetensors"]
            documents = [json.loads(relume.must("autopsy", run, "--json", *more)) for more in ([], ["--all"], ["--episodes"])]
            documents.append(json.loads(relume.must("report", run, "--json")))
            documents[-1]["epochs"].pop("train_loss"), documents[-1]["epochs"].pop("train_accuracy")  # of epoch 0: not computed
            for document in documents:
                for key in ("run", "seconds", "settings"):
                    document.pop(key, None)
            told[census] = [model, *documents]
        deaths += len(told["off"][2]["deaths"])
        for i, (off, final) in enumerate(zip(told["off"], told["final"])):
            assert off == final, f"{optimizer}: document {i} of off and final"
    assert deaths > 50, f"{deaths} deaths are too few to compare"
    print(f"# {deaths} deaths told alike")


if __name__ == "__main__":
    sys.exit(program.main([test_bytes_of_images, test_bytes_of_floats, test_counted_late]))
