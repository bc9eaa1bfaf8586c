"""The program takes as many threads as it may: fewer where it is bound to cores or a control group has a quota, and what it
computes stays the same. Quotas are shown to it by a file system of its own in a mount namespace of its own.

    test_machine.py PROGRAM
"""
import os
import shutil
import subprocess
import sys

import program


def threads_of(relume, before=(), fails=None):
    """Number of threads and the reason given."""
    status, out, err = relume.run("--version", before=before)
    if status != 0 and fails:
        raise program.Skip(f"{fails}: {err.strip()}")
    assert status == 0, err
    line = out.split("\n")[2]
    number, reason = line.removeprefix("threads: ").split(" ", 1)
    return int(number), reason


def cores():
    return sorted(os.sched_getaffinity(0))


def test_bound_to_one_core(relume):
    if not shutil.which("taskset"):
        raise program.Skip("taskset is missing (Debian package util-linux)")
    bound = ["taskset", "-c", str(cores()[-1])]
    assert threads_of(relume, bound) == (1, "(this process may run on 1 core)")
    # more threads than cores, and the same bytes
    told = []
    for name, before, threads in (("free", (), []), ("bound", bound, []), ("crowded", bound, ["--threads", "5"])):
        relume.must("train", "digits", "-o", name, "--hidden", "64,64", "--epochs", "1", "--progress", "off", *threads,
                    before=before)
        told.append(relume.tell(name))
    assert not program.apart(told[0], told[1]) and not program.apart(told[0], told[2])


def under_quota(relume, files):
    """Threads where /sys/fs/cgroup holds `files`: path to text."""
    make = "mount -t tmpfs none /sys/fs/cgroup && cd /sys/fs/cgroup && "
    make += " && ".join(f"mkdir -p ./{os.path.dirname(path)} && echo '{text}' > ./{path}" for path, text in files.items())
    if subprocess.run(["unshare", "-m", "sh", "-c", make], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise program.Skip("no mount namespace of one's own is allowed here")
    return threads_of(relume, ["unshare", "-m", "sh", "-c", make + ' && exec "$@"', "sh"])


def groups():
    with open("/proc/self/cgroup", encoding="ascii") as file:
        return [line.strip().split(":", 2) for line in file]


def test_quota_of_version_2(relume):
    if len(cores()) < 2:
        raise program.Skip("one core leaves nothing to take away")
    if not any(controllers == "" for _, controllers, _ in groups()):
        raise program.Skip("this kernel has no control groups of version 2")
    number, reason = under_quota(relume, {"cpu.max": "100000 100000"})
    assert number == 1 and "/sys/fs/cgroup/cpu.max grants 1.00" in reason, (number, reason)
    assert under_quota(relume, {"cpu.max": "max 100000"})[0] == len(cores())
    assert under_quota(relume, {"cpu.max": "110000 100000"})[0] == 2  # rounded up
    assert under_quota(relume, {"cpu.max": "1000 100000"})[0] == 1  # never none


def test_quota_of_version_1(relume):
    if len(cores()) < 2:
        raise program.Skip("one core leaves nothing to take away")
    if not any("cpu" in controllers.split(",") for _, controllers, _ in groups()):
        raise program.Skip("this kernel has no control groups of version 1 for the processor")
    number, reason = under_quota(relume, {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"})
    assert number == 1 and "/sys/fs/cgroup/cpu/cpu.cfs_quota_us grants 0.50" in reason, (number, reason)
    unlimited = {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}
    assert under_quota(relume, unlimited)[0] == len(cores())


if __name__ == "__main__":
    sys.exit(program.main([test_bound_to_one_core, test_quota_of_version_2, test_quota_of_version_1]))
