#!/usr/bin/env python3
"""The table of docs/errors.md against `relume help errors`: the same codes in the same order, with the same exit status,
meaning and remedy.

    test_errors.py SOURCE_FOLDER PROGRAM"""
import pathlib
import re
import subprocess
import sys


def of_page(text):
    rows = re.findall(r"^\| ([A-Z_]+) \| (\d+) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    return [tuple(row) for row in rows]


def of_program(program):
    text = subprocess.run([program, "help", "errors"], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = []
    for name, words in re.findall(r"^([A-Z_]+)\n((?:    .*\n)+)", text, re.MULTILINE):
        parts = re.fullmatch(r"exit (\d+): (.*)\. What to do: (.*)\.", " ".join(words.split()))
        if not parts:
            raise SystemExit("help errors says of %s: %r" % (name, words))
        found.append((name,) + parts.groups())
    return found


def main():
    page = of_page((pathlib.Path(sys.argv[1]) / "docs/errors.md").read_text(encoding="utf-8"))
    program = of_program(sys.argv[2])
    for row in sorted(set(page) ^ set(program)):
        print("only in %s: %s" % ("docs/errors.md" if row in page else "relume help errors", row))
    if len(program) < 10:
        print("relume help errors lists %d codes, expected at least 10" % len(program))
        return 1
    return 0 if page == program else 1


sys.exit(main())
