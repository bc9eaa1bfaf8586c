#!/usr/bin/python3
"""Checks that the reports of sample.py, and of PROGRAM where given, fit docs/schemas/report-1.json: check_schema.py [PROGRAM]

Exit 77 where python3-jsonschema is missing."""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is not installed")
    sys.exit(77)

import sample


def refuse(constant):
    raise ValueError(f"{constant} is no JSON")


def real_report(program):
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"cwd": folder, "check": True, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        for rate in ("1", "0.1"):
            subprocess.run([program, "train", "digits", "--hidden", "24,16", "--epochs", "3", "--lr", rate, "-o", "run" if rate == "1" else "lower"], **quiet)
        return json.loads(subprocess.run([program, "report", "run", "--json"], **quiet).stdout, parse_constant=refuse)


def schema_of(name):
    return json.loads((pathlib.Path(__file__).parents[2] / "docs/schemas" / name).read_text(encoding="utf-8"))


def main():
    schema, autopsy = (schema_of(name) for name in ("report-1.json", "autopsy-1.json"))
    jsonschema.Draft7Validator.check_schema(schema)
    autopsy["$defs"]["death"]["required"].remove("episodes")  # a report holds none
    death = jsonschema.Draft202012Validator({"$ref": "#/$defs/death", "$defs": autopsy["$defs"]})
    reports = {name: make() for name, make in sample.SAMPLES.items()}
    if len(sys.argv) > 1:
        reports["a real run"] = real_report(str(pathlib.Path(sys.argv[1]).resolve()))
    faults = 0
    for name, report in reports.items():
        for error in jsonschema.Draft7Validator(schema).iter_errors(report):
            print(f"{name}: {'/'.join(map(str, error.path))}: {error.message[:200]}")
            faults += 1
        for one in report["autopsy"] or []:
            for error in death.iter_errors(one):
                print(f"{name}: autopsy of {one['unit']}: {'/'.join(map(str, error.path))}: {error.message[:200]}")
                faults += 1
        order = [key for key in schema["properties"] if key in report]
        if name == "a real run" and not (report["autopsy"] and report["sweep"] and report["autopsy_account"]["causes"]):
            print(f"{name}: no autopsy or no sweep to check")
            faults += 1
        if name == "a real run" and list(report) != order:
            print(f"{name}: fields {list(report)} are not in the order of the schema")
            faults += 1
    return 1 if faults else 0


sys.exit(main())
