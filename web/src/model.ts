// The facts unpacked: fields of firing rates by layer, and each unit's life. Every other module asks here.

import type { Death, Facts, LayerFacts, UpdateRatio } from "./facts";
import { unpack, type Numbers, type Packed } from "./packed";

/** A hidden unit: its layer counted from 0, its row in the layer's weights. */
export interface Unit {
  layer: number;
  unit: number;
}

export interface Happening {
  kind: "born dead" | "killed" | "revived";
  after_step: number;
  step: number;
}

const kinds = ["born dead", "killed", "revived"] as const;

/** One layer's firing rates at every epoch the map shows, a byte a unit: 0 never fires, 255 always, exactly. */
export interface Field {
  facts: LayerFacts;
  units: number;
  codes: Uint8Array;
  counts: Numbers | null;
  active: Numbers;
  margin: Numbers;
  /** [censuses of the map][units], where the facts have them. */
  margins: Numbers | null;
  activation: Numbers;
  /** Step of the death that lasts to the end; Infinity for a unit alive at the end. */
  died: Float64Array;
}

export interface Detail {
  /** Samples with from < p <= to, from the lowest bin that has any to the highest. */
  histogram: { from: number; to: number; count: number }[];
  bias: number;
  weightNorm: number;
  top: { sample: number; p: number }[];
  weights: { scale: number; value: Numbers } | null;
}

export interface Model {
  facts: Facts;
  fields: Field[];
  lives: Lives;
  life: (unit: Unit) => Happening[];
  detail: (unit: Unit) => Detail | null;
  death: (unit: Unit) => Death | null;
  sample: (index: number) => { label: string | null; image: Numbers | null };
}

export const name = (unit: Unit): string => `h${unit.layer + 1}.${unit.unit}`;

/** The unit a text such as "h2.37" names, or null where the network has none. */
export function find(facts: Facts, text: string): Unit | null {
  const match = /^\s*h?(\d+)\s*[.:,\s]\s*(\d+)\s*$/i.exec(text);
  if (!match) return null;
  const layer = Number(match[1]) - 1;
  const unit = Number(match[2]);
  return facts.layers[layer] && unit < facts.layers[layer].units ? { layer, unit } : null;
}

/** The byte that stands for a firing rate; the one rule for exact counts and for facts that come as bytes already. */
export function code(active: number, samples: number): number {
  if (active === 0) return 0;
  if (active === samples) return 255;
  return Math.min(254, Math.max(1, 1 + Math.round((253 * active) / samples)));
}

/** A firing rate from its byte: exact at the ends, within 0.2 % between. */
export const rateOf = (c: number): number => (c === 0 ? 0 : c === 255 ? 1 : (c - 1) / 253);

function encode(counts: Numbers, samples: number): Uint8Array {
  const codes = new Uint8Array(counts.length);
  for (let i = 0; i < counts.length; i++) codes[i] = code(counts[i], samples);
  return codes;
}

async function unpackField(facts: Facts, index: number): Promise<Field> {
  const layer = facts.layers[index];
  const [field, active, margin, activation] = await Promise.all(
    [facts.map.layers[index], layer.active, layer.margin, layer.mean_activation].map(unpack),
  );
  const margins = facts.map.margins[index];
  const exact = facts.map.encoding === "counts";
  return {
    facts: layer,
    units: layer.units,
    codes: exact ? encode(field, facts.dataset.samples) : (field as Uint8Array),
    counts: exact ? field : null,
    active,
    margin,
    margins: margins && (await unpack(margins)),
    activation,
    died: new Float64Array(layer.units).fill(Infinity),
  };
}

type Lives = Map<number, Happening[]>[];

