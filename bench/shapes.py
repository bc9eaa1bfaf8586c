#!/usr/bin/env python3
"""What a training step costs over the batch, the width and the depth: a table, and a picture of the same figures.

    bench/shapes.py [--relume build/relume] [--threads 1] [--seconds 0.3] [--svg docs/shapes.svg]

Each row is one `relume bench train` on drawn images, with its share of the multiply-add peak measured in the same run; rounds go
over all shapes in turn and the median of a shape's rounds is given. A cliff is a shape whose share is far below that of the
shape half its size.
"""
import argparse
import json
import statistics
import subprocess

BATCHES = [2**i for i in range(13)]
WIDTHS = [2**i for i in range(14)]
DEPTHS = [1, 2, 3, 4, 6, 8]
SWEEPS = [
    ("batch", "samples in a batch (784-512-10)", [(b, "512", b) for b in BATCHES]),
    ("width", "units of the hidden layer (batch 128)", [(w, str(w), 128) for w in WIDTHS]),
    ("depth", "hidden layers of 256 (batch 128)", [(d, ",".join(["256"] * d), 128) for d in DEPTHS]),
]


def measure(a, hidden, batch):
    command = [a.relume, "bench", "train", "--hidden", hidden, "--batch", str(batch), "--threads", str(a.threads),
               "--seconds", str(a.seconds), "--repeats", "3", "--json"]
    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["train"][0]
    return result["peak_share"], result["samples_per_second"]


def rows_of(a):
    """{sweep: [(x, share, samples/s)]}, medians over the rounds."""
    seen = {}
    for _ in range(a.rounds):
        for name, _, shapes in SWEEPS:
            for x, hidden, batch in shapes:
                seen.setdefault((name, x), []).append(measure(a, hidden, batch))
    return {name: [(x, *(statistics.median(one[i] for one in seen[name, x]) for i in (0, 1))) for x, _, _ in shapes]
            for name, _, shapes in SWEEPS}


def print_table(rows):
    for name, what, _ in SWEEPS:
        print(f"{what}\n{'':>8}{'samples/s':>14}{'us/sample':>12}{'of peak':>9}{'beside half':>13}")
        before = None
        for x, share, rate in rows[name]:
            print(f"{x:>8}{rate:>14.0f}{1e6 / rate:>12.3f}{share:>9.2f}" + (f"{share / before:>13.2f}" if before else ""))
            before = share
        print()


def panel(left, what, points):
    """One diagram of 260 × 170 with its corner at `left`, 30."""
    width, height, top = 260, 170, 30
    at = [(left + width * i / (len(points) - 1), top + height * (1 - min(share, 1)))
          for i, (_, share, _) in enumerate(points)]
    parts = [f'<rect x="{left}" y="{top}" width="{width}" height="{height}" class="frame"/>']
    for share in (0.25, 0.5, 0.75):
        y = top + height * (1 - share)
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
    for share in (0, 0.5, 1):
        parts.append(f'<text x="{left - 6}" y="{top + height * (1 - share) + 4:.1f}" class="right">{share:g}</text>')
    parts.append('<polyline points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in at) + '" class="line"/>')
    for i, (x, y) in enumerate(at):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>')
        if i % max(1, len(points) // 6) == 0:
            parts.append(f'<text x="{x:.1f}" y="{top + height + 16}" class="middle">{points[i][0]}</text>')
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 36}" class="middle">{what}</text>')
    return "\n".join(parts)


def draw(path, rows, title):
    style = """svg{background:#fff;font:12px sans-serif;fill:#222}.frame{fill:none;stroke:#999}.grid{stroke:#ddd}
.line{fill:none;stroke:#1668b8;stroke-width:2}circle{fill:#1668b8}.middle{text-anchor:middle}.right{text-anchor:end}"""
    panels = "\n".join(panel(50 + 320 * i, what, rows[name]) for i, (name, what, _) in enumerate(SWEEPS))
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 970 250" width="970" height="250">\n<style>{style}</style>\n'
                   f'<text x="50" y="18">{title}</text>\n{panels}\n</svg>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--relume", default="build/relume")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--svg", help="draw the shares into this file")
    a = parser.parse_args()
    rows = rows_of(a)
    print_table(rows)
    if a.svg:
        draw(a.svg, rows, f"Share of the multiply-add peak of {a.threads} thread{'s' if a.threads > 1 else ''}, plain SGD")


if __name__ == "__main__":
    main()
