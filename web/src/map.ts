// The map: each layer a field of cells, one a unit, painted straight into pixels so that 100,000 of them follow a slider.
//
// A living unit's colour is its firing rate. A dead one is a cross on a pale ground in cells of 6 pixels and more, and a hatch
// below that; one that has died since the epoch before is the same in reverse. An always-on unit carries a dot.

import { colour, el, say } from "./dom";
import { count, percent, plural } from "./format";
import { name, rateOf, type Field, type Model, type Unit } from "./model";

export type Order = "row" | "death" | "rate" | "margin";

const orderWords: Record<Order, string> = {
  row: "row in the layer",
  death: "step of death",
  rate: "firing rate at the end",
  margin: "margin at the end",
};
export const orders = Object.entries(orderWords) as [Order, string][];

/** Units of a layer in the order they are drawn. */
export function ordered(field: Field, order: Order): Uint32Array {
  const units = Uint32Array.from({ length: field.units }, (_, i) => i);
  const key = { row: null, death: field.died, rate: field.active, margin: field.margin }[order];
  if (!key) return units;
  return units.sort((a, b) => (key[a] === key[b] ? a - b : key[a] < key[b] ? -1 : 1));
}

interface Palette {
  alive: Uint32Array;
  ink: number;
  ground: number;
  paper: number;
  dot: number;
}

type Rgb = [number, number, number];

