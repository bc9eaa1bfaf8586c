// The page: reads the facts it carries, and lays out the verdict, the curves, the map and one unit's panel.

import { chartFigure, charts, type Chart, type Drawn } from "./curves";
import { el, say } from "./dom";
import type { Facts, RunsFacts, Way } from "./facts";
import { count, number, percent, plain, plural, short } from "./format";
import { Follower, ago, isLive } from "./live";
import { MapView, mapKey, orders, type Order } from "./map";
import { extendModel, find, name, unpackModel, type Model, type Unit } from "./model";
import { forecastChart, sweepChart } from "./outlook";
import { layOutRuns } from "./runs";
import { refreshFold, tableElement, tableFold, type Cell } from "./table";
import { state, unitPanel } from "./unit";
import { verdictPart } from "./verdict";

/** What must be drawn again when width or colours change, and when a continuation has come. */
const redraws: (() => void)[] = [];
const renewals: (() => void)[] = [];

/** Replaces what `make` made by what it makes now, whenever a continuation has come. */
function renewed<T extends HTMLElement>(make: () => T): T {
  let element = make();
  renewals.push(() => {
    const fresh = make();
    element.replaceWith(fresh);
    element = fresh;
  });
  return element;
}

function chartsSection(id: string, title: string, about: string, make: () => (Chart | null)[]): HTMLElement | null {
  const drawn: (Drawn | null)[] = make().map((chart) => chart && chartFigure(chart));
  if (!drawn.some((d) => d)) return null;
  const box = el("div", { class: "charts" }, ...drawn.map((d) => d && d.figure));
  redraws.push(() => drawn.forEach((d) => d?.draw()));
  renewals.push(() =>
    make().forEach((chart, i) => {
      const old = drawn[i];
      if (old && chart && old.update(chart)) return;
      const fresh = chart && chartFigure(chart);
      const after = drawn.slice(i + 1).find((d) => d)?.figure ?? null;
      old?.figure.remove();
      if (fresh) box.insertBefore(fresh.figure, after);
      drawn[i] = fresh;
      fresh?.draw();
    }),
  );
  return el("section", { "aria-labelledby": id }, el("h2", { id }, title), el("p", {}, about), box);
}

/** The unit to begin with: the first that was killed, else the one closest to death. */
function telling(model: Model): Unit {
  let best: Unit = { layer: 0, unit: 0 };
  let key = Infinity;
  model.fields.forEach((field, layer) => {
    for (let unit = 0; unit < field.units; unit++) {
      const died = field.died[unit];
      const k = died > 0 && died < Infinity ? died : 1e18 + field.active[unit];
      if (k < key) [best, key] = [{ layer, unit }, k];
    }
  });
  return best;
}

function unitsTable(model: Model) {
  const samples = model.facts.dataset.samples;
  const rows = () =>
    model.fields.flatMap((field, layer) =>
      Array.from({ length: field.units }, (_, unit): Cell[] => [
        name({ layer, unit }),
        state(model, { layer, unit }),
        field.active[unit],
        field.active[unit] / samples,
        field.margin[unit],
        field.activation[unit],
        field.died[unit] < Number.MAX_SAFE_INTEGER ? field.died[unit] : null,
      ]),
    );
  return tableFold({
    name: "units",
    columns: ["unit", "state", "samples it fires on", "firing rate", "margin", "mean activation", "dead since step"],
    rows,
  });
}

