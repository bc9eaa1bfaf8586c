#!/usr/bin/python3
"""How much a followed run is slowed: bench_serve.py PROGRAM [PAIRS [SECONDS]]

One run trains on one thread while `relume serve` stands beside it. Its page is followed for SECONDS, left alone for SECONDS, and so
on, every second pair in the other order; what counts is the processor time of the training thread for an epoch, which the
kernel tells to the nanosecond and which other work on the machine changes little, and the same for both halves of a pair.
Printed are the median of the pairs' ratios and an interval by order statistics: it holds the true median with the
probability named, whatever the distribution."""
import math
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
PAIRS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 1.5
TRAIN = ["digits", "--hidden", "512,512", "--lr", "0.001", "--epochs", "1000000", "--checkpoint", "1000000000", "--threads", "1"]


def processor(pid):
    """Nanoseconds of a process's first thread."""
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0])


class Training:
    """Reads a line an epoch, and what the thread had used by then."""

    def __init__(self, folder):
        self.process = subprocess.Popen([PROGRAM, "train", *TRAIN, "-o", "run", "--progress", "plain"], cwd=folder,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.used = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stderr:
            if re.search(r"epoch", line):
                self.used.append(processor(self.process.pid))

    def epoch_seconds(self, seconds):
        """Processor seconds an epoch, over the whole epochs of the time from now on."""
        first = len(self.used)
        time.sleep(seconds)
        last = len(self.used) - 1
        return (self.used[last] - self.used[first]) / (last - first) / 1e9 if last > first else math.nan


class Follower:
    """A page that can be opened and closed."""

    def __init__(self, url):
        self.host, port = re.match(r"http://(.*):(\d+)/", url).groups()
        self.port, self.client, self.updates = int(port), None, 0
        threading.Thread(target=self.read, daemon=True).start()

    def ask(self, path):
        client = socket.create_connection((self.host, self.port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n\r\n".encode())
        return client

    def open(self):
        with self.ask("/facts.json") as client:
            facts = b"".join(iter(lambda: client.recv(65536), b""))
        step = int(re.search(rb'"complete_to":\{[^}]*"step":(\d+)', facts)[1])
        self.client = self.ask(f"/events?from={step}")

    def close(self):
        client, self.client = self.client, None
        client.shutdown(socket.SHUT_RDWR)

    def read(self):
        while True:
            client = self.client
            part = client.recv(65536) if client else b""
            self.updates += part.count(b"event: more")
            if not part:
                time.sleep(0.02)


def interval(values, level=0.95):
    """The narrowest pair of order statistics that holds the median with at least this probability, and that probability."""
    n = len(values)
    for k in range(n // 2, 0, -1):
        inside = sum(math.comb(n, i) for i in range(k, n - k + 1)) / 2**n
        if inside >= level:
            return sorted(values)[k - 1], sorted(values)[n - k], inside
    return min(values), max(values), 1 - 2 / 2**n


def measure(training, follower):
    def followed():
        follower.open()
        seconds = training.epoch_seconds(SECONDS)
        follower.close()
        return seconds

    def alone():
        time.sleep(0.2)  # until the server has seen that nobody follows
        return training.epoch_seconds(SECONDS)

    pairs = []
    for i in range(PAIRS):
        if i % 2:
            beside, apart = followed(), alone()
        else:
            apart, beside = alone(), followed()
        pairs.append((apart, beside))
    return pairs


def main():
    with tempfile.TemporaryDirectory() as folder:
        training = Training(folder)
        while len(training.used) < 5:
            time.sleep(0.1)
        server = subprocess.Popen([PROGRAM, "serve", "run"], cwd=folder, stdout=subprocess.PIPE, text=True)
        follower = Follower(server.stdout.readline())
        began = time.perf_counter()
        pairs = measure(training, follower)
        elapsed = time.perf_counter() - began
        cost = sum(int(word) for word in pathlib.Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])
        for process in (server, training.process):
            process.terminate()
            process.wait()
    ratios = [beside / apart for apart, beside in pairs if apart > 0 and beside > 0]
    low, high, inside = interval(ratios)
    print(f"{len(ratios)} pairs of {SECONDS} s, {len(training.used)} epochs, {follower.updates} updates and {PAIRS} whole pages read; "
          f"the server used {100 * cost / os.sysconf('SC_CLK_TCK') / elapsed:.2f} % of a processor")
    print(f"an epoch takes {1e3 * statistics.median(p[0] for p in pairs):.2f} ms of processor alone, {1e3 * statistics.median(p[1] for p in pairs):.2f} followed; "
          f"ratio of pairs: median {statistics.median(ratios):.4f}, {100 * inside:.0f} % within {low:.4f} .. {high:.4f}, all within {min(ratios):.3f} .. {max(ratios):.3f}")


main()
