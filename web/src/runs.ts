// A folder of runs side by side: a table to sort, and the chosen runs' curves over one another.

import { chartFigure, look, type Chart, type Drawn } from "./curves";
import { el } from "./dom";
import type { Listed, RunsFacts, Summary } from "./facts";
import { count, number, percent, plain, plural, short } from "./format";
import { Follower, isLive } from "./live";
import { tableFold, type Cell } from "./table";

type Value = number | string | null;

const last = (values: (number | null)[]): number | null => values[values.length - 1] ?? null;
const baseName = (path: string) => path.replace(/\/+$/, "").split("/").pop() || path;

const score = (run: Summary) => last(run.epochs.test_accuracy) ?? last(run.epochs.train_accuracy);
const loss = (run: Summary) => last(run.epochs.test_loss) ?? last(run.epochs.train_loss);
const deadShare = (run: Summary) => {
  const dead = last(run.epochs.dead);
  return dead === null || run.hidden_units === 0 ? null : dead / run.hidden_units;
};
const setting = (key: string) => (run: Summary) => run.settings[key] ?? null;
const numeric = (key: string) => (run: Summary) => (run.settings[key] == null ? null : Number(run.settings[key]));

interface Column {
  label: string;
  value: (run: Summary) => Value;
  show?: (value: number | null) => string;
}

const columns: Column[] = [
  { label: "run", value: (run) => baseName(run.run) },
  { label: "state", value: (run) => run.state },
  { label: "dead units", value: deadShare, show: percent },
  { label: "accuracy", value: score, show: percent },
  { label: "loss", value: loss, show: number },
  { label: "epochs", value: (run) => run.epoch, show: count },
  { label: "steps", value: (run) => run.step, show: count },
  { label: "optimizer", value: setting("optimizer") },
  { label: "learning rate", value: numeric("learning_rate"), show: number },
  { label: "batch", value: numeric("batch_size"), show: count },
  { label: "hidden", value: setting("hidden") },
  { label: "init", value: setting("init") },
  { label: "data", value: setting("data") },
  { label: "seed", value: numeric("seed"), show: count },
];

function compare(a: Value, b: Value): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}

/** One value an epoch of several runs, over the epochs that any of them has. */
function overlay(title: string, runs: Listed[], show: Chart["show"], values: (run: Summary) => (number | null)[]): Chart {
  const epochs = [...new Set(runs.flatMap(({ run }) => run.epochs.epoch))].sort((a, b) => a - b);
  return {
    title,
    x: { label: "epoch", values: epochs },
    show,
    range: [0, null],
    lines: runs.map(({ run }, i) => {
      const own = values(run);
      const at = new Map(run.epochs.epoch.map((epoch, row) => [epoch, own[row]]));
      return { label: short(baseName(run.run), 24), values: epochs.map((epoch) => at.get(epoch) ?? null), ...look(i) };
    }),
  };
}

const mostDrawn = 8;

class RunsPage {
  private readonly drawn = new Set<number>();
  private sorted = 0;
  private down = false;
  private figures: Drawn[] = [];
  private readonly charts = el("div", { class: "charts" });
  private readonly body = el("tbody");
  private readonly heads: HTMLElement[] = [];
  private readonly title = el("h1");
  private readonly fold: HTMLElement;

  constructor(
    private readonly page: HTMLElement,
    private readonly facts: RunsFacts,
  ) {
    facts.runs.slice(0, 6).forEach((listed) => this.drawn.add(listed.index));
    this.fold = tableFold({ name: "runs", columns: columns.map((c) => c.label), rows: () => this.order().map(({ run }) => columns.map((c): Cell => c.value(run))) });
    this.build();
  }

  draw(): void {
    this.figures.forEach((figure) => figure.draw());
  }

  put(listed: Listed): void {
    const at = this.facts.runs.findIndex((r) => r.index === listed.index);
    if (at < 0) this.facts.runs.push(listed);
    else this.facts.runs[at] = listed;
    this.facts.mark++;
    this.fill();
  }

  private order(): Listed[] {
    const { value } = columns[this.sorted];
    return [...this.facts.runs].sort((a, b) => (this.down ? -1 : 1) * compare(value(a.run), value(b.run)) || a.index - b.index);
  }

