#!/usr/bin/python3
"""A system that refuses, met by the program as a user would meet it: test_system.py PROGRAM, printing TAP.

A disk that fills up, one that can only be read, a folder of someone else, one that vanishes while training, a limit on the
size of files, on descriptors and on threads, and a reader that goes away. Each time: exit status and message are right, what
was there before is as it was, and a run goes on to the results of an undisturbed one once the system gives way.

The disks are mounted in a mount namespace of this process, so that they end with it; where that is not allowed, their tests are
skipped."""
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import program  # noqa: E402  (found by the line above)

NEW_MOUNTS, NEW_USERS = 0x20000, 0x10000000  # of unshare(2)
NOBODY = 65534
TRAIN = ["train", "digits", "--hidden", "12,9", "--epochs", "3", "--batch", "300", "--checkpoint", "2", "--lr", "0.3",
         "--threads", "1", "--progress", "off"]
SQLITE_FULL = "database or disk is full"

is_root = os.geteuid() == 0  # before a namespace may make us look like it
no_mounts = ""


def separate_mounts():
    """Why mounting is not possible; empty when it is."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(NEW_MOUNTS if is_root else NEW_MOUNTS | NEW_USERS) != 0:
        return "no mount namespace: " + os.strerror(ctypes.get_errno())
    try:
        if not is_root:
            for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
                with open("/proc/self/" + name, "w", encoding="ascii") as file:
                    file.write(text)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as trouble:
        return f"no mounting: {getattr(trouble, 'stderr', None) or trouble}".replace("\n", " ")
    return ""


class Disk:
    """A disk of its own, in memory, mounted at FOLDER/disk."""

    def __init__(self, relume, size):
        if no_mounts:
            raise program.Skip(no_mounts)
        self.path = relume.path("disk")
        os.makedirs(self.path, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", self.path], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise program.Skip("cannot mount: " + done.stderr.strip())

    def again(self, options):
        # the options there are would name users that a namespace does not know
        subprocess.run(["mount", "--options-mode", "ignore", "-t", "tmpfs", "-o", "remount," + options, "none", self.path],
                       check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)


def run(relume, *arguments, prepare=None, **streams):
    """Exit status and stderr, and stdout unless it goes elsewhere."""
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    done = subprocess.run([relume.program, *arguments], cwd=relume.folder, env=relume.environment(), preexec_fn=prepare,
                          timeout=120, check=False, **given)
    return done.returncode, (done.stderr or b"").decode(), (done.stdout or b"").decode()


def undisturbed(relume, name="calm", arguments=TRAIN):
    relume.must(*arguments, "-o", name)
    return relume.tell(name)


def assert_says(outcome, words, status=4, code="IO"):
    found, said = outcome[:2]
    assert found == status, f"exit {found}, expected {status}: {said}"
    assert any(word in said for word in words), f"says {said!r}, expected one of {words}"
    assert f"\n  {code}: " in said, f"no code {code} with its remedy: {said!r}"


def assert_whole(relume, name):
    """Every file under its final name in a run directory can be read."""
    folder = relume.path(name, "checkpoints")
    for file in os.listdir(folder) if os.path.isdir(folder) else []:
        if file.endswith(".safetensors"):
            relume.must("inspect", os.path.join(folder, file))
    if os.path.exists(relume.path(name, "model.safetensors")):
        relume.must("inspect", relume.path(name, "model.safetensors"))


def assert_resumes(relume, name, expected, what, arguments=TRAIN):
    relume.must(*arguments, "-o", name, "--resume")
    difference = program.apart(relume.tell(name), expected)
    assert not difference, f"{what}: the resumed run differs: {difference}"


def snapshot(folder):
    return {os.path.join(where, file): open(os.path.join(where, file), "rb").read() for where, _, files in os.walk(folder)
            for file in files}


# ---- disks ----


def test_full_disk(relume):
    expected = undisturbed(relume)
    refused = 0
    for kilobytes in (0.004, 12, 28, 40, 60, 80, 100, 120, 140, 160, 400):
        with Disk(relume, f"{int(kilobytes * 1024)}") as disk:
            outcome = run(relume, *TRAIN, "-o", "disk/run")
            if outcome[0] != 0:
                assert_says(outcome, ["No space left on device", SQLITE_FULL])
                assert "disk/run" in outcome[1], outcome[1]
                refused += 1
            assert_whole(relume, "disk/run")
            disk.again("size=64m")
            assert_resumes(relume, "disk/run", expected, f"a disk of {kilobytes} kB")
    print(f"# {refused} of 11 disks too small")
    assert 5 <= refused < 11


def test_full_disk_under_other_results(relume):
    relume.must(*TRAIN, "-o", "run")
    with Disk(relume, "64k") as disk:
        for name in ("p.npy", "p.csv", "page.html"):
            with open(os.path.join(disk.path, name), "wb") as file:
                file.write(b"what was there")
        before = snapshot(disk.path)
        for command in (["predict", "run", "digits", "--probabilities", "-o", "disk/p.npy"],
                        ["predict", "run", "digits", "--probabilities", "-o", "disk/p.csv"],
                        ["report", "run", "-o", "disk/page.html"]):
            outcome = run(relume, *command)
            if "carries no page" in outcome[1]:
                continue
            assert_says(outcome, ["No space left on device"])
            assert command[-1] in outcome[1], outcome[1]
            assert snapshot(disk.path) == before, f"{command}: left {sorted(snapshot(disk.path))}"
        outcome = run(relume, "sweep", "digits", "--hidden", "40", "--epochs", "1", "--lr", "0.1,1", "-o", "disk/sweep")
        assert_says(outcome, ["No space left on device", SQLITE_FULL])
        with open(os.path.join(disk.path, "out"), "wb") as out:
            outcome = run(relume, "predict", "run", "digits", "--probabilities", stdout=out)
        assert_says(outcome, ["standard output: No space left on device"])


def test_read_only_disk(relume):
    expected = undisturbed(relume)
    with Disk(relume, "64m") as disk:
        relume.must(*TRAIN, "-o", "disk/run")
        relume.must(*TRAIN, "-o", "disk/half")
        os.remove(relume.path("disk", "half", "model.safetensors"))
        before = snapshot(disk.path)
        disk.again("ro")
        for command in (["inspect", "disk/run"], ["census", "disk/run", "digits"], ["predict", "disk/run", "digits"],
                        ["report", "disk/run"], ["explain", "disk/run"], ["autopsy", "disk/run"]):
            relume.must(*command)
        for command in ([*TRAIN, "-o", "disk/new"], ["predict", "disk/run", "digits", "-o", "disk/p.npy"],
                        [*TRAIN, "-o", "disk/half", "--resume"],
                        ["sweep", "digits", "--hidden", "4", "--epochs", "1", "--lr", "0.1,1", "-o", "disk/sweep"]):
            outcome = run(relume, *command)
            assert_says(outcome, ["Read-only file system", "readonly database"])
            assert "disk/" in outcome[1], outcome[1]
        assert snapshot(disk.path) == before
        disk.again("rw")
        assert_resumes(relume, "disk/half", expected, "a disk that could only be read")


# ---- someone else's folder; limits ----


def as_nobody(limit=None):
    def prepare():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        if limit:
            resource.setrlimit(*limit)
    return prepare


def need_nobody(relume):
    if not is_root:
        raise program.Skip("only root can become another user")
    os.chmod(relume.folder, 0o755)
    try:
        able = run(relume, "--version", prepare=as_nobody())[0] == 0
    except OSError:
        able = False
    if not able:
        raise program.Skip("another user cannot run the program where it is built")


def test_no_permission(relume):
    need_nobody(relume)
    relume.must(*TRAIN, "-o", "run")
    os.chmod(relume.path("run", "model.safetensors"), 0o600)
    os.mkdir(relume.path("private"), 0o700)
    before = snapshot(relume.folder)
    for command in ([*TRAIN, "-o", "new"], ["predict", "run/checkpoints/step-0.safetensors", "digits", "-o", "p.npy"],
                    ["census", "run/model.safetensors", "digits"], ["inspect", "private/x.npy"]):
        assert_says(run(relume, *command, prepare=as_nobody()), ["Permission denied"])
    assert snapshot(relume.folder) == before


def test_limit_on_threads(relume):
    need_nobody(relume)
    outcome = run(relume, "census", "nothing", "digits", "--threads", "4",
                  prepare=as_nobody((resource.RLIMIT_NPROC, (1, 1))))
    assert_says(outcome, ["Resource temporarily unavailable"], 5, "RESOURCE")


def test_limit_on_file_size(relume):
    expected = undisturbed(relume)
    refused = 0
    for size in (0, 1000, 5000, 9000, 20000, 40000, 60000, 90000):
        def limit(size=size):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        outcome = run(relume, *TRAIN, "-o", "run", prepare=limit)
        if outcome[0] != 0:
            assert_says(outcome, ["File too large", "disk I/O error", SQLITE_FULL])
            assert "run" in outcome[1], outcome[1]
            refused += 1
        assert_whole(relume, "run")
        assert_resumes(relume, "run", expected, f"files of at most {size} bytes")
        relume.remove("run")
    print(f"# {refused} of 8 limits too small")
    assert refused >= 4


def test_limit_on_descriptors(relume):
    expected = undisturbed(relume)
    refused = 0
    for most in range(3, 14):
        def limit(most=most):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        outcome = run(relume, *TRAIN, "-o", "run", prepare=limit)
        if outcome[0] == 127:  # the loader itself could not open the libraries
            continue
        if outcome[0] != 0:
            assert_says(outcome, ["Too many open files", "unable to open database file"], outcome[0],
                        {4: "IO", 5: "RESOURCE"}.get(outcome[0]))
            refused += 1
        assert_whole(relume, "run")
        assert_resumes(relume, "run", expected, f"{most} descriptors")
        relume.remove("run")
    print(f"# {refused} limits too small")
    assert refused >= 1


# ---- a folder that is gone ----

LONG = [*TRAIN[:4], "--epochs", "1500", *TRAIN[6:]]


def wait_for_checkpoints(relume, process, name, count):
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        try:
            if len(os.listdir(relume.path(name, "checkpoints"))) >= count:
                return
        except FileNotFoundError:
            pass
        time.sleep(0.002)
    raise AssertionError(f"no {count} checkpoints: exit {process.poll()}: {process.stderr.read() if process.poll() else ''}")


def test_folder_moved_away(relume):
    expected = undisturbed(relume, arguments=LONG)
    process = relume.start(*LONG, "-o", "run")
    wait_for_checkpoints(relume, process, "run", 5)
    os.rename(relume.path("run"), relume.path("elsewhere"))
    said = process.communicate(timeout=60)[1].decode()
    assert_says((process.returncode, said), ["run: the run directory is gone: it was moved or removed while step"])
    assert not os.path.exists(relume.path("run")), f"made again: {snapshot(relume.path('run')).keys()}"
    assert_whole(relume, "elsewhere")
    os.rename(relume.path("elsewhere"), relume.path("run"))
    assert_resumes(relume, "run", expected, "moved away and back", LONG)


def test_folder_removed(relume):
    expected = undisturbed(relume, arguments=LONG)
    process = relume.start(*LONG, "-o", "run")
    wait_for_checkpoints(relume, process, "run", 5)
    while os.path.exists(relume.path("run")):
        shutil.rmtree(relume.path("run"), ignore_errors=True)
    said = process.communicate(timeout=60)[1].decode()
    # what is missed first depends on the moment
    assert_says((process.returncode, said), ["is gone: it was moved or removed while step",
                                             ".safetensors: cannot replace: No such file or directory",
                                             "run/history.sqlite: disk I/O error"])
    assert not os.path.exists(relume.path("run")), f"made again: {snapshot(relume.path('run')).keys()}"
    assert_resumes(relume, "run", expected, "removed", LONG)


# ---- a reader that goes away ----


def closed_pipe():
    """The writing end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


