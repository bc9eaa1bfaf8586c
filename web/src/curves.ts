// Curves over epochs and steps: each a figure with a legend that reads the values under the cursor, and its table.

import uPlot from "uplot";
import { colour, el, svg } from "./dom";
import type { Facts } from "./facts";
import { count, number, percent, plain } from "./format";
import { refreshFold, tableFold, type Cell, type Table } from "./table";

type Values = (number | null)[];

export interface Line {
  label: string;
  values: Values;
  /** A custom property of the style sheet. */
  colour: string;
  dash?: number[];
  bars?: boolean;
}

export interface Chart {
  title: string;
  x: { label: string; values: number[] };
  lines: Line[];
  show: (value: number | null) => string;
  /** A level worth a dashed line across the chart. */
  guide?: { at: number; label: string };
  /** A value of x worth a dashed line from bottom to top; the legend reads the values there. */
  mark?: number;
  /** A dot at each value: they are few, and what lies between them was not measured. */
  points?: boolean;
  range?: [number | null, number | null];
  /** Draw values below 0 for the eye, but say them as they are. */
  mirrored?: number;
  logarithmic?: boolean;
  /** Counts whose sum says more than the last of them. */
  summed?: boolean;
  note?: string;
}

const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
const colours = ["series-1", "series-2", "series-3", "series-4"];

/** The look of the n-th of several lines: colours repeat after four, with another dash. */
export const look = (n: number) => ({ colour: colours[n % 4], dash: dashes[(n + Math.floor(n / 4)) % 4] });

function swatch(line: Line): SVGElement {
  const stroke = colour(line.colour);
  const mark = line.bars
    ? svg("rect", { x: 5, y: 1, width: 8, height: 10, fill: stroke })
    : svg("line", { x1: 0, x2: 18, y1: 6, y2: 6, stroke, "stroke-width": 2, "stroke-dasharray": (line.dash ?? []).join(" ") });
  return svg("svg", { width: 18, height: 12, "aria-hidden": "true" }, mark);
}

const has = (values: Values) => values.some((v) => v !== null && Number.isFinite(v));

function lastOf(values: Values): number {
  for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null) return i;
  return -1;
}

/** What a line comes to when no point of it is chosen. */
function gist(chart: Chart, line: Line): string {
  if (chart.summed) return `${chart.show(line.values.reduce<number>((sum, v) => sum + (v ?? 0), 0))} in all`;
  const marked = chart.mark === undefined ? -1 : chart.x.values.indexOf(chart.mark);
  return chart.show(line.values[marked < 0 ? lastOf(line.values) : marked] ?? null);
}

/** Takes the values of a newer chart of the same lines; false when its lines are others. */
function renew(chart: Chart, lines: Line[], newer: Chart): boolean {
  const fresh = newer.lines.filter((line) => has(line.values));
  if (fresh.length !== lines.length || fresh.some((line, i) => line.label !== lines[i].label)) return false;
  fresh.forEach((line, i) => (lines[i].values = line.values));
  Object.assign(chart, newer, { lines: chart.lines });
  return true;
}

/** Chart and table as a figure; null when there is nothing to draw. */
export function chartFigure(given: Chart): Drawn | null {
  const chart = { ...given, lines: given.lines.map((line) => ({ ...line })) };
  const lines = chart.lines.filter((line) => has(line.values));
  if (lines.length === 0) return null;
  const table: Table = {
    name: chart.title,
    columns: [chart.x.label, ...lines.map((l) => l.label)],
    rows: () => chart.x.values.map((x, i): Cell[] => [x, ...lines.map((l) => l.values[i] ?? null)]),
  };
  const readouts = lines.map(() => el("b"));
  const where = el("li", { class: "where" });
  const legend = el(
    "ul",
    { class: "legend" },
    ...lines.map((line, i) => el("li", {}, swatch(line), plain(line.label), readouts[i])),
    where,
  );
  const read = (index: number | null) => {
    lines.forEach((line, i) => {
      readouts[i].textContent = index === null ? gist(chart, line) : chart.show(line.values[index] ?? null);
    });
    where.textContent = index === null ? "" : `at ${chart.x.label} ${number(chart.x.values[index])}`;
  };
  read(null);
  const drawing = el("div", {
    class: "drawing",
    role: "img",
    tabindex: "0",
    "aria-label": `${chart.title}. ${lines.map((l) => `${l.label}: ${gist(chart, l)}${chart.summed ? "" : chart.mark === undefined ? " at the end" : ` at ${number(chart.mark)}`}`).join(", ")}. Arrow keys read values; the table below has all of them.`,
  });
  const fold = tableFold(table);
  const note = el("p", { class: "quiet" }, chart.note);
  const figure = el("figure", {}, el("h3", {}, chart.title), legend, drawing, chart.note ? note : null, fold);
  const label = drawing.getAttribute("aria-label")!;
  return {
    figure,
    draw: () => plot(drawing, chart, lines, read),
    update: (newer) => {
      if (!renew(chart, lines, newer)) return false;
      note.textContent = chart.note ?? "";
      drawing.setAttribute("aria-label", label.replace(/: .*/s, "") + ". Arrow keys read values; the table below has all of them.");
      plots.get(drawing)?.setData(dataOf(chart, lines));
      if ((plots.get(drawing)?.cursor.idx ?? null) === null) read(null);
      refreshFold(fold);
      return true;
    },
  };
}