function rgb(text: string): Rgb {
  const n = parseInt(text.slice(1), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}

// Little-endian RGBA, as an ImageData seen through a Uint32Array.
const pixel = ([r, g, b]: Rgb) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

export function mix(from: Rgb, to: Rgb, t: number): Rgb {
  return from.map((f, i) => Math.round(f + (to[i] - f) * t)) as Rgb;
}

function palette(): Palette {
  const [low, high] = [rgb(colour("life-low")), rgb(colour("life-high"))];
  const alive = new Uint32Array(256);
  // The square root keeps rarely firing units apart; the key beside the map is drawn with the same ramp.
  for (let c = 0; c < 256; c++) alive[c] = pixel(mix(low, high, Math.sqrt(rateOf(c))));
  return {
    alive,
    ink: pixel(rgb(colour("accent"))),
    ground: pixel(rgb(colour("accent-wash"))),
    paper: pixel(rgb(colour("paper"))),
    dot: pixel(rgb(colour("paper"))),
  };
}

/** Which pixels of a cell of s × s are ink when its unit is dead: a cross, or a hatch where a cross would not be seen. */
function deathMark(s: number): boolean[] {
  const mark = new Array<boolean>(s * s);
  const thick = s >= 24 ? 1.5 : s >= 12 ? 1 : 0.5;
  const inset = s >= 12 ? Math.round(s / 5) : s >= 6 ? 1 : 0;
  for (let y = 0; y < s; y++)
    for (let x = 0; x < s; x++) {
      const within = x >= inset && y >= inset && x < s - inset && y < s - inset;
      const cross = Math.abs(x - y) <= thick || Math.abs(x + y - (s - 1)) <= thick;
      mark[y * s + x] = s < 6 ? (x + y) % 2 === 0 : within && cross;
    }
  return mark;
}

/** A cell's geometry in device pixels. */
interface Grid {
  columns: number;
  rows: number;
  size: number;
  gap: number;
}

function gridFor(units: number, width: number, ratio: number): Grid {
  const room = width * ratio;
  const tall = (units > 20_000 ? 640 : 300) * ratio;
  const ideal = Math.floor(Math.sqrt((room * tall) / units));
  const size = Math.max(2, Math.min(Math.round((units <= 200 ? 22 : 16) * ratio), ideal));
  const columns = Math.max(1, Math.floor(room / size));
  return { columns, rows: Math.ceil(units / columns), size, gap: size >= 12 ? 2 : size >= 5 ? 1 : 0 };
}

/** One layer's drawing; it knows cells and pixels, not what is chosen or when. */
class FieldView {
  readonly element: HTMLElement;
  private readonly canvas = el("canvas", { tabindex: "0" });
  private readonly marks = el("canvas", { "aria-hidden": "true" });
  private readonly summary = el("p", { class: "quiet" });
  private readonly box = el("div", { class: "canvases" });
  private grid: Grid = { columns: 1, rows: 1, size: 2, gap: 0 };
  private place = new Uint32Array(0);
  private units: Uint32Array;
  private image: ImageData | null = null;
  private colours: Palette | null = null;
  private mark: boolean[] = [];

  constructor(
    private readonly model: Model,
    private readonly layer: number,
    private readonly choose: (unit: Unit, focus: boolean) => void,
  ) {
    const field = this.field;
    this.units = ordered(field, "row");
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "field of units");
    this.box.append(this.canvas, this.marks);
    this.element = el("div", { class: "field" }, el("header", {}, el("h3", {}, field.facts.layer), this.summary), this.box);
    this.canvas.addEventListener("click", (event) => {
      const at = this.at(event.offsetX, event.offsetY);
      if (at !== null) this.choose({ layer, unit: at }, false);
    });
    this.canvas.addEventListener("mousemove", (event) => {
      const at = this.at(event.offsetX, event.offsetY);
      this.canvas.title = at === null ? "" : name({ layer, unit: at });
    });
  }

  get field(): Field {
    return this.model.fields[this.layer];
  }

  onKey(listener: (event: KeyboardEvent) => void): void {
    this.canvas.addEventListener("keydown", listener);
  }

  focus(): void {
    this.canvas.focus({ preventScroll: true });
  }

  reveal(): void {
    this.element.scrollIntoView({ block: "nearest" });
  }

  order(order: Order): void {
    this.units = ordered(this.field, order);
    this.place = new Uint32Array(this.units.length);
    this.units.forEach((unit, i) => (this.place[unit] = i));
  }

  /** The unit a key moves to from `unit`, or null for other keys. */
  moved(unit: number, key: string): number | null {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.grid.columns, ArrowDown: this.grid.columns };
    const last = this.units.length - 1;
    if (key === "Home") return this.units[0];
    if (key === "End") return this.units[last];
    if (!(key in steps)) return null;
    const to = this.place[unit] + steps[key];
    return to < 0 || to > last ? unit : this.units[to];
  }

  /** Takes width, scale and colours as they are now. */
  measure(): void {
    const ratio = devicePixelRatio || 1;
    const g = (this.grid = gridFor(this.field.units, this.box.clientWidth || 320, ratio));
    const [width, height] = [g.columns * g.size, g.rows * g.size];
    for (const canvas of [this.canvas, this.marks]) {
      canvas.width = width;
      canvas.height = height;
      canvas.style.width = `${width / ratio}px`;
      canvas.style.height = `${height / ratio}px`;
    }
    this.box.style.height = `${height / ratio}px`;
    this.image = new ImageData(width, height);
    this.colours = palette();
    this.mark = deathMark(g.size - g.gap);
  }

  draw(position: number, epoch: string): void {
    const { image, colours: c, grid: g, units } = this;
    if (!image || !c) return;
    const pixels = new Uint32Array(image.data.buffer);
    const codes = this.field.codes.subarray(position * units.length, (position + 1) * units.length);
    const before = position > 0 ? this.field.codes.subarray((position - 1) * units.length, position * units.length) : codes;
    const side = g.size - g.gap;
    const middle = Math.floor(side / 2);
    const dot = side >= 6 ? Math.max(1, Math.round(side / 8)) : 0;
    pixels.fill(c.paper);
    let dead = 0;
    for (let i = 0; i < units.length; i++) {
      const code = codes[units[i]];
      const corner = Math.floor(i / g.columns) * g.size * image.width + (i % g.columns) * g.size;
      const isDead = code === 0;
      const fresh = isDead && before[units[i]] !== 0;
      if (isDead) dead++;
      const [over, under] = fresh ? [c.ground, c.ink] : [c.ink, c.ground];
      const fill = c.alive[code];
      for (let y = 0; y < side; y++) {
        const line = corner + y * image.width;
        for (let x = 0; x < side; x++) pixels[line + x] = isDead ? (this.mark[y * side + x] ? over : under) : fill;
      }
      if (code === 255 && dot)
        for (let y = middle - dot; y < middle + dot; y++) pixels.fill(c.dot, corner + y * image.width + middle - dot, corner + y * image.width + middle + dot);
    }
    this.canvas.getContext("2d")!.putImageData(image, 0, 0);
    this.summary.textContent = `${plural(units.length, "unit")} · ${count(dead)} dead (${percent(dead / units.length)})`;
    this.canvas.setAttribute("aria-label", `Layer ${this.field.facts.layer}, ${epoch}: ${count(dead)} of ${plural(units.length, "unit")} dead. Arrow keys move from unit to unit, D to the next dead one.`);
  }

  /** Rings the chosen unit, or nothing. */
  ring(unit: number | null): void {
    const context = this.marks.getContext("2d")!;
    context.clearRect(0, 0, this.marks.width, this.marks.height);
    if (unit === null) return;
    const { columns, size, gap } = this.grid;
    const i = this.place[unit];
    const x = (i % columns) * size;
    const y = Math.floor(i / columns) * size;
    const reach = Math.max(size - gap, 6 * devicePixelRatio) / 2 + devicePixelRatio;
    const middle = (size - gap) / 2;
    context.lineWidth = 2 * devicePixelRatio;
    context.strokeStyle = colour("ink");
    const within = (at: number, room: number) => Math.min(Math.max(at + middle - reach, 1), Math.max(1, room - 2 * reach - 1));
    context.strokeRect(within(x, this.marks.width), within(y, this.marks.height), 2 * reach, 2 * reach);
  }

  nextDead(from: number, position: number): number | null {
    const { units } = this;
    const start = this.place[from];
    for (let k = 1; k <= units.length; k++) {
      const unit = units[(start + k) % units.length];
      if (this.field.codes[position * units.length + unit] === 0) return unit;
    }
    return null;
  }

  private at(x: number, y: number): number | null {
    const ratio = devicePixelRatio || 1;
    const column = Math.floor((x * ratio) / this.grid.size);
    const row = Math.floor((y * ratio) / this.grid.size);
    const i = row * this.grid.columns + column;
    return column < 0 || column >= this.grid.columns || i < 0 || i >= this.units.length ? null : this.units[i];
  }
}

