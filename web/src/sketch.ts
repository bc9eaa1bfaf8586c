// Small drawings of one unit's life, as SVG: they are few, and scale with the panel they stand in.

import { colour, svg } from "./dom";
import { count, number } from "./format";
import type { Happening } from "./model";

const width = 330;

function picture(height: number, label: string, ...children: SVGElement[]): SVGElement {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...children);
}

function text(x: number, y: number, words: string, anchor = "start", tone = ""): SVGElement {
  return svg("text", { x, y, "text-anchor": anchor, class: tone }, words);
}

const line = (x1: number, y1: number, x2: number, y2: number, stroke: string, more: Record<string, string | number> = {}) =>
  svg("line", { x1, y1, x2, y2, stroke, ...more });

export interface Stretch {
  from: number;
  to: number;
  /** "unsure": the state changed somewhere in this stretch, and the ledger has not proved at which step. */
  state: "alive" | "dead" | "unsure";
}

/** The stretches of life and death that the ledger's events make, from step 0 to `end`. */
export function stretches(life: Happening[], end: number, deadAtEnd: boolean): Stretch[] {
  const result: Stretch[] = [];
  let from = 0;
  let dead = life.length ? life[0].kind !== "killed" : deadAtEnd;
  const push = (to: number, state: Stretch["state"]) => {
    if (to > from) result.push({ from, to, state });
    from = Math.max(from, to);
  };
  for (const event of life) {
    const sure = event.step - event.after_step <= 1;
    push(sure ? event.step : event.after_step, dead ? "dead" : "alive");
    push(event.step, "unsure");
    dead = event.kind !== "revived";
  }
  push(end, dead ? "dead" : "alive");
  return result.length ? result : [{ from: 0, to: end, state: dead ? "dead" : "alive" }];
}

/** Alive: a thick bar. Dead: a thin line with crosses. Unsure: a thin bar. */
export function lifeLine(parts: Stretch[], end: number): SVGElement {
  const x = (step: number) => (end > 0 ? (width * step) / end : 0);
  const [life, death] = [colour("series-1"), colour("accent")];
  const marks: SVGElement[] = [];
  for (const part of parts) {
    const [a, b] = [x(part.from), part.to === part.from ? width : x(part.to)];
    if (part.state !== "dead") {
      const tall = part.state === "alive" ? 12 : 4;
      marks.push(svg("rect", { x: a, y: 14 - tall / 2, width: Math.max(1, b - a), height: tall, fill: life, rx: 1.5 }));
      continue;
    }
    marks.push(line(a, 14, b, 14, death, { "stroke-width": 1.5 }));
    for (let c = a + 7; c <= b - 5; c += 14)
      marks.push(svg("path", { d: `M${c - 3.5} 10.5l7 7m0-7l-7 7`, stroke: death, "stroke-width": 1.5 }));
  }
  const said = parts.map((p) => `${p.state} from step ${p.from} to ${p.to}`).slice(0, 20);
  return picture(38, said.join(", "), ...marks, text(0, 36, "step 0"), text(width, 36, `step ${count(end)}`, "end"));
}

/** One value over steps, with a line at 0 where the values cross it. */
export function course(label: string, xs: number[], ys: (number | null)[], show: (v: number) => string, floor?: number): SVGElement {
  const known = ys.filter((y): y is number => y !== null && Number.isFinite(y));
  let [low, high] = [Math.min(...known, floor ?? Infinity), Math.max(...known)];
  if (!(high > low)) [low, high] = [low - 1, high + 1];
  const [top, bottom, left] = [8, 84, 60];
  const span = xs[xs.length - 1] - xs[0] || 1;
  const x = (v: number) => left + ((width - left) * (v - xs[0])) / span;
  const y = (v: number) => bottom - ((bottom - top) * (v - low)) / (high - low);
  const points = xs.map((v, i) => (ys[i] === null ? null : `${x(v).toFixed(1)},${y(ys[i]!).toFixed(1)}`)).filter(Boolean);
  const parts = [line(left, bottom, width, bottom, colour("line")), line(left, top, width, top, colour("line"))];
  if (low < 0 && high > 0) {
    parts.push(line(left, y(0), width, y(0), colour("accent"), { "stroke-dasharray": "5 4" }));
    if (y(0) - top > 14 && bottom - y(0) > 14) parts.push(text(left - 8, y(0) + 4, "0", "end", "dead"));
  }
  parts.push(
    points.length > 1
      ? svg("polyline", { points: points.join(" "), fill: "none", stroke: colour("series-1"), "stroke-width": 2, "stroke-linejoin": "round" })
      : svg("circle", { cx: x(xs[0]), cy: y(known[0] ?? 0), r: 3.5, fill: colour("series-1") }),
  );
  parts.push(text(left - 8, top + 4, show(high), "end"), text(left - 8, bottom + 4, show(low), "end"));
  parts.push(text(left, 98, `step ${count(xs[0])}`), text(width, 98, `step ${count(xs[xs.length - 1])}`, "end"));
  return picture(102, `${label}: from ${show(known[0] ?? 0)} to ${show(known[known.length - 1] ?? 0)}`, ...parts);
}