export interface Drawn {
  figure: HTMLElement;
  draw: () => void;
  /** Shows newer values of the same lines; false when there are other lines now. */
  update: (newer: Chart) => boolean;
}

function axis(show: (value: number) => string, size?: number): uPlot.Axis {
  return {
    stroke: colour("soft"),
    font: "11px Inter, ui-sans-serif, system-ui, sans-serif",
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
    gap: 6,
    ...(size ? { size } : {}),
    values: (_, ticks) => ticks.map((t) => (t === null ? "" : show(t))),
  };
}

function dashed(u: uPlot, tone: string, from: [number, number], to: [number, number]): void {
  const { ctx } = u;
  ctx.strokeStyle = colour(tone);
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
}

function markLine(u: uPlot, at: number): void {
  const x = Math.round(u.valToPos(at, "x", true));
  const { top, height } = u.bbox;
  u.ctx.save();
  dashed(u, "soft", [x, top], [x, top + height]);
  u.ctx.restore();
}

function guideLine(u: uPlot, guide: { at: number; label: string }): void {
  const y = Math.round(u.valToPos(guide.at, "y", true));
  if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) return;
  const { ctx } = u;
  ctx.save();
  dashed(u, "accent", [u.bbox.left, y], [u.bbox.left + u.bbox.width, y]);
  ctx.fillStyle = colour("accent");
  ctx.font = `${11 * devicePixelRatio}px Inter, system-ui, sans-serif`;
  ctx.textAlign = "right";
  ctx.fillText(guide.label, u.bbox.left + u.bbox.width, y - 7 * devicePixelRatio);
  ctx.restore();
}

function series(chart: Chart, line: Line): uPlot.Series {
  const stroke = colour(line.colour);
  if (line.bars)
    return { label: line.label, stroke, fill: stroke, width: 0, paths: uPlot.paths.bars!({ size: [0.9, 60], align: 1 }), points: { show: false } };
  return {
    label: line.label,
    stroke,
    width: 2,
    dash: line.dash,
    spanGaps: true,
    points: { show: chart.points || chart.x.values.length < 2, size: 7, fill: stroke },
  };
}

const plots = new WeakMap<HTMLElement, uPlot>();

function dataOf(chart: Chart, lines: Line[]): uPlot.AlignedData {
  const mirror = (line: Line) => (chart.mirrored !== undefined && chart.lines[chart.mirrored] === line ? -1 : 1);
  return [chart.x.values, ...lines.map((l) => l.values.map((v) => (v === null ? null : mirror(l) * v)))] as uPlot.AlignedData;
}