/** Enters events, oldest first, into the units' lives. */
async function enterEvents(events: Facts["events"], fields: Field[], lives: Lives): Promise<void> {
  const [layer, unit, kind, after, step] = await Promise.all([events.layer, events.unit, events.kind, events.after_step, events.step].map(unpack));
  for (let i = 0; i < layer.length; i++) {
    const happening = { kind: kinds[kind[i]], after_step: after[i], step: step[i] };
    const mine = lives[layer[i]].get(unit[i]);
    if (mine) mine.push(happening);
    else lives[layer[i]].set(unit[i], [happening]);
    fields[layer[i]].died[unit[i]] = happening.kind === "revived" ? Infinity : step[i];
  }
  for (const field of fields)
    for (let u = 0; u < field.units; u++) {
      if (field.active[u] !== 0) field.died[u] = Infinity;
      else if (field.died[u] === Infinity) field.died[u] = Number.MAX_SAFE_INTEGER; // dead, its event not kept
    }
}

/** Bins of equal width whose middle edge is 0, without the empty ones at either end. */
function bins(width: number, counts: Numbers): Detail["histogram"] {
  const half = counts.length / 2;
  const all = Array.from(counts, (count, i) => ({ from: (i - half) * width, to: (i + 1 - half) * width, count }));
  const first = all.findIndex((b) => b.count > 0);
  const last = all.length - 1 - [...all].reverse().findIndex((b) => b.count > 0);
  return first < 0 ? [] : all.slice(first, last + 1);
}

async function unpackDetails(facts: Facts): Promise<(unit: Unit) => Detail | null> {
  const d = facts.units;
  if (!d) return () => null;
  const parts: Packed[] = [d.layer, d.unit, d.width, d.histogram, d.bias, d.weight_norm, d.top.sample, d.top.p];
  const [layer, unit, width, histogram, bias, norm, sample, p] = await Promise.all(parts.map(unpack));
  const weights = d.weights && { scale: await unpack(d.weights.scale), value: await unpack(d.weights.value) };
  const rows = new Map<string, number>();
  for (let i = 0; i < layer.length; i++) rows.set(`${layer[i]}.${unit[i]}`, i);
  let weightRow = -1;
  const weightRows = Array.from(layer, (l) => (l === 0 ? ++weightRow : -1));
  return ({ layer: l, unit: u }) => {
    const i = rows.get(`${l}.${u}`);
    if (i === undefined) return null;
    const each = d.top.each;
    const w = weightRows[i];
    const columns = d.weights?.columns ?? 0;
    return {
      histogram: bins(width[i], histogram.subarray(i * d.bins, (i + 1) * d.bins)),
      bias: bias[i],
      weightNorm: norm[i],
      top: Array.from({ length: each }, (_, k) => ({ sample: sample[i * each + k], p: p[i * each + k] })),
      weights:
        weights && w >= 0 && w < d.weights!.rows
          ? { scale: weights.scale[w], value: weights.value.subarray(w * columns, (w + 1) * columns) }
          : null,
    };
  };
}

async function unpackSamples(facts: Facts): Promise<Model["sample"]> {
  const s = facts.samples;
  if (!s) return () => ({ label: null, image: null });
  const [index, label, image] = await Promise.all([s.index, s.label, s.image].map((p) => (p ? unpack(p) : null)));
  const rows = new Map<number, number>(Array.from(index!, (sample, row) => [sample, row]));
  const features = image ? image.length / s.count : 0;
  return (sample) => {
    const row = rows.get(sample);
    if (row === undefined) return { label: null, image: null };
    const number = label ? label[row] : null;
    return {
      label: number === null ? null : (facts.dataset.classes?.[number] ?? String(number)),
      image: image ? image.subarray(row * features, (row + 1) * features) : null,
    };
  };
}

