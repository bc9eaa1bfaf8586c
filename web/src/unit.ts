// The panel of one unit: its life, why it died, and its own numbers.

import { colour, el } from "./dom";
import type { Death } from "./facts";
import { atMost, count, number, percent, plain, plural, shellWord, short } from "./format";
import { mix } from "./map";
import { name, rateOf, type Detail, type Model, type Unit } from "./model";
import type { Numbers } from "./packed";
import { course, histogram, lethalAxis, lifeLine, stretches } from "./sketch";
import { tableFold, type Cell, type Table } from "./table";

const heading = (words: string) => el("h4", {}, words);
const words = (text: string, tone = "") => el("p", { class: `words ${tone}` }, plain(text));

/** The state at the end of what the run has recorded. */
export function state(model: Model, unit: Unit): string {
  const field = model.fields[unit.layer];
  const active = field.active[unit.unit];
  const samples = model.facts.dataset.samples;
  if (active === 0) return "dead";
  if (active === samples) return "always on";
  return active < 0.01 * samples ? "nearly dead" : "alive";
}

/** When the death that lasts happened, as far as the ledger has proved it. */
function since(model: Model, unit: Unit): string {
  const last = model.life(unit).pop();
  if (!last || last.kind === "revived") return "";
  if (last.kind === "born dead") return ", from birth";
  if (last.step - last.after_step <= 1) return ` since step ${count(last.step)}`;
  return `; it died between steps ${count(last.after_step)} and ${count(last.step)}`;
}

function stateLine(model: Model, unit: Unit): HTMLElement {
  const field = model.fields[unit.layer];
  const what = state(model, unit);
  const samples = model.facts.dataset.samples;
  const active = field.active[unit.unit];
  const line =
    what === "dead"
      ? `✕ dead on all ${count(samples)} samples${since(model, unit)}`
      : `${what}: fires on ${count(active)} of ${plural(samples, "sample")} (${percent(active / samples)})`;
  return el("p", { class: `state ${what === "dead" ? "dead" : ""}` }, line);
}

const list = (items: string[]) => (items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`);

const partWords: Record<string, string> = {
  gradient: "the gradient of this batch",
  decay: "weight decay",
  below: "the layers below, which moved its inputs",
};

function causeWords(death: Death, optimizer: string): string {
  const momentum = /adam/.test(optimizer) ? "what Adam's moments carried over from former batches" : "what momentum carried over from former batches";
  const parts = list(death.causes.map((cause) => (cause === "momentum" ? momentum : (partWords[cause] ?? plain(cause)))));
  if (death.overdetermined)
    return `No part of the update was necessary alone: any one left out, the rest still killed. Only without more than one of these together would it have lived: ${parts}.`;
  return death.causes.length > 1 ? `It took ${parts} together: without any one of them it would have lived.` : `It was ${parts}: without that it would have lived.`;
}

const birthReasons: Record<string, (death: Death) => string> = {
  bias: (death) => `Its bias of ${number(death.bias)} did it: with a bias of 0 some sample would open it.`,
  "uncentred inputs": (death) => `The inputs are not centred: their mean is ${number(death.input_gamma)} times as long as their deviation. With centred inputs some sample would open it.`,
  depth: (death) => `Depth did it: what the layer below passes on is never negative, so that all samples point the same way (mean ${number(death.input_gamma)} times the deviation).`,
  chance: () => "Neither its bias nor a shared mean explains it: few or equal inputs, and chance.",
};

const below = (death: Death) => `sample ${count(death.sample)}, is ${number(-(death.margin_after ?? 0))} below the gate`;

function deathWords(death: Death, samples: number, optimizer: string): string[] {
  if (death.kind === "born dead")
    return [`It was born dead: at its first weights no sample opens it, and the nearest, ${below(death)}.`, ...death.causes.map((c) => birthReasons[c]?.(death) ?? "")];
  const says = [
    `Update ${count(death.step)} killed it, in epoch ${count(death.epoch)}, at a learning rate of ${number(death.learning_rate)}. Before it, ${count(death.fired_before)} of ${plural(samples, "sample")} opened it; after it none: the nearest, ${below(death)}.`,
  ];
  if (death.drift) {
    const made = (death.margin_before! - death.margin_after!) / (death.drift.margin - death.margin_after!);
    says.push(`It had been starving: after step ${count(death.drift.from)} it still fired on ${plural(death.drift.fired, "sample")} with a margin of ${number(death.drift.margin)}, and this update made ${percent(made)} of the fall since. No single step is to blame.`);
  }
  says.push(causeWords(death, optimizer));
  if (death.update_ratio !== null && death.update_percentile !== null)
    says.push(`The update was ${number(death.update_ratio)} times as long as its weights, longer than that of ${number(death.update_percentile)} % of the layer's units${death.layer_deaths > 1 ? `; it killed ${count(death.layer_deaths)} of them in all` : ""}.`);
  const push = death.pushers[0];
  if (push && death.outlier) says.push(`An outlier did it: sample ${count(push.sample)}, whose input is ${number(push.norm_ratio)} times as long as the median of its batch. Without it in the batch the unit would have lived.`);
  else if (push) says.push(`Of the batch, sample ${count(push.sample)} pushed hardest${push.decisive ? "; without it the unit would have lived" : ""}.`);
  return says;
}

