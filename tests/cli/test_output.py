"""A result written to a file replaces that file and nothing about it: its permissions stay, and a link leads where it led.
Names that a model brings are written as they are, but not to a terminal.

    test_output.py PROGRAM
"""
import os
import pty
import stat
import subprocess
import sys

import program


def test_permissions_and_link_stay(relume):
    program.write_csv(relume.path("table.csv"), 30)
    data = ["table.csv", "--target", "kind"]
    relume.must("train", *data, "-o", "run", "--hidden", "4", "--epochs", "1", "--progress", "off")
    told = relume.must("predict", "run", *data)
    private, link = relume.path("private.csv"), relume.path("link.csv")
    with open(private, "w", encoding="ascii") as file:
        file.write("old")
    os.chmod(private, 0o640)
    os.symlink("private.csv", link)
    for name in ("private.csv", "link.csv"):
        relume.must("predict", "run", *data, "-o", name)
        assert os.path.islink(link), f"-o {name} has replaced the link"
        mode = stat.S_IMODE(os.stat(private).st_mode)
        assert mode == 0o640, f"-o {name} has changed the permissions to {mode:o}"
        with open(private, encoding="utf-8") as file:
            assert file.read() == told
    assert sorted(os.listdir(relume.folder)) == ["link.csv", "private.csv", "run", "table.csv"]


def test_names_cannot_drive_a_terminal(relume):
    with open(relume.path("table.csv"), "w", encoding="utf-8") as file:
        file.write("height,kind\n" + "1,a\x1b[31m\n2,b\x9b2J\n" * 4)
    data = ["table.csv", "--target", "kind"]
    relume.must("train", *data, "-o", "run", "--hidden", "4", "--epochs", "1", "--progress", "off")
    told = relume.must("predict", "run", *data)
    assert told.count("\x1b[31m") + told.count("\x9b2J") == 8, told
    ours, theirs = pty.openpty()
    subprocess.run([relume.program, "predict", "run", *data], cwd=relume.folder, stdout=theirs, stderr=subprocess.DEVNULL,
                   env=relume.environment(), check=True, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert shown.split() == told.replace("\x1b", "?").replace("\x9b", "?").split(), repr(shown)


if __name__ == "__main__":
    sys.exit(program.main([test_permissions_and_link_stay, test_names_cannot_drive_a_terminal]))
