#!/usr/bin/env python3
"""The table of docs/errors.md against `relume help errors`: the same codes in the same order, with the same exit status,
meaning and remedy. And against the list in include/relume/status.h: every code has a row, every row a code, and each has a remedy.

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


def of_list(text):
    """The codes of RELUME_STATUS_LIST but OK, in order."""
    start = text.index("#define RELUME_STATUS_LIST(X)")
    return [name for name in re.findall(r"\bX\((\w+),", text[start : text.index("typedef enum", start)]) if name != "OK"]


def main():
    source = pathlib.Path(sys.argv[1])
    codes = of_list((source / "include/relume/status.h").read_text(encoding="utf-8"))
    page = of_page((source / "docs/errors.md").read_text(encoding="utf-8"))
    program = of_program(sys.argv[2])
    for row in sorted(set(page) ^ set(program)):
        print("only in %s: %s" % ("docs/errors.md" if row in page else "relume help errors", row))
    if len(program) < 10:
        print("relume help errors lists %d codes, expected at least 10" % len(program))
        return 1
    without = [row[0] for row in page if not row[3].strip()]
    if [row[0] for row in page] != codes or without:
        print("docs/errors.md has %s, the list %s; without a remedy: %s" % ([row[0] for row in page], codes, without))
        return 1
    return 0 if page == program else 1


sys.exit(main())