/** How many samples have which pre-activation. What lies above 0 opens the gate; 0 is the edge of a bin. */
export function histogram(bins: { from: number; to: number; count: number }[]): SVGElement {
  const [low, high] = [bins[0]?.from ?? 0, bins[bins.length - 1]?.to ?? 0];
  const [from, to] = [Math.min(low, 0), Math.max(high, 0)];
  const span = to - from || 1;
  const x = (v: number) => 4 + ((width - 8) * (v - from)) / span;
  const most = Math.max(...bins.map((b) => b.count), 1);
  const bars = bins.flatMap((bin) => {
    if (bin.count === 0) return [];
    const tall = Math.max(1, (72 * bin.count) / most);
    const open = bin.from >= 0;
    return [svg("rect", { x: x(bin.from), y: 80 - tall, width: Math.max(1, x(bin.to) - x(bin.from) - 1), height: tall, fill: colour(open ? "series-1" : "soft"), opacity: open ? 1 : 0.55 })];
  });
  const zero = x(0);
  // Labels that would run into each other give way to the zero.
  const room = 56;
  const labels = [text(zero, 96, "0", "middle", "strong")];
  if (zero - 4 > room) labels.push(text(0, 96, number(low)));
  if (width - 4 - zero > room) labels.push(text(width, 96, number(high), "end"));
  return picture(100, `Pre-activations from ${number(low)} to ${number(high)}`, ...bars, line(0, 80, width, 80, colour("line")), line(zero, 2, zero, 84, colour("ink"), { "stroke-dasharray": "3 3" }), ...labels);
}

/** Learning rates on a log axis: the interval that kills, the rate that was used, the largest safe one. */
export function lethalAxis(lethal: [number | null, number | null], used: number, safe: number | null): SVGElement {
  const known = [lethal[0], lethal[1], used, safe].filter((v): v is number => v !== null && v > 0 && Number.isFinite(v));
  let low = Math.floor(Math.log10(Math.min(...known)) - 0.25);
  let high = Math.ceil(Math.log10(Math.max(...known)) + 0.25);
  if (high - low < 2) high = low + 2;
  const x = (v: number | null, otherwise: number) =>
    v === null || v <= 0 ? otherwise : 8 + ((width - 16) * (Math.log10(v) - low)) / (high - low);
  const [a, b, at] = [x(lethal[0], 8), x(lethal[1], width - 8), x(used, 8)];
  const accent = colour("accent");
  const hatch = svg("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, line(0, 0, 0, 6, accent, { "stroke-width": 3 }));
  const ticks: SVGElement[] = [];
  const every = Math.ceil((high - low) / 5);
  for (let p = low; p <= high; p++) {
    const tick = x(10 ** p, 0);
    ticks.push(line(tick, 44, tick, 49, colour("soft")));
    if ((p - low) % every === 0) ticks.push(text(tick, 61, p >= -3 && p <= 3 ? String(Number((10 ** p).toFixed(3))) : `1e${p}`, p === low ? "start" : p === high ? "end" : "middle"));
  }
  const anchor = at > width * 0.7 ? "end" : at < width * 0.3 ? "start" : "middle";
  return picture(
    66,
    `Learning rates from ${number(lethal[0])} to ${number(lethal[1])} kill; ${number(used)} was used`,
    svg("defs", {}, hatch),
    svg("rect", { x: a, y: 28, width: Math.max(2, b - a), height: 16, fill: "url(#hatch)", opacity: 0.75 }),
    svg("rect", { x: a, y: 28, width: Math.max(2, b - a), height: 16, fill: "none", stroke: accent }),
    line(0, 44, width, 44, colour("soft")),
    ...ticks,
    line(at, 20, at, 48, colour("ink"), { "stroke-width": 2 }),
    text(at, 14, `used: ${number(used)}`, anchor, "strong"),
  );
}