/** Slider, play, sort and search above the map. */
function controls(model: Model, view: MapView): HTMLElement {
  const { step, epoch, accuracy } = model.facts.map;
  const { epochs } = model.facts;
  let last = step.length - 1;
  let shownStep: number | undefined;
  const slider = el("input", { type: "range", min: "0", max: String(last), step: "1", value: String(last), id: "epoch" });
  const where = el("output", { for: "epoch" });
  const play = el("button", { type: "button" }, "Play");
  const show = (position: number) => {
    view.position = position;
    shownStep = step[position];
    slider.value = String(position);
    const row = epochs.step.indexOf(step[position]);
    const tested = row < 0 ? null : epochs.test_accuracy[row];
    const score = tested ?? accuracy[position];
    const when = row < 0 ? `step ${count(step[position])}` : `epoch ${count(epoch[position])} of ${count(epoch[last])}`;
    slider.setAttribute("aria-valuetext", when);
    where.textContent = score == null ? when : `${when} · ${tested == null ? "train" : "test"} accuracy ${percent(score)}`;
    view.draw();
  };
  slider.addEventListener("input", () => show(Number(slider.value)));

  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  };
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (view.position === last) show(0);
    play.textContent = "Pause";
    timer = window.setInterval(() => (view.position === last ? stop() : show(view.position + 1)), 220);
  });

  const sort = el("select", { id: "sort" }, ...orders.map(([value, label]) => el("option", { value }, label)));
  sort.addEventListener("change", () => {
    view.order(sort.value as Order);
    view.draw();
  });

  const search = el("input", { type: "search", id: "find", placeholder: "h1.37", autocomplete: "off", spellcheck: "false" });
  const form = el("form", { role: "search" }, el("label", { for: "find" }, "Unit", search), el("button", {}, "Find"));
  const trouble = el("p", { class: "quiet", role: "alert" });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const unit = find(model.facts, search.value);
    trouble.textContent = unit ? "" : `This network has no unit ${short(search.value, 24)}. Units are named like h1.37.`;
    if (unit) view.choose(unit, true);
  });

  const time = el("div", { class: "time" }, play, el("label", { for: "epoch", class: "spoken" }, "Epoch"), slider, where);
  const bar = el("div", { class: "controls" }, last > 0 || isLive() ? time : null, el("label", { for: "sort" }, "Sort by", sort), form);
  show(last);
  const thinned = el("p", { class: "quiet" });
  const sayThinned = () => {
    const { of } = model.facts.map;
    thinned.textContent = step.length < of ? `The map shows ${step.length} of the ${of} censuses held; deaths are counted at all of them.` : "";
  };
  sayThinned();
  // Who looks at the newest census goes on looking at the newest; who looks back stays where he is.
  let at = step[last];
  renewals.push(() => {
    const newest = at === undefined || view.position >= last;
    at = newest ? step[step.length - 1] : (shownStep ?? step[view.position]);
    last = step.length - 1;
    slider.max = String(last);
    const position = newest ? last : Math.max(0, step.findIndex((s) => s >= at));
    view.renew();
    show(position);
    sayThinned();
  });
  return el("div", {}, bar, trouble, thinned);
}

function mapSection(model: Model): HTMLElement {
  const panel = el("aside", { class: "panel", "aria-label": "One unit", tabindex: "0" });
  const view = new MapView(model, (unit) => show(unit));
  const show = (unit: Unit) => {
    const open = [...panel.querySelectorAll("details")].map((d) => d.open);
    panel.replaceChildren(
      unitPanel(model, unit, () => {
        const next = view.nextDead();
        if (next) view.choose(next, true);
      }),
    );
    if (open.some(Boolean)) panel.scrollTop = 0;
  };
  let key = mapKey();
  const table = unitsTable(model);
  const left = el("div", {}, controls(model, view), key, view.element, table);
  renewals.push(() => {
    refreshFold(table);
    const busy = panel.contains(document.activeElement) || [...panel.querySelectorAll("details")].some((d) => d.open);
    if (view.chosen && !busy) {
      const scrolled = panel.scrollTop;
      show(view.chosen);
      panel.scrollTop = scrolled;
    }
  });
  redraws.push(() => {
    const fresh = mapKey();
    key.replaceWith(fresh);
    key = fresh;
    view.measure();
    if (view.chosen) show(view.chosen);
  });
  view.choose(telling(model));
  const { samples, split } = model.facts.dataset;
  return el(
    "section",
    { "aria-labelledby": "map-title", id: "map" },
    el("h2", { id: "map-title" }, "Every unit"),
    el("p", {}, `One cell is one hidden unit, coloured by how many of the ${count(samples)} ${plain(split)} samples it fires on. Choose one to see its life.`),
    el("div", { class: "ground" }, left, panel),
  );
}

