#!/usr/bin/python3
"""A program that was built without node: it has everything but the page, and says so. test_no_page.py PROGRAM, printing TAP."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "cli"))
import program  # noqa: E402


def train(relume):
    relume.must("train", "digits", "--hidden", "16", "--epochs", "2", "-o", "run", "--progress", "off")


def test_terminal_and_json(relume):
    train(relume)
    text = relume.must("report", "run")
    assert "hidden units are" in text and "train loss" in text, text
    facts = json.loads(relume.must("report", "run", "--json"))
    assert facts["schema"] == "relume.report/1" and facts["hidden_units"] == 16


def test_the_page_is_refused_in_words(relume):
    train(relume)
    status, out, err = relume.run("report", "run", "-o", "run.html")
    assert status == 2 and out == "", (status, out)
    assert "node or the packages of web/ (npm ci) were missing when it was built" in err and "--json" in err, err
    assert not pathlib.Path(relume.path("run.html")).exists()


def test_serve_is_refused_in_words(relume):
    train(relume)
    status, _, err = relume.run("serve", "run")
    assert status == 2 and ("node" in err or "libmicrohttpd" in err), (status, err)


if __name__ == "__main__":
    sys.exit(program.main([test_terminal_and_json, test_the_page_is_refused_in_words, test_serve_is_refused_in_words]))