export async function unpackModel(facts: Facts): Promise<Model> {
  const fields = await Promise.all(facts.layers.map((_, i) => unpackField(facts, i)));
  const deaths = new Map((facts.autopsy ?? []).map((death) => [death.unit, death]));
  const lives: Lives = fields.map(() => new Map());
  const [, detail, sample] = await Promise.all([enterEvents(facts.events, fields, lives), unpackDetails(facts), unpackSamples(facts)]);
  return {
    facts,
    fields,
    lives,
    life: ({ layer, unit }) => [...(lives[layer].get(unit) ?? [])],
    detail,
    sample,
    death: (unit) => deaths.get(name(unit)) ?? null,
  };
}

// ── continuations: what a run that still trains has recorded since ──────────────────────────────────────────────────

// More censuses than this are thinned to every other one, so that a page left open for days does not grow.
const mostCensuses = 240;

function joined<T extends Numbers>(a: T, b: Numbers): T {
  const both = new (a.constructor as new (n: number) => T)(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Every other of `rows` rows of `units`, the first and the last among them. */
function thinned<T extends Numbers>(values: T, keep: number[], units: number): T {
  const left = new (values.constructor as new (n: number) => T)(keep.length * units);
  keep.forEach((row, i) => left.set(values.subarray(row * units, (row + 1) * units), i * units));
  return left;
}

async function extendField(model: Model, index: number, more: Facts): Promise<void> {
  const field = model.fields[index];
  const fresh = await unpackField(more, index);
  field.codes = joined(field.codes, fresh.codes);
  field.counts = field.counts && fresh.counts && joined(field.counts, fresh.counts);
  field.margins = field.margins && fresh.margins && joined(field.margins, fresh.margins);
  field.active = fresh.active;
  field.margin = fresh.margin;
  field.activation = fresh.activation;
}

function thin(model: Model): void {
  const { map } = model.facts;
  const last = map.step.length - 1;
  if (last < mostCensuses) return;
  const keep = map.step.map((_, i) => i).filter((i) => i === last || i % 2 === 0);
  for (const column of [map.step, map.epoch, map.accuracy] as (number | null)[][]) column.splice(0, column.length, ...keep.map((i) => column[i]));
  for (const field of model.fields) {
    field.codes = thinned(field.codes, keep, field.units);
    field.counts = field.counts && thinned(field.counts, keep, field.units);
    field.margins = field.margins && thinned(field.margins, keep, field.units);
  }
}

function extended(ratio: UpdateRatio, more: UpdateRatio): UpdateRatio {
  if (!ratio) return more;
  ratio.step.push(...(more?.step ?? []));
  ratio.log10.push(...(more?.log10 ?? []));
  return ratio;
}

/** Adds a continuation to the model. */
export async function extendModel(model: Model, more: Facts): Promise<void> {
  const { facts, fields } = model;
  await Promise.all(fields.map((_, i) => extendField(model, i, more)));
  await enterEvents(more.events, fields, model.lives);
  const { state, complete_to, model_step, network, score, ledger, dead, dead_fraction, verdict, steps, autopsy_account } = more;
  Object.assign(facts, { state, complete_to, model_step, network, score, ledger, dead, dead_fraction, verdict, steps, autopsy_account });
  for (const key of Object.keys(facts.epochs) as (keyof Facts["epochs"])[]) (facts.epochs[key] as (number | null)[]).push(...more.epochs[key]);
  facts.layers.forEach((layer, i) => {
    const { dead_by_epoch, update_ratio, active, margin, mean_activation, ...now } = more.layers[i];
    Object.assign(layer, now);
    layer.dead_by_epoch.push(...dead_by_epoch);
    layer.update_ratio = extended(layer.update_ratio, update_ratio);
  });
  facts.output_layer.update_ratio = extended(facts.output_layer.update_ratio, more.output_layer.update_ratio);
  facts.map.step.push(...more.map.step);
  facts.map.epoch.push(...more.map.epoch);
  facts.map.accuracy.push(...more.map.accuracy);
  facts.map.of += more.map.of;
  for (const key of ["count", "kept", "exact"] as const) facts.events[key] = key === "kept" ? facts.events.kept + more.events.kept : more.events[key];
  thin(model);
}
