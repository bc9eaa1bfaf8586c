"""A result written to a file replaces that file and nothing about it: its permissions stay, and a link leads where it led.

    test_output.py PROGRAM
"""
import os
import stat
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


if __name__ == "__main__":
    sys.exit(program.main([test_permissions_and_link_stay]))
