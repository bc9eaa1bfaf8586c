// What the runs beside this one found at other learning rates, and what a forecast expected, where the run has them.

import { look, type Chart } from "./curves";
import type { Facts } from "./facts";
import { atMost, number, percent, plural } from "./format";

export function sweepChart(facts: Facts): Chart | null {
  if (!facts.sweep?.rows.length) return null;
  const rows = facts.sweep.rows;
  return {
    title: "Deaths and accuracy against the learning rate",
    x: { label: "learning rate", values: rows.map((r) => r.learning_rate) },
    logarithmic: true,
    show: percent,
    range: [0, 1],
    points: true,
    lines: [
      { label: "dead share", values: rows.map((r) => r.dead_fraction), colour: "accent", dash: [7, 4] },
      { label: "accuracy", values: rows.map((r) => r.accuracy), colour: "series-1" },
    ],
    mark: rows.find((r) => r.own)?.learning_rate,
    note: `Runs in the same folder whose settings differ in the rate alone; the line is this one, at ${number(rows.find((r) => r.own)?.learning_rate)}.`,
  };
}

export function forecastChart(facts: Facts): Chart | null {
  if (!facts.forecast?.layers.length) return null;
  const { layers, steps, safe_learning_rate: safe } = facts.forecast;
  const rate = safe === null ? "" : ` A learning rate up to ${atMost(safe)} kills nobody in the first ${plural(steps, "step")}.`;
  return {
    title: "Born dead: forecast and found, by layer",
    x: { label: "hidden layer", values: layers.map((_, i) => i + 1) },
    show: percent,
    range: [0, null],
    points: true,
    lines: [
      { label: "closed form", values: layers.map((l) => l.expected), ...look(1) },
      { label: "mean of networks drawn", values: layers.map((l) => l.born_dead_fraction), ...look(3) },
      { label: "found", values: facts.layers.map((l) => l.born_dead / l.units), ...look(0) },
    ],
    note: `By relume forecast, for networks like this one.${rate}`,
  };
}
