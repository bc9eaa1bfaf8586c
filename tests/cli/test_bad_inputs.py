#!/usr/bin/python3
"""Every bad input of the bad_….py beside this is refused with the message and exit status of its golden file.

    test_bad_inputs.py RELUME            compares
    test_bad_inputs.py RELUME --refresh  writes the golden files anew: read each one aloud before committing it
    test_bad_inputs.py RELUME --show     prints them all

Golden files are tests/cli/bad/NAME.txt. What training prints before it meets the fault is left out.
"""
import pathlib
import resource
import subprocess
import sys
import tempfile

# Each adds its cases to the list.
import bad_archives  # noqa: F401
import bad_arrays  # noqa: F401
import bad_models  # noqa: F401
import bad_tables  # noqa: F401
from bad_making import CASES

FOLDER = pathlib.Path(__file__).parent / "bad"
SECONDS = 60
# A file must not make relume take more memory than this, whatever it promises.
ADDRESS_SPACE = 2 << 30


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def outcome(program, function):
    """What a user sees: the command, the error, the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        words = function(path)
        done = subprocess.run(
            [program, *words],
            cwd=path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            preexec_fn=None if "asan" in program else limit,
            env={"LC_ALL": "C.UTF-8", "RELUME_CPU": "ref", "PATH": "/usr/bin:/bin"},
            check=False,
        )
        left = sorted(str(name.relative_to(path)) for name in path.glob("run/**/*"))
    error = done.stderr.decode("utf-8")
    error = error[error.find("relume: ") :] if "relume: " in error else error
    text = "$ relume %s\n%s(exit status %d)\n" % (" ".join(words), error, done.returncode)
    return text + "".join("left behind: %s\n" % name for name in left)


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    switch = sys.argv[2] if len(sys.argv) > 2 else ""
    wrong = 0
    print("1..%d" % len(CASES))
    for number, (name, function) in enumerate(CASES, 1):
        found = outcome(program, function)
        golden = FOLDER / (name + ".txt")
        if switch == "--show":
            print("# %s\n%s" % (name, found))
            continue
        if switch == "--refresh":
            golden.write_text(found, encoding="utf-8")
        expected = golden.read_text(encoding="utf-8") if golden.exists() else ""
        same = found == expected and "(exit status 0)" not in found and "(exit status -" not in found
        wrong += not same
        print("%s %d - %s" % ("ok" if same else "not ok", number, name))
        if not same:
            print("".join("# expected: %s\n" % line for line in expected.splitlines()), end="")
            print("".join("# found:    %s\n" % line for line in found.splitlines()), end="")
    stale = {path.stem for path in FOLDER.glob("*.txt")} - {name for name, _ in CASES}
    for name in sorted(stale):
        print("# %s.txt belongs to no case" % name)
    return 1 if wrong or stale else 0


sys.exit(main())