  private build(): void {
    const heads = columns.map((column, i) => {
      const button = el("button", { type: "button" }, column.label);
      button.addEventListener("click", () => {
        this.down = this.sorted === i && !this.down;
        this.sorted = i;
        this.fill();
      });
      const head = el("th", { scope: "col", class: column.show ? "number" : "text" }, button);
      this.heads.push(head);
      return head;
    });
    const table = el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "draw"), ...heads)), this.body);
    this.page.replaceChildren(
      el("header", { class: "masthead" }, el("span", { class: "mark" }, "relume"), el("span", { class: "quiet" }, isLive() ? "live" : "")),
      el("div", { class: "verdict whole" }, this.title),
      el("section", { "aria-label": "Runs" }, el("div", { class: "scroll runs", tabindex: "0", role: "region", "aria-label": "all runs, table" }, table), el("div", { class: "after" }, this.fold)),
      el("section", { "aria-labelledby": "curves-title" }, el("h2", { id: "curves-title" }, "Side by side"), el("p", {}, `The runs chosen above, ${mostDrawn} at most.`), this.charts),
      el("footer", { class: "quiet" }, `relume ${plain(this.facts.relume)}. Served by relume serve; nothing leaves this server.`),
    );
    this.fill();
  }

  private row(listed: Listed): HTMLElement {
    const { run, index } = listed;
    const title = plain(baseName(run.run));
    const box = el("input", { type: "checkbox", "aria-label": `draw ${title}` });
    box.checked = this.drawn.has(index);
    box.addEventListener("change", () => {
      if (box.checked && this.drawn.size >= mostDrawn) box.checked = false;
      else if (box.checked) this.drawn.add(index);
      else this.drawn.delete(index);
      this.plot();
    });
    const cells = columns.map((column, i) => {
      const value = column.value(run);
      if (i === 0) return el("td", {}, el("a", { href: `run/${index}/` }, el("bdi", {}, title)));
      if (typeof value === "number") return el("td", { class: "number" }, el("data", { value: String(value) }, column.show!(value)));
      return el("td", {}, value === null ? "–" : short(String(value), 40));
    });
    return el("tr", {}, el("td", {}, box), ...cells);
  }

  private fill(): void {
    const focused = document.activeElement?.getAttribute("aria-label");
    const unfinished = this.facts.runs.filter(({ run }) => run.state === "unfinished").length;
    this.title.textContent = `${plural(this.facts.runs.length, "run")}${unfinished ? `, ${count(unfinished)} unfinished` : ""}`;
    document.title = `relume: ${plural(this.facts.runs.length, "run")}`;
    this.heads.forEach((head, i) => head.setAttribute("aria-sort", i !== this.sorted ? "none" : this.down ? "descending" : "ascending"));
    this.body.replaceChildren(...this.order().map((listed) => this.row(listed)));
    if (focused?.startsWith("draw ")) this.body.querySelector<HTMLElement>(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
    this.plot();
  }

  private plot(): void {
    const runs = this.facts.runs.filter(({ index }) => this.drawn.has(index));
    const charts = [
      overlay("Dead share", runs, percent, (run) => run.epochs.dead.map((dead) => (dead === null ? null : dead / run.hidden_units))),
      overlay("Accuracy", runs, percent, (run) => run.epochs.test_accuracy.map((a, i) => a ?? run.epochs.train_accuracy[i])),
      overlay("Loss", runs, number, (run) => run.epochs.test_loss.map((l, i) => l ?? run.epochs.train_loss[i])),
    ];
    if (this.figures.length === charts.length && this.figures.every((figure, i) => figure.update(charts[i]))) return;
    this.figures = charts.map(chartFigure).filter((figure): figure is Drawn => figure !== null);
    this.charts.replaceChildren(...this.figures.map((figure) => figure.figure));
    this.draw();
  }
}

export function layOutRuns(page: HTMLElement, facts: RunsFacts, redraws: (() => void)[]): void {
  const view = new RunsPage(page, facts);
  redraws.push(() => view.draw());
  if (!isLive()) return;
  new Follower("run", () => facts.mark, {
    more: async (data) => view.put(data as Listed),
    whole: async () => location.reload(),
    age: () => undefined,
  });
}
