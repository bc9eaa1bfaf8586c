"""The completions for bash, zsh and fish, in the shells themselves, against `relume COMMAND --help`: every command, every
option of each, the values of an option, names of data and files.

    test_complete.py PROGRAM BASH ZSH FISH      the three scripts

A shell that is not installed skips its tests.
"""
import os
import re
import shutil
import subprocess
import sys

import program

BASH_FILE, ZSH_FILE, FISH_FILE = map(os.path.abspath, sys.argv[2:5])


def commands(relume):
    listed = re.search(r"(?ms)^Commands\n(.*?)\n\n", relume.must("--help")).group(1)
    return re.findall(r"(?m)^  (\w+)", listed)


def entries(relume, command):
    """Each long option that a command's help lists, to what the help says of it."""
    text = relume.must(command, "--help")
    found = re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)(.*\n(?:   +.*\n)*)", text)
    return {name: " ".join(words.split()) for name, words in found}


def options(relume, command):
    return set(entries(relume, command))


def choices(relume, command):
    """Options that take one of some words, to these words."""
    found = {name: re.search(r"\[one of ([\w, -]+)", words) for name, words in entries(relume, command).items()}
    return {name: match.group(1).split(", ") for name, match in found.items() if match}


def shell(name, script, relume, *arguments):
    """What a shell prints; it must not complain."""
    path = shutil.which(name)
    if not path:
        raise program.Skip(f"{name} is not installed")
    plain = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[name]
    done = subprocess.run([path, *plain, *(["-c", script] if script else []), *arguments], cwd=relume.folder, timeout=60,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": relume.folder},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, f"{name}: exit {done.returncode}: {done.stderr[:2000]}"
    return done.stdout


# ---- bash: the function is called as the line editor calls it ----

BASH = """source "$1"; shift
[[ $(complete -p relume) == "complete -F _relume relume" ]] || exit 9
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_relume
printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(relume, *words):
    return shell("bash", BASH, relume, "bash", BASH_FILE, "relume", *words).split()


def test_bash_commands(relume):
    assert set(bash(relume, "")) == {*commands(relume), "--help", "--version"}
    assert bash(relume, "tra") == ["train"]
    assert set(bash(relume, "s")) == {name for name in commands(relume) if name.startswith("s")}
    assert bash(relume, "nothing-like-it") == []


def test_bash_options(relume):
    for command in commands(relume):
        assert set(bash(relume, command, "--")) == options(relume, command), command
    assert bash(relume, "train", "digits", "--opt") == ["--optimizer"]


def test_bash_values(relume):
    known = 0
    for command in commands(relume):
        for option, words in choices(relume, command).items():
            assert bash(relume, command, option, "") == words, (command, option)
            known += 1
    assert known >= 10, known
    assert bash(relume, "train", "digits", "--optimizer", "") == ["sgd", "momentum", "nesterov", "adam", "adamw"]
    assert bash(relume, "train", "--optimizer", "=", "ad") == ["adam", "adamw"]  # as bash splits --optimizer=ad
    assert bash(relume, "train", "--optimizer", "=") == ["sgd", "momentum", "nesterov", "adam", "adamw"]
    assert bash(relume, "census", "m", "digits", "--split", "te") == ["test"]
    assert bash(relume, "train", "digits", "--epochs", "") == []
    assert set(bash(relume, "help", "")) == {*commands(relume), "errors"}


def test_bash_files(relume):
    os.mkdir(relume.path("a run"))
    open(relume.path("table.csv"), "w", encoding="ascii").close()
    assert set(bash(relume, "train", "")) >= {"digits", "fashion-mnist", "table.csv"}
    assert bash(relume, "train", "ta") == ["table.csv"]
    assert bash(relume, "report", "ta") == []  # a folder is wanted
    assert bash(relume, "report", "a") == ["a", "run"]  # one entry, split here by its space


# ---- zsh: its syntax, and what _arguments and _describe are given, with quotes taken off ----

ZSH = """compdef() { registered="$*" }
_describe() { print -rl -- $commands; }
_arguments() { print -rl -- "$@"; }
source "$1"; shift
[[ $registered == "_relume relume" ]] || exit 9
words=(relume "$@") CURRENT=$(($# + 1))
_relume
"""


def zsh(relume, *words):
    return shell("zsh", ZSH, relume, "zsh", ZSH_FILE, *words).splitlines()


def test_zsh_syntax(relume):
    shell("zsh", None, relume, "-n", ZSH_FILE)


def test_zsh_commands(relume):
    assert [line.split(":")[0] for line in zsh(relume, "")] == commands(relume)


def test_zsh_options(relume):
    for command in commands(relume):
        lines = zsh(relume, command, "")
        found = {re.match(r"--[\w-]+", line).group() for line in lines if line.startswith("--")}
        assert found == options(relume, command), command
        for line in lines[1:]:  # every specification is whole: OPTION[words]:value:how, or N:NAME:how
            assert re.fullmatch(r"--?[\w-]+=?\[([^\[\]\\]|\\.)*\](:[^:]+:[^:]*)?|(\d|\*):[^:]+:[^:]*( .*)?", line), line
    assert any(line.startswith("--optimizer=[") and line.endswith(":(sgd momentum nesterov adam adamw)")
               for line in zsh(relume, "train", ""))


# ---- fish: it tells what it would offer ----


def fish(relume, line):
    told = shell("fish", "source $argv[1]; complete -C $argv[2]", relume, FISH_FILE, line)
    return {offer.split("\t")[0] for offer in told.splitlines()}


def test_fish_syntax(relume):
    shell("fish", None, relume, "--no-execute", FISH_FILE)


def test_fish_commands(relume):
    assert fish(relume, "relume ") == set(commands(relume))
    assert fish(relume, "relume tra") == {"train"}


def test_fish_options(relume):
    for command in commands(relume):
        assert fish(relume, f"relume {command} --") == options(relume, command), command


def test_fish_values(relume):
    assert fish(relume, "relume train --optimizer ") == {"sgd", "momentum", "nesterov", "adam", "adamw"}
    assert fish(relume, "relume census m digits --split te") == {"test"}
    assert fish(relume, "relume train dig") == {"digits"}


if __name__ == "__main__":
    sys.exit(program.main([test for name, test in list(globals().items()) if name.startswith("test_")]))