function layersSection(facts: Facts): HTMLElement {
  const table = renewed(() => tableElement({
    name: "layers",
    columns: ["layer", "units", "dead", "nearly dead", "always on", "mute", "mean firing rate", "born dead", "deaths", "revivals"],
    rows: () =>
      facts.layers.map((l): Cell[] => [l.layer, l.units, l.dead, l.nearly_dead, l.always_on, l.mute, l.mean_firing_rate, l.born_dead, l.deaths, l.revivals]),
  }));
  return el("section", { "aria-labelledby": "layers-title" }, el("h2", { id: "layers-title" }, "Layers"), table);
}

const wayWords = (way: Way) => `${way.kind === "born dead" ? "born dead: " : ""}${way.causes.map(plain).join(way.overdetermined ? " or " : " and ")}`;

/** What the dead died of, or why that is not known. */
function deathsSection(facts: Facts): HTMLElement {
  const { left_out, causes, deaths, kept } = facts.autopsy_account;
  if (!left_out && causes.length === 0) return el("div", { hidden: "" });
  const head = el("h2", { id: "deaths-title" }, "Why they died");
  if (left_out) return el("section", { "aria-labelledby": "deaths-title" }, head, el("p", {}, `There is no autopsy here: ${plain(left_out)}.`));
  const table = tableElement({
    name: "causes of death",
    columns: ["layer", "necessary to kill", "deaths", "first step", "last step", "never return", "will return", "open"],
    rows: () => causes.map((way): Cell[] => [way.layer, wayWords(way), way.deaths, way.first_step, way.last_step, way.never, way.returns, way.open]),
  });
  const all = kept < deaths ? `${count(kept)} of the ${count(deaths)} are told one by one below, beside their units.` : "Each is told beside its unit below.";
  return el("section", { "aria-labelledby": "deaths-title" }, head, el("p", {}, `The run was repeated up to each death, and each part of the deadly update left out in turn: what could not be left out was necessary. ${all}`), table);
}

// What a reader asks first; the table below has every setting.
const firstSettings = ["optimizer", "learning_rate", "schedule", "warmup", "momentum", "weight_decay", "clip_norm", "batch_size", "epochs", "init", "loss", "seed"];

function settingsSection(facts: Facts): HTMLElement {
  const { dataset, network, settings } = facts;
  const chosen = firstSettings.filter((key) => settings[key] && settings[key] !== "0" && (key !== "momentum" || /momentum|nesterov/.test(settings.optimizer)));
  const all: [string, string][] = [
    ["data", `${short(dataset.name)}, ${plural(dataset.samples, "sample")}`],
    ["network", `${network.widths.join(" – ")}, ${plural(network.parameters, "parameter")}`],
    ...chosen.map((key): [string, string] => [key.replaceAll("_", " "), short(settings[key], 60)]),
  ];
  const table = tableFold({
    name: "settings",
    columns: ["setting", "value"],
    rows: () => Object.entries(settings).map(([key, value]): Cell[] => [key, value]),
  });
  return el(
    "section",
    { "aria-labelledby": "settings-title" },
    el("h2", { id: "settings-title" }, "How it was trained"),
    el("dl", { class: "settings" }, ...all.map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, el("bdi", {}, value))))),
    table,
  );
}

const meanings: [string, string][] = [
  ["dead", "No sample of the whole split opens its gate: its pre-activation is 0 or below on every one. Counted exactly, at fixed weights."],
  ["nearly dead", "It fires, but on fewer than 1 % of the samples."],
  ["always on", "It fires on every sample, so on these data it is linear."],
  ["margin", "The highest pre-activation over the split. Below 0 it says how far a dead unit is from life."],
  ["born dead, killed, revived", "Dead at the first weights; alive before an update and dead after it; the reverse."],
];

function wordsSection(): HTMLElement {
  const pairs = meanings.flatMap(([word, meaning]) => [el("dt", {}, word), el("dd", {}, meaning)]);
  return el("section", { "aria-labelledby": "words-title" }, el("h2", { id: "words-title" }, "The words"), el("dl", { class: "words-list" }, ...pairs));
}

/** How old what a live page shows is; null where the server has not been heard lately. */
let age: number | null = null;
let sayAge: (() => void) | null = null;

