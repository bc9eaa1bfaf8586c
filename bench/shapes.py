#!/usr/bin/env python3
"""What a training step costs over the batch, the width and the depth: a table, and a picture of the same figures.

    bench/shapes.py [--relume build/relume] [--threads 1] [--seconds 0.3] [--svg docs/shapes.svg]

Each row is one `relume bench train` on drawn images and one with --dense, with their shares of the multiply-add peak measured in
the same run; rounds go over all shapes in turn and the median of a shape's rounds is given. Work counts every multiply-add,
whether it was done or left out, so the first may exceed 1. A cliff is a shape whose share is far below that of the shape half
its size.
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


def measure(a, hidden, batch, *more):
    command = [a.relume, "bench", "train", "--hidden", hidden, "--batch", str(batch), "--threads", str(a.threads),
               "--seconds", str(a.seconds), "--repeats", "3", "--json", *more]
    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["train"][0]
    return result["peak_share"], result["samples_per_second"]


def rows_of(a):
    """{sweep: [(x, share, samples/s, share with --dense)]}, medians over the rounds."""
    seen = {}
    for _ in range(a.rounds):
        for name, _, shapes in SWEEPS:
            for x, hidden, batch in shapes:
                dense = measure(a, hidden, batch, "--dense")[0]
                seen.setdefault((name, x), []).append((*measure(a, hidden, batch), dense))
    return {name: [(x, *(statistics.median(one[i] for one in seen[name, x]) for i in (0, 1, 2))) for x, _, _ in shapes]
            for name, _, shapes in SWEEPS}


def print_table(rows):
    for name, what, _ in SWEEPS:
        print(f"{what}\n{'':>8}{'samples/s':>14}{'us/sample':>12}{'of peak':>9}{'beside half':>13}{'--dense':>9}"
              f"{'beside half':>13}")
        before = None
        for x, share, rate, dense in rows[name]:
            ratios = (f"{share / before[0]:.2f}", f"{dense / before[1]:.2f}") if before else ("", "")
            print(f"{x:>8}{rate:>14.0f}{1e6 / rate:>12.3f}{share:>9.2f}{ratios[0]:>13}{dense:>9.2f}{ratios[1]:>13}")
            before = share, dense
        print()


WIDTH, HEIGHT, TOP = 262, 180, 50


def curve(at, kind):
    """A line through the points with a mark at each: round, or square for --dense."""
    marks = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="mark"/>' if kind == "skip" else
             f'<rect x="{x - 2.5:.1f}" y="{y - 2.5:.1f}" width="5" height="5" class="square"/>' for x, y in at]
    return [f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in at)}" class="line {kind}"/>', *marks]


def panel(left, what, points, most):
    """One diagram of WIDTH × HEIGHT with its corner at `left`, TOP; the shares go up to `most`."""
    def height(share):
        return TOP + HEIGHT * (1 - share / most)

    across = [left + WIDTH * i / (len(points) - 1) for i in range(len(points))]
    parts = []
    for quarter in range(round(most * 4) + 1):
        y, share = height(quarter / 4), quarter / 4
        kind = "peak" if share == 1 else "grid"
        parts.append(f'<line x1="{left}" x2="{left + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="{kind}"/>')
        if quarter % 2 == 0:
            parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" class="right">{share:g}</text>')
    for place, kind in ((3, "dense"), (1, "skip")):
        parts += curve([(x, height(point[place])) for x, point in zip(across, points)], kind)
    parts.append(f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" class="frame"/>')
    apart = 2 if len(points) > 8 else 1
    for i in range(0, len(points), apart):
        parts.append(f'<text x="{across[i]:.1f}" y="{TOP + HEIGHT + 17}" class="middle">{points[i][0]}</text>')
    parts.append(f'<text x="{left + WIDTH / 2}" y="{TOP + HEIGHT + 38}" class="middle">{what}</text>')
    return "\n".join(parts)


def draw(path, rows, title):
    style = """svg{background:#fff;font:12px sans-serif;fill:#222}.frame{fill:none;stroke:#777}.grid{stroke:#ddd}
.peak{stroke:#777;stroke-dasharray:5 3}.line{fill:none;stroke-width:2}.skip{stroke:#1668b8}
.dense{stroke:#8a5a00;stroke-dasharray:4 3}.mark{fill:#1668b8}.square{fill:#8a5a00}.middle{text-anchor:middle}.right{text-anchor:end}
.title{font-weight:bold}"""
    most = max(1, *(max(share, dense) for one in rows.values() for _, share, _, dense in one))
    most = -(-most // 0.25) * 0.25
    panels = "\n".join(panel(46 + 316 * i, what, rows[name], most) for i, (name, what, _) in enumerate(SWEEPS))
    legend = "\n".join(
        curve([(x, 32), (x + 28, 32)], kind)[0] + curve([(x + 14, 32)], kind)[1] + f'<text x="{x + 36}" y="36">{text}</text>'
        for x, kind, text in ((46, "skip", "as relume trains: what is 0 is left out where that pays"),
                              (460, "dense", "--dense: every multiply-add is done")))
    with open(path, "w", encoding="utf-8") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 970 280" width="970" height="280">\n'
                   f'<style>{style}</style>\n<text x="46" y="18" class="title">{title}</text>\n{legend}\n{panels}\n</svg>\n')


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
        threads = "1 thread" if a.threads == 1 else f"{a.threads} threads"
        draw(a.svg, rows, f"Training, plain SGD: work as a share of the multiply-add peak of {threads}")


if __name__ == "__main__":
    main()
