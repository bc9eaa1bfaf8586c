#!/usr/bin/env python3
"""Runs the commands of README.md: every shell block that follows a line `<!-- run -->`, in order, in one shell, in an empty
folder that has the build folder and the examples as a clone has them. Any command that fails fails the test.

    test_readme.py SOURCE_FOLDER BUILD_FOLDER"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main():
    source, build = (pathlib.Path(folder).resolve() for folder in sys.argv[1:3])
    blocks = BLOCK.findall((source / "README.md").read_text(encoding="utf-8"))
    if len(blocks) < 3:
        print("README.md has %d blocks to run, expected at least 3" % len(blocks))
        return 1
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(build, os.path.join(folder, "build"))
        os.symlink(source / "examples", os.path.join(folder, "examples"))
        environment = {k: v for k, v in os.environ.items() if k not in ("DESTDIR", "MAKEFLAGS")}
        script = "set -euo pipefail\nset -x\n" + "\n".join(blocks)
        done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    print(done.stdout[-6000:])
    return 1 if done.returncode else 0


sys.exit(main())
