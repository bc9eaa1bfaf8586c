#!/usr/bin/python3
"""How much a followed run is slowed: bench_serve.py PROGRAM [ROUNDS]

Trains the same network with and without a server beside it whose page is open and whose stream is read, in turn, and prints the
ratio of the medians of the seconds that training took. Each pair is made in the other order than the one before."""
import json
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 7
DATA = sys.argv[3:] or ["digits", "--hidden", "512,512", "--epochs", "60"]


def follow(url, stop, events):
    host, port = re.match(r"http://(.*):(\d+)/", url).groups()
    while not stop.is_set():
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"GET /facts.json HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            facts = b"".join(iter(lambda: client.recv(65536), b""))
        step = re.search(rb'"complete_to":\{[^}]*"step":(\d+)', facts)
        if not step:
            stop.wait(0.2)
            continue
        with socket.create_connection((host, int(port))) as client:
            client.settimeout(0.5)
            client.sendall(f"GET /events?from={int(step[1])} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            while not stop.is_set():
                try:
                    part = client.recv(65536)
                except socket.timeout:
                    continue
                if not part:
                    break
                events.append(part.count(b"event: more"))


def train(folder, name, followed):
    training = subprocess.Popen([PROGRAM, "train", *DATA, "-o", name, "--json", "--progress", "off"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    stop, events = threading.Event(), []
    if followed:
        while not pathlib.Path(folder, name, "history.sqlite").exists():
            stop.wait(0.01)
        server = subprocess.Popen([PROGRAM, "serve", name], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        reader = threading.Thread(target=follow, args=(server.stdout.readline(), stop, events))
        reader.start()
    seconds = json.loads(training.communicate()[0])["seconds"]
    if followed:
        stop.set()
        reader.join()
        server.terminate()
        server.wait()
    return seconds, sum(events)


def main():
    alone, beside, updates = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        for i in range(ROUNDS):
            for followed in (i % 2 == 0, i % 2 == 1):
                seconds, events = train(folder, f"run-{i}-{followed}", followed)
                (beside if followed else alone).append(seconds)
                updates += events
    pairs = [b / a for a, b in zip(alone, beside)]
    print(f"alone {statistics.median(alone):.3f} s, followed {statistics.median(beside):.3f} s, {updates} updates read")
    print(f"ratio of medians {statistics.median(beside) / statistics.median(alone):.4f}; of pairs {min(pairs):.3f} .. {max(pairs):.3f}, median {statistics.median(pairs):.4f}")


main()