function masthead(facts: Facts): HTMLElement {
  const standing = el("span", { class: "live" });
  const dot = el("span", { class: "dot", "aria-hidden": "true" });
  const text = el("span");
  const running = () => isLive() && facts.state === "unfinished";
  const write = () => {
    const { step, epoch } = facts.complete_to;
    const when = !running() ? (facts.state === "finished" ? "" : ` · ${facts.state}`) : age === null ? " · no word from the server" : `, ${ago(age)}`;
    text.textContent = `complete to step ${count(step)}${running() ? "" : `, epoch ${number(epoch)}`}${when}`;
    dot.hidden = !running();
    dot.className = `dot${age === null || age > 60 ? " still" : ""}`;
  };
  standing.append(dot, text);
  sayAge = write;
  renewals.push(write);
  write();
  const back = /^\/run\//.test(location.pathname) && isLive() ? el("a", { href: "/" }, "All runs") : null;
  return el("header", { class: "masthead" }, el("span", { class: "mark" }, "relume", back), el("span", { class: "quiet" }, el("bdi", {}, short(facts.run, 80)), " · ", standing));
}

const closing = () => (isLive() ? "Served by relume serve; nothing leaves this server." : "This file holds everything it shows and asks nothing of the network.");

export async function layOut(page: HTMLElement, facts: Facts): Promise<Model> {
  const model = await unpackModel(facts);
  document.title = `relume: ${short(facts.run, 60)}`;
  redraws.length = renewals.length = 0;
  page.replaceChildren(
    ...[
      masthead(facts),
      renewed(() => verdictPart(facts)),
      layersSection(facts),
      renewed(() => deathsSection(facts)),
      chartsSection("curves-title", "The course of training", "Read a value with the pointer or with the arrow keys.", () => charts(facts)),
      mapSection(model),
      chartsSection("outlook-title", "Other learning rates", facts.sweep ? plain(facts.sweep.says) : "What a forecast of the same network expected.", () => [sweepChart(facts), forecastChart(facts)]),
      settingsSection(facts),
      wordsSection(),
      el("footer", { class: "quiet" }, `relume ${plain(facts.relume)}. ${closing()}`),
    ].filter((part): part is HTMLElement => part !== null),
  );
  redraws.forEach((redraw) => redraw());
  return model;
}

/** Keeps the page at what the run has come to. */
function followRun(page: HTMLElement, first: Model): void {
  let model = first;
  new Follower("more", () => model.facts.complete_to.step, {
    more: async (data) => {
      const more = data as Facts;
      if (more.since !== model.facts.complete_to.step) throw new Error("a continuation of something else");
      await extendModel(model, more);
      renewals.forEach((renew) => renew());
      document.documentElement.dataset.step = String(model.facts.complete_to.step);
    },
    whole: async (facts) => {
      model = await layOut(page, facts);
      document.documentElement.dataset.step = String(facts.complete_to.step);
    },
    age: (seconds) => {
      age = seconds;
      sayAge?.();
    },
  });
}

function redrawLater(): () => void {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => redraws.forEach((redraw) => redraw()), 120);
  };
}

async function start(): Promise<void> {
  const page = document.getElementById("page")!;
  try {
    const facts = JSON.parse(document.getElementById("facts")!.textContent!) as Facts | RunsFacts;
    if (facts.schema === "relume.runs/1") layOutRuns(page, facts as RunsFacts, redraws);
    else {
      const model = await layOut(page, facts as Facts);
      if (isLive() && model.facts.state === "unfinished") followRun(page, model);
    }
    let width = page.clientWidth;
    const again = redrawLater();
    new ResizeObserver(() => {
      if (page.clientWidth === width) return;
      width = page.clientWidth;
      again();
    }).observe(page);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    document.documentElement.dataset.ready = "yes";
  } catch (error) {
    page.replaceChildren(el("h1", {}, "This report cannot be shown"), el("p", {}, `Its facts are damaged: ${plain(String(error))}`));
    document.documentElement.dataset.ready = "no";
    say("This report cannot be shown.");
  }
}

void start();
