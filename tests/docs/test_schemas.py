#!/usr/bin/env python3
"""What the commands print with --json against docs/schemas, on real runs: every schema there is used. The order of fields is
that of the schema, nothing beside its fields is printed, and NaN and Infinity are no JSON.

    test_schemas.py SOURCE_FOLDER PROGRAM      exit 77 where python3-jsonschema is missing"""
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

TABLE = "a,b,y\n0.5,1,2.5\n1.5,0,0.25\n2,1,3.5\n3,2,1\n"
RUNS = [
    ["train", "digits", "--holdout", "0.2", "--hidden", "24,16", "--epochs", "2", "--lr", "1", "-o", "run"],
    ["train", "digits", "--holdout", "0.2", "--hidden", "24,16", "--epochs", "2", "--lr", "1", "-o", "run", "--resume"],
    ["train", "digits", "--hidden", "8", "--epochs", "3", "--early-stop", "1", "-o", "whole"],
    ["train", "table.csv", "--target", "y", "--hidden", "4", "--epochs", "2", "-o", "line"],
    ["train", "digits", "--hidden", "8", "--epochs", "2", "--lr", "1", "--census", "off", "-o", "uncounted"],
    ["inspect", "uncounted"],
    ["autopsy", "uncounted"],
    ["report", "uncounted"],
    ["census", "run", "digits"],
    ["census", "run/model.safetensors", "digits", "--holdout", "0.2", "--split", "test", "--units"],
    ["census", "line", "table.csv", "--target", "y", "--units"],
    ["inspect", "run"],
    ["inspect", "run/model.safetensors"],
    ["inspect", "digits"],
    ["inspect", "table.csv", "--target", "y"],
    ["autopsy", "run"],
    ["autopsy", "run", "--all", "--episodes"],
    ["autopsy", "line"],
    ["predict", "run", "digits", "--split", "test", "--holdout", "0.2", "--probabilities"],
    ["predict", "run", "digits"],
    ["predict", "line", "table.csv", "--target", "y"],
    ["gradcheck"],
    ["gradcheck", "digits", "--hidden", "7,5", "--batch", "3", "--parameters", "20"],
    ["gradcheck", "table.csv", "--target", "y", "--hidden", "3", "--loss", "mse", "--batch", "2"],
    ["autopsy", "run"],
    ["autopsy", "run", "h1.3", "h2.5", "--episodes"],
    ["autopsy", "whole", "--all"],
    ["explain", "run"],
    ["explain", "run", "h2.1", "--sample", "5", "--split", "test"],
    ["explain", "line/model.safetensors", "h1", "--data", "table.csv", "--target", "y"],
    ["forecast", "digits", "--hidden", "9", "--seeds", "3", "--steps", "2"],
    ["sweep", "digits", "--hidden", "9", "--epochs", "1", "--lr", "0.1,3,1e30"],
    ["bench", "--hidden", "8", "--batch", "16", "--seconds", "0.02", "--repeats", "1"],
    ["report", "run"],
    ["report", "line"],
]


def refuse(constant):
    raise ValueError(f"{constant} is no JSON")


def faults_of(schema, document):
    for error in jsonschema.Draft7Validator(schema).iter_errors(document):
        yield "/".join(map(str, error.path)) + ": " + error.message[:200]
    order = [key for key in schema["properties"] if key in document]
    if list(document) != order:
        yield f"fields {list(document)} are not in the order of the schema"


def main():
    schemas = pathlib.Path(sys.argv[1]).resolve() / "docs/schemas"
    program = str(pathlib.Path(sys.argv[2]).resolve())
    unused = {path.name[: -len("-1.json")] for path in schemas.glob("*-1.json")} - {run[0] for run in RUNS}
    for name in sorted(unused):
        print("no run here prints what %s-1.json describes" % name)
    faults = len(unused)
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "table.csv").write_text(TABLE, encoding="utf-8")
        for arguments in RUNS:
            schema = json.loads((schemas / (arguments[0] + "-1.json")).read_text(encoding="utf-8"))
            jsonschema.Draft7Validator.check_schema(schema)
            done = subprocess.run([program, *arguments, "--json"], cwd=folder, check=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
            for fault in faults_of(schema, json.loads(done.stdout, parse_constant=refuse)):
                print("relume %s: %s" % (" ".join(arguments), fault))
                faults += 1
    return 1 if faults else 0


sys.exit(main())