function prognosisWords({ prognosis: p }: Death): string {
  const sentence = plain(p.because).replace(/\.?$/, ".");
  if (p.never) return `It will not return on these data (${p.verdict}): ${sentence}`;
  if (p.revives_at !== null) return `It will return after step ${count(p.revives_at)} when training goes on (${p.verdict}): ${sentence}`;
  return `Whether it returns is open (${p.verdict}): ${sentence}`;
}

/** The command that tells of this unit. */
const command = (model: Model, unit: Unit) => `relume autopsy ${shellWord(model.facts.run)} ${name(unit)}`;

/** Why there is no autopsy here, for a unit that is dead. */
function withoutAutopsy(model: Model, unit: Unit): Node[] {
  const { dead, autopsy_account: account } = model.facts;
  if (!dead || model.fields[unit.layer].active[unit.unit] !== 0) return [];
  const why = account.left_out === null ? `This file tells ${count(account.kept)} of ${count(account.deaths)} deaths one by one, not this one` : `There is none here: ${plain(account.left_out)}`;
  return [heading("Autopsy"), el("p", { class: "words quiet" }, `${why}. `, el("code", {}, command(model, unit)))];
}

function ratePart(death: Death): Node[] {
  const { lethal_lr: lethal, learning_rate: used, largest_safe_lr: safe } = death;
  if (!lethal || used === null) return [];
  const title = heading("Learning rates that would have killed it at that step");
  if (!lethal[0])
    return [title, words(`Every rate up to ${lethal[1] === null ? "any height" : number(lethal[1])}: its inputs had moved, so no smaller update of its own would have spared it.`, "quiet")];
  const axis = el("div", { class: "drawing" }, lethalAxis(lethal, used, safe));
  return [title, axis, words(`At ${atMost(safe)} or less it would have lived through this step.`, "quiet")];
}

function autopsyPart(model: Model, unit: Unit): Node[] {
  const death = model.death(unit);
  if (!death) return withoutAutopsy(model, unit);
  const says = deathWords(death, model.facts.dataset.samples, model.facts.settings.optimizer ?? "");
  const parts: Node[] = [heading("Autopsy"), ...says.filter(Boolean).map((w) => words(w)), heading("Prognosis"), words(prognosisWords(death)), ...ratePart(death)];
  if (death.change) {
    const rows = Object.entries(death.change).map(([part, value]): Cell[] => [changeWords[part] ?? part, value]);
    parts.push(tableFold({ name: `${name(unit)} change by cause`, columns: [`part, at sample ${count(death.sample)}`, "change of p"], rows: () => rows }));
  }
  return parts;
}

const changeWords: Record<string, string> = {
  own_weights: "its weights",
  own_bias: "its bias",
  below: "layers below",
  gradient: "of its own: gradient",
  momentum: "of its own: momentum",
  decay: "of its own: decay",
  rounding: "rounding, at most",
};