RESULTS = [["census", "run", "digits"], ["predict", "run", "digits"], ["inspect", "run"], ["report", "run"], ["explain", "run"],
           ["autopsy", "run", "--json"], ["gradcheck", "--hidden", "4", "--parameters", "3"], ["help", "train"], ["--version"],
           ["forecast", "digits", "--hidden", "4", "--seeds", "2", "--steps", "1"],
           ["sweep", "digits", "--hidden", "4", "--epochs", "1", "--lr", "0.1,1"],
           ["bench", "--data", "digits", "--hidden", "4", "--batch", "64", "--seconds", "0.002", "--repeats", "1", "--json"]]


def test_results_that_nobody_takes(relume):
    relume.must(*TRAIN, "-o", "run")
    before = snapshot(relume.path("run"))
    for command in RESULTS:
        writer = closed_pipe()
        assert_says(run(relume, *command, stdout=writer), ["cannot write the results to standard output: Broken pipe"])
        os.close(writer)
        with open("/dev/full", "wb") as full:
            assert_says(run(relume, *command, stdout=full), ["cannot write the results to standard output: No space left"])
        closed = run(relume, *command, prepare=lambda: os.close(1), stdout=None)
        assert_says(closed, ["cannot write the results to standard output: Bad file descriptor"])
    assert snapshot(relume.path("run")) == before