// Epochs, steps and layers are whole.
const wholeSteps = Array.from({ length: 10 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();

function plot(drawing: HTMLElement, chart: Chart, lines: Line[], read: (index: number | null) => void): void {
  plots.get(drawing)?.destroy();
  const shownBy = (v: number) =>
    chart.show(chart.mirrored === undefined ? Number(v.toPrecision(12)) : Math.abs(v)).replace(/\.0+ %$/, " %");
  const u = new uPlot(
    {
      width: Math.max(200, drawing.clientWidth),
      height: 200,
      padding: [8, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { size: 7 } },
      scales: {
        x: chart.logarithmic ? { time: false, distr: 3 } : { time: false, range: (_, low, high) => (low === high ? [low - 1, high + 1] : [low, high + (chart.lines[0].bars ? (chart.x.values[1] ?? 2) - 1 : 0)]) },
        y: {
          range: (_, low, high) => {
            const [lo, hi] = [chart.range?.[0] ?? low, chart.range?.[1] ?? high];
            return uPlot.rangeNum(lo, hi === lo ? lo + (Math.abs(lo) || 1) : hi, {
              min: { pad: chart.range?.[0] != null ? 0 : 0.08 },
              max: { pad: chart.range?.[1] != null ? 0 : 0.08 },
            });
          },
        },
      },
      axes: [{ incrs: chart.logarithmic ? undefined : wholeSteps, ...axis((v) => (chart.logarithmic ? number(v) : Number.isInteger(v) ? count(v) : "")), size: 30 }, axis(shownBy, 58)],
      series: [{}, ...lines.map((line) => series(chart, line))],
      hooks: {
        drawAxes: [(p) => chart.guide && guideLine(p, chart.guide), (p) => chart.mark !== undefined && markLine(p, chart.mark)],
        setCursor: [(p) => read(p.cursor.idx ?? null)],
      },
    },
    dataOf(chart, lines),
    drawing,
  );
  plots.set(drawing, u);
  drawing.onkeydown = (event) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const last = chart.x.values.length - 1;
    const index = Math.min(last, Math.max(0, (u.cursor.idx ?? (step > 0 ? -1 : last + 1)) + step));
    u.setCursor({ left: u.valToPos(chart.x.values[index], "x"), top: 10 });
  };
}

/** The charts of a run, in the order they are read. */
export function charts(facts: Facts): Chart[] {
  const e = facts.epochs;
  const epoch = { label: "epoch", values: e.epoch };
  const share = (counts: Values, units: number) => counts.map((c) => (c === null ? null : c / units));
  return [
    {
      title: "Loss",
      x: epoch,
      show: number,
      lines: [
        { label: "train", values: e.train_loss, colour: "ink", dash: [7, 4] },
        { label: "test", values: e.test_loss, colour: "series-1" },
      ],
    },
    {
      title: "Accuracy",
      x: epoch,
      show: percent,
      lines: [
        { label: "train", values: e.train_accuracy, colour: "ink", dash: [7, 4] },
        { label: "test", values: e.test_accuracy, colour: "series-1" },
      ],
    },
    {
      title: "Dead share by layer",
      x: epoch,
      show: percent,
      range: [0, null],
      lines: facts.layers.map((l, i) => ({ label: l.layer, values: share(l.dead_by_epoch, l.units), ...look(i) })),
    },
    {
      title: "Deaths and revivals by step",
      x: { label: "step", values: facts.steps.step },
      show: count,
      mirrored: 1,
      summed: true,
      note: stepsNote(facts),
      lines: [
        { label: "deaths", values: facts.steps.deaths, colour: "accent", bars: true },
        { label: "revivals", values: facts.steps.revivals, colour: "series-1", bars: true },
      ],
    },
    { title: "Learning rate", x: epoch, show: number, range: [0, null], lines: [{ label: "learning rate", values: e.learning_rate, colour: "ink" }] },
    ratioChart(facts),
  ];
}

function stepsNote(facts: Facts): string {
  const { count: all, exact } = facts.events;
  const words = ["Deaths rise, revivals hang."];
  if (facts.steps.width > 1) words.push(`A bar counts ${facts.steps.width} steps from the one named.`);
  if (exact < all) words.push(`${count(all - exact)} of ${count(all)} events are dated by the census that found them, the others by the very update.`);
  return words.join(" ");
}

function ratioChart(facts: Facts): Chart {
  const layers = [...facts.layers.map((l) => ({ label: l.layer, ratio: l.update_ratio })), { label: "out", ratio: facts.output_layer.update_ratio }];
  const lines = layers.flatMap(({ label, ratio }, i) => (ratio ? [{ label, values: ratio.log10, ...look(i) }] : []));
  const known = lines.flatMap((line) => line.values.filter((v): v is number => v !== null));
  return {
    title: "Update to weight, log10",
    x: { label: "step", values: layers[0].ratio?.step ?? [] },
    show: number,
    guide: { at: -3, label: "−3 is usual" },
    range: [known.reduce((a, b) => Math.min(a, b), -3.3), known.reduce((a, b) => Math.max(a, b), -2.7)],
    lines,
    note: "How far the last update of each epoch moved a layer's weights, beside their length.",
  };
}
