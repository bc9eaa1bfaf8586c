#!/usr/bin/python3
"""Counts the tests of one Meson run: check_count.py BUILD/meson-logs/NAME.json

Prints "PASSED FAILED SKIPPED" and then one line for each failure and each skip. A program that speaks TAP counts as its
tests; any other as one. Without a test, or skipped without a reason, it has failed. A line "# skipped: NAME: REASON" in its output makes one of its passed tests a skipped one.
"""
import json
import re
import sys

GOOD = {"OK", "EXPECTEDFAIL"}


def count(run):
    """(passed, failed, skipped, remarks) of one test program."""
    output = run.get("stdout") or ""
    result = run["result"]
    if result == "SKIP":
        reason = re.search(r"(?:# ?SKIP|skipped:) *(.*\S)", output)
        if not reason:
            return 0, 1, 0, ["failed: %s: no test in it, or skipped without a reason" % run["name"]]
        return 0, 0, 1, ["skipped: %s: %s" % (run["name"], reason.group(1))]
    lines = re.findall(r"^(ok|not ok)\b(.*)$", output, re.MULTILINE)
    if not lines:
        lines = [("ok" if result in GOOD else "not ok", " - " + run["name"])]
    remarks = ["skipped: %s: %s" % (run["name"], text) for text in re.findall(r"^# skipped: (.*)$", output, re.MULTILINE)]
    skipped = len(remarks)
    for word, text in lines:
        marked = re.search(r"# SKIP\S* *(.*)", text)
        if marked and word == "ok":
            skipped += 1
            remarks.append("skipped: %s:%s" % (run["name"], text))
    failures = [text for word, text in lines if word == "not ok"]
    if not failures and result not in GOOD:
        failures = [" - ended with %s (%s)" % (result, run.get("returncode"))]
        lines.append(("not ok", ""))
    remarks += ["failed: %s%s" % (run["name"], text) for text in failures]
    return len(lines) - len(failures) - skipped, len(failures), skipped, remarks


def main():
    totals, remarks = [0, 0, 0], []
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            *numbers, more = count(json.loads(line))
            totals = [total + number for total, number in zip(totals, numbers)]
            remarks += more
    print(*totals)
    print("\n".join(remarks))


main()
