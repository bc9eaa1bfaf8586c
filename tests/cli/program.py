"""What the scripts of this folder share: running the program, small data made on the spot, everything a run directory
tells, and results in TAP. The standard library only.
"""
import hashlib
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import traceback

# Tables that tell of the machine and of time; docs/run-directory.md names them as those that may differ.
OF_THE_MACHINE = {"machine", "timing"}


class Relume:
    """The program, run in a folder of its own."""

    def __init__(self, program, folder):
        self.program, self.folder = os.path.abspath(program), folder

    def environment(self, cpu=None):
        """The caller's, without what would change the output; with `cpu` as the cap of the kernels' level."""
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "RELUME_DATA", "RELUME_STREAM")}
        return {**kept, "LC_ALL": "C.UTF-8", **({"RELUME_CPU": cpu} if cpu else {})}

    def run(self, *arguments, cpu=None, before=()):
        """Exit status, stdout and stderr; `before` is a command that runs this one, such as taskset."""
        command = [*before, self.program, *(str(argument) for argument in arguments)]
        done = subprocess.run(command, cwd=self.folder, env=self.environment(cpu), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def must(self, *arguments, **how):
        """stdout of a command that has to end well."""
        status, out, err = self.run(*arguments, **how)
        assert status == 0, f"{' '.join(map(str, arguments))}: exit {status}\n{err}"
        return out

    def start(self, *arguments, before=()):
        """A process that goes on while the caller does other things."""
        return subprocess.Popen([*before, self.program, *(str(argument) for argument in arguments)], cwd=self.folder,
                                env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def remove(self, name):
        shutil.rmtree(self.path(name), ignore_errors=True)

    def tell(self, run):
        """All that a run directory tells and that may depend on nothing but settings and data: name to content."""
        told = {}
        database = sqlite3.connect(f"file:{self.path(run, 'history.sqlite')}?mode=ro", uri=True)
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")]
        for name in names:
            if name not in OF_THE_MACHINE:
                rows = sorted(database.execute(f"SELECT * FROM {name}"), key=repr)
                told["table " + name] = [tuple(v.hex() if isinstance(v, float) else v for v in row) for row in rows]
        (sound,) = database.execute("PRAGMA integrity_check").fetchone()
        database.close()
        assert sound == "ok", sound
        for folder, _, files in os.walk(self.path(run)):
            for file in files:
                if file not in ("history.sqlite", "lock"):
                    path = os.path.join(folder, file)
                    with open(path, "rb") as opened:
                        told["file " + os.path.relpath(path, self.path(run))] = hashlib.sha256(opened.read()).hexdigest()
        return told


def apart(told, expected):
    """Where two tellings differ, in a line; empty when they are the same."""
    for name in sorted(set(told) | set(expected)):
        a, b = told.get(name), expected.get(name)
        if a is None or b is None:
            return f"{name} is only in {'the first' if b is None else 'the second'}"
        if a != b and name.startswith("file"):
            return f"{name} has other bytes"
        if a != b:
            return f"{name}: " + next((f"{x} and {y}" for x, y in zip(a, b) if x != y), f"{len(a)} and {len(b)} rows")
    return ""


# ---- data: whole numbers from a small generator, so that every Python makes the same ----

class Numbers:
    """A linear congruential generator modulo 2**31 (the multiplier of ANSI C's example); its upper bits are used."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state * 1103515245 + 12345) % 2**31
        return (self.state >> 15) % bound


def write_csv(path, samples, features=4, classes=3, seed=1):
    """Quarters from −4 to 4 that lean to a side by class; the last column is the class, as a text."""
    numbers = Numbers(seed)
    with open(path, "w", encoding="ascii") as file:
        file.write(",".join(f"f{k}" for k in range(features)) + ",kind\n")
        for sample in range(samples):
            label = sample % classes
            values = [(numbers.below(25) - 12 + (8 if k % classes == label else 0)) / 4 for k in range(features)]
            file.write(",".join(map(str, values)) + f",{'abcdefgh'[label]}\n")


def write_idx(folder, samples, side=5, classes=3, seed=1, prefix="train"):
    """Images of bytes, brighter in the rows of their class."""
    numbers = Numbers(seed)
    os.makedirs(folder, exist_ok=True)
    images, labels = bytearray(), bytearray()
    for sample in range(samples):
        label = sample % classes
        labels.append(label)
        for row in range(side):
            images += bytes(numbers.below(100) + (120 if row % classes == label else 0) for _ in range(side))
    with open(os.path.join(folder, prefix + "-images-idx3-ubyte"), "wb") as file:
        file.write(struct.pack(">IIII", 0x803, samples, side, side) + images)
    with open(os.path.join(folder, prefix + "-labels-idx1-ubyte"), "wb") as file:
        file.write(struct.pack(">II", 0x801, samples) + labels)


def write_npy(path, rows):
    """Rows of numbers as a float32 array of format version 1."""
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (len(rows), len(rows[0]))
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        for row in rows:
            file.write(struct.pack(f"<{len(row)}f", *row))


# ---- tests ----

def levels(relume):
    """The CPU levels that this program has and this CPU can run, the reference first."""
    found = ["ref"]
    for level in ("avx2", "avx512", "neon"):
        status, out, _ = relume.run("--version", cpu=level)
        if status == 0 and f"CPU level: {level} " in out:
            found.append(level)
    return found


class Skip(Exception):
    """Raised by a test that cannot be done here, with the reason."""


def main(tests):
    """Runs the functions on the program named on the command line, each in an empty folder, and prints TAP."""
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        name = test.__name__.removeprefix("test_")
        folder = tempfile.mkdtemp(prefix="relume-cli-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        try:
            test(Relume(sys.argv[1], folder))
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception as trouble:  # pylint: disable=broad-except  # whatever it is, the others still run
            failed += 1
            text = str(trouble) if isinstance(trouble, AssertionError) else traceback.format_exc()
            print("\n".join("# " + line for line in text.split("\n")))
            print(f"not ok {number} - {name}", flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0