def test_training_that_nobody_reads(relume):
    """`relume train --json | head -1`: the run is whole, whether head was still there at its end or not."""
    expected = undisturbed(relume)
    script = 'set -o pipefail; "$@" | head -1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(["bash", "-c", script, "bash", relume.program, *TRAIN, "-o", "run", "--json"], cwd=relume.folder,
                          env=relume.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    first, status = done.stdout.splitlines()
    assert first.startswith("{") and status in ("0", "4"), done.stdout + done.stderr
    assert not program.apart(relume.tell("run"), expected)
    relume.remove("run")
    writer = closed_pipe()
    assert_says(run(relume, *TRAIN, "-o", "run", "--json", stdout=writer), ["standard output: Broken pipe"])
    assert not program.apart(relume.tell("run"), expected)
    relume.remove("run")
    plain = [word for word in TRAIN if word not in ("--progress", "off")]
    status = run(relume, *plain, "-o", "run", "--json", stderr=writer)[0]  # the narration is no result
    os.close(writer)
    assert status == 0, status
    assert not program.apart(relume.tell("run"), expected)


def test_head_of_long_results(relume):
    relume.must(*TRAIN, "-o", "run")
    done = subprocess.run(["bash", "-c", '"$@" | head -1; echo "${PIPESTATUS[0]}"', "bash", relume.program, "predict", "run",
                           "digits", "--probabilities"], cwd=relume.folder, env=relume.environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "4", done.stdout + done.stderr
    assert "cannot write the results to standard output: Broken pipe" in done.stderr, done.stderr


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # for the children: as a shell would start them
    no_mounts = separate_mounts()
    sys.exit(program.main([test for name, test in list(globals().items()) if name.startswith("test_")]))