function lifePart(model: Model, unit: Unit): Node[] {
  const field = model.fields[unit.layer];
  const end = model.facts.complete_to.step;
  const parts = stretches(model.life(unit), end, field.active[unit.unit] === 0);
  const { map, dataset } = model.facts;
  const steps = map.step;
  const at = (p: number) => p * field.units + unit.unit;
  const rates = steps.map((_, p) => (field.counts ? field.counts[at(p)] / dataset.samples : rateOf(field.codes[at(p)])));
  const table: Table = {
    name: `${name(unit)} life`,
    columns: ["from step", "to step", "state"],
    rows: () => parts.map((s): Cell[] => [s.from, s.to, s.state]),
  };
  const rateTable: Table = {
    name: `${name(unit)} firing rate`,
    columns: ["epoch", "step", field.counts ? "samples it fires on" : "firing rate"],
    rows: () => steps.map((step, p): Cell[] => [map.epoch[p], step, field.counts ? field.counts[at(p)] : rates[p]]),
  };
  const nodes: Node[] = [heading("Life line"), el("div", { class: "drawing" }, lifeLine(parts, end))];
  if (parts.some((s) => s.state === "unsure")) nodes.push(words("Where the bar is thin it changed its state, at a step that the ledger has not proved.", "quiet"));
  nodes.push(tableFold(table));
  if (steps.length) nodes.push(heading("Firing rate"), el("div", { class: "drawing" }, course("Firing rate", steps, rates, percent, 0)), tableFold(rateTable));
  return nodes;
}

function marginPart(model: Model, unit: Unit): Node[] {
  const { step } = model.facts.map;
  const { margin, margins, units } = model.fields[unit.layer];
  const now = margin[unit.unit];
  if (!margins || step.length === 0) return [heading("Margin"), words(`${number(now)}: the highest pre-activation over the data.`)];
  const values = step.map((_, i) => margins[i * units + unit.unit]);
  const table: Table = { name: `${name(unit)} margin`, columns: ["step", "margin"], rows: () => step.map((s, i): Cell[] => [s, values[i]]) };
  return [heading("Margin: the highest pre-activation over the data"), el("div", { class: "drawing" }, course("Margin", step, values, number)), tableFold(table)];
}

function histogramPart(unit: Unit, d: Detail): Node[] {
  const table: Table = {
    name: `${name(unit)} pre-activations`,
    columns: ["above", "up to", "samples"],
    rows: () => d.histogram.map((b): Cell[] => [b.from, b.to, b.count]),
  };
  return [heading("Pre-activations over the data"), el("div", { class: "drawing" }, histogram(d.histogram)), tableFold(table)];
}

function raster(rows: number, columns: number, paint: (i: number) => [number, number, number], label: string): HTMLCanvasElement {
  const canvas = el("canvas", { width: String(columns), height: String(rows), role: "img", "aria-label": label });
  const image = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) image.data.set([...paint(i), 255], 4 * i);
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  return canvas;
}

const hex = (text: string): [number, number, number] => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16)) as [number, number, number];

function weightsPart(model: Model, unit: Unit, d: Detail): Node[] {
  if (!d.weights) return [];
  const { value, scale } = d.weights;
  const image = model.facts.dataset.image;
  const nameOf = (i: number) =>
    model.facts.dataset.columns?.[i] ?? (image ? `row ${Math.floor(i / image[1])}, column ${i % image[1]}` : `feature ${i}`);
  const table: Table = {
    name: `${name(unit)} incoming weights`,
    columns: ["input", "weight, rounded"],
    rows: () => Array.from(value, (v, i): Cell[] => [nameOf(i), Number(((v * scale) / 127).toPrecision(3))]),
  };
  const parts: Node[] = [heading("Incoming weights")];
  if (image) {
    const [minus, zero, plus] = ["weight-minus", "card", "weight-plus"].map((c) => hex(colour(c)));
    const canvas = raster(image[0], image[1], (i) => mix(zero, value[i] < 0 ? minus : plus, Math.abs(value[i]) / 127), `Weights of ${name(unit)} laid out as the image they look at`);
    const range = `From ${number(-scale)} (blue) over 0 to ${number(scale)} (ochre).`;
    parts.push(el("div", { class: "weights" }, canvas, el("p", { class: "quiet" }, range)));
  } else {
    const strongest = Array.from(value, (v, i) => ({ v, i })).sort((a, b) => Math.abs(b.v) - Math.abs(a.v)).slice(0, 5);
    parts.push(words(`Strongest: ${strongest.map(({ v, i }) => `${short(nameOf(i), 24)} ${number((v * scale) / 127)}`).join(", ")}.`));
  }
  return [...parts, tableFold(table)];
}