/** All layers of a run under one slider. */
export class MapView {
  readonly element = el("div");
  position: number;
  chosen: Unit | null = null;
  private readonly views: FieldView[];
  private sorting: Order = "row";

  constructor(
    private readonly model: Model,
    private readonly onChoose: (unit: Unit) => void,
  ) {
    this.position = Math.max(0, model.facts.map.step.length - 1);
    this.views = model.fields.map((_, layer) => new FieldView(model, layer, (unit) => this.choose(unit)));
    this.views.forEach((view, layer) => {
      view.onKey((event) => this.key(event, layer));
      this.element.append(view.element);
    });
    this.order("row");
  }

  order(order: Order): void {
    this.sorting = order;
    this.views.forEach((view) => view.order(order));
  }

  /** Takes what a continuation added, and sorts by it. */
  renew(): void {
    if (this.sorting !== "row") this.order(this.sorting);
    this.draw();
  }

  measure(): void {
    this.views.forEach((view) => view.measure());
    this.draw();
  }

  draw(): void {
    const epoch = `step ${this.model.facts.map.step[this.position] ?? 0}`;
    this.views.forEach((view) => view.draw(this.position, epoch));
    this.ring();
  }

  choose(unit: Unit, reveal = false): void {
    this.chosen = unit;
    this.ring();
    if (reveal) this.views[unit.layer].reveal();
    this.onChoose(unit);
  }

  /** The dead unit after the chosen one, through all layers. */
  nextDead(): Unit | null {
    const from = this.chosen ?? { layer: 0, unit: 0 };
    const own = this.views[from.layer].nextDead(from.unit, this.position);
    return own === null ? null : { layer: from.layer, unit: own };
  }

  private ring(): void {
    this.views.forEach((view, layer) => view.ring(this.chosen?.layer === layer ? this.chosen.unit : null));
  }

  private key(event: KeyboardEvent, layer: number): void {
    const unit = this.chosen?.layer === layer ? this.chosen.unit : 0;
    const view = this.views[layer];
    const to = event.key.toLowerCase() === "d" ? view.nextDead(unit, this.position) : view.moved(unit, event.key);
    if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.choose({ layer, unit: to });
    const code = view.field.codes[this.position * view.field.units + to];
    say(`${name({ layer, unit: to })}, ${code === 0 ? "dead" : `fires on ${percent(rateOf(code))}`}`);
  }
}

/** The ramp of firing rates and the marks, as a legend. */
export function mapKey(): HTMLElement {
  const c = palette();
  const cell = (paint: (pixels: Uint32Array, s: number) => void, width = 16): HTMLCanvasElement => {
    const canvas = el("canvas", { width: String(width), height: "16", "aria-hidden": "true" });
    const image = new ImageData(width, 16);
    paint(new Uint32Array(image.data.buffer), 16);
    canvas.getContext("2d")!.putImageData(image, 0, 0);
    return canvas;
  };
  const dead = (over: number, under: number) =>
    cell((p, s) => deathMark(s).forEach((ink, i) => (p[i] = ink ? over : under)));
  const ramp = cell((p) => {
    for (let i = 0; i < p.length; i++) p[i] = c.alive[1 + Math.round(((i % 96) / 95) * 253)];
  }, 96);
  const on = cell((p, s) => p.forEach((_, i) => (p[i] = Math.abs((i % s) - 7.5) < 2 && Math.abs(Math.floor(i / s) - 7.5) < 2 ? c.dot : c.alive[255])));
  return el(
    "ul",
    { class: "key" },
    el("li", {}, ramp, "fires on few … all samples"),
    el("li", {}, on, "always on"),
    el("li", {}, dead(c.ink, c.ground), "dead"),
    el("li", {}, dead(c.ground, c.ink), "died since the epoch shown before"),
  );
}
