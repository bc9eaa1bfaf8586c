// What a sweep found at other learning rates, and what a forecast expected, where the run has them.

import { look, type Chart } from "./curves";
import type { Facts } from "./facts";
import { number, percent } from "./format";

export function sweepChart(facts: Facts): Chart | null {
  if (!facts.sweep?.rows.length) return null;
  const rows = facts.sweep.rows;
  return {
    title: "Deaths and accuracy against the learning rate",
    x: { label: "learning rate", values: rows.map((r) => r.learning_rate) },
    logarithmic: true,
    show: percent,
    range: [0, 1],
    lines: [
      { label: "dead share", values: rows.map((r) => r.dead_fraction), colour: "accent", dash: [7, 4] },
      { label: "accuracy", values: rows.map((r) => r.accuracy), colour: "series-1" },
    ],
    note: rows.some((r) => r.diverged) ? `Diverged at ${rows.filter((r) => r.diverged).map((r) => number(r.learning_rate)).join(", ")}.` : undefined,
  };
}

export function forecastChart(facts: Facts): Chart | null {
  if (!facts.forecast?.layers.length) return null;
  const { layers, safe_learning_rate } = facts.forecast;
  const rate = safe_learning_rate === null ? "" : ` A learning rate up to ${number(safe_learning_rate)} was expected to be safe for the first steps.`;
  return {
    title: "Born dead: forecast and found, by layer",
    x: { label: "hidden layer", values: layers.map((_, i) => i + 1) },
    show: percent,
    range: [0, null],
    lines: [
      { label: "forecast", values: layers.map((l) => l.born_dead_fraction), ...look(3) },
      { label: "found", values: facts.layers.map((l) => l.born_dead / l.units), ...look(0) },
    ],
    note: `Before training.${rate}`,
  };
}