function sampleImage(image: Numbers, rows: number, columns: number, label: string): HTMLCanvasElement {
  return raster(rows, columns, (i) => [255 - image[i], 255 - image[i], 255 - image[i]], label);
}

function topPart(model: Model, unit: Unit, d: Detail): Node[] {
  const image = model.facts.dataset.image;
  const shots = d.top.map(({ sample, p }) => {
    const known = model.sample(sample);
    const picture = image && known.image ? sampleImage(known.image, image[0], image[1], `Sample ${sample}`) : null;
    const label = known.label === null ? [] : ["class ", el("bdi", {}, short(known.label, 24)), el("br")];
    return el("li", {}, picture, ...label, `p = ${number(p)}`, el("br"), `sample ${count(sample)}`);
  });
  const table: Table = {
    name: `${name(unit)} samples`,
    columns: ["sample", "class", "pre-activation"],
    rows: () => d.top.map((t): Cell[] => [t.sample, model.sample(t.sample).label, t.p]),
  };
  const title = d.top.length && d.top[0].p > 0 ? "Samples that fire it most" : "Samples that come closest to firing it";
  return [heading(title), el("ul", { class: "shots" }, ...shots), tableFold(table)];
}

/** The forward and the backward line with this unit's numbers, at the sample with its highest pre-activation. */
function linesPart(unit: Unit, d: Detail): Node[] {
  const top = d.top[0];
  if (!top) return [];
  const open = top.p > 0;
  const row = (left: string, right: string) => `  ${left.padEnd(`W[${unit.unit}]·x`.length)} = ${right}`;
  // At most 38 characters a line: what a phone shows without wrapping.
  const text = [
    `z = np.maximum(0, np.dot(W, x) + b)`,
    row(`W[${unit.unit}]·x`, number(top.p - d.bias)),
    row(`b[${unit.unit}]`, number(d.bias)),
    row("p", number(top.p)),
    row("z", `max(0, p) = ${number(Math.max(0, top.p))}`),
    ``,
    `dW = np.outer(dz * (z > 0), x)`,
    open ? `  z > 0, so dW[${unit.unit}] = dz · x` : `  z > 0 is false, so dW[${unit.unit}] = 0`,
  ].join("\n");
  const about = open
    ? `x is sample ${count(top.sample)}. The gate is open, so the gradient reaches all of its weights.`
    : `x is sample ${count(top.sample)}, the one that comes closest. No other sample opens the gate either, so no gradient reaches it.`;
  return [heading("The two lines, with its numbers"), el("pre", { class: "lines", tabindex: "0", role: "region", "aria-label": "The forward and backward line" }, text), words(about, "quiet")];
}

export function unitPanel(model: Model, unit: Unit, nextDead: () => void): HTMLElement {
  const detail = model.detail(unit);
  const next = el("button", { type: "button" }, "Next dead");
  next.addEventListener("click", nextDead);
  const foreign = model.fields[unit.layer].facts.name;
  const body: Node[] = [
    el("header", {}, el("h3", { class: "name" }, name(unit)), el("div", { class: "steps" }, model.facts.dead ? next : null)),
    stateLine(model, unit),
  ];
  if (foreign !== model.fields[unit.layer].facts.layer) body.push(el("p", { class: "quiet" }, `in ${short(foreign)}`));
  body.push(...autopsyPart(model, unit), ...lifePart(model, unit), ...marginPart(model, unit));
  if (detail)
    body.push(...histogramPart(unit, detail), ...weightsPart(model, unit, detail), ...topPart(model, unit, detail), ...linesPart(unit, detail));
  else if (model.facts.dataset.trouble)
    body.push(el("p", { class: "words quiet" }, `The data were not looked at, so there are no pre-activations here: ${plain(model.facts.dataset.trouble)}`));
  else if (model.facts.units)
    body.push(el("p", { class: "words quiet" }, `This file has weights, samples and pre-activations of ${count(model.facts.units.count)} of ${count(model.facts.units.of)} units; not of this one.`));
  return el("div", {}, ...body);
}
