// The table behind a chart: made when it is opened, with every value exact, and a CSV file of all of it.

import { el } from "./dom";
import { number, plain } from "./format";

export type Cell = number | string | null;

export interface Table {
  name: string;
  columns: string[];
  rows: () => Cell[][];
}

// More rows than this are no reading matter and would make the browser crawl; the CSV has all of them.
const shown = 500;

function csv(table: Table): string {
  const field = (value: Cell) => {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    // A leading = + - @ is a formula to a spreadsheet.
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [table.columns, ...table.rows()].map((row) => row.map(field).join(",") + "\r\n").join("");
}

function download(table: Table): void {
  const url = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv" }));
  el("a", { href: url, download: `${table.name.replace(/[^A-Za-z0-9.-]+/g, "-")}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function cell(value: Cell): HTMLElement {
  if (typeof value === "number")
    return el("td", { class: "number" }, el("data", { value: String(value) }, number(value)));
  return el("td", {}, value === null ? "–" : plain(value));
}

export function tableElement(table: Table): HTMLElement {
  const rows = table.rows();
  const numeric = (column: number) => rows.some((row) => typeof row[column] === "number");
  const head = el("tr", {}, ...table.columns.map((name, i) => el("th", { scope: "col", class: numeric(i) ? "number" : "text" }, plain(name))));
  const body = rows.slice(0, shown).map((row) => el("tr", {}, ...row.map(cell)));
  const scroll = el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `${table.name}, table` },
    el("table", {}, el("thead", {}, head), el("tbody", {}, ...body)),
  );
  const rest = rows.length > shown ? `The first ${shown} of ${rows.length} rows. ` : "";
  const button = el("button", { type: "button" }, "Download CSV");
  button.addEventListener("click", () => download(table));
  return el("div", { class: "table" }, scroll, el("p", { class: "quiet" }, rest, button));
}

/** A fold that opens into the table. */
export function tableFold(table: Table): HTMLDetailsElement {
  const fold = el("details", { class: "fold" }, el("summary", {}, "Table", el("span", { class: "spoken" }, ` of ${table.name}`)));
  const fill = () => {
    if (!fold.open) return;
    const scrolled = fold.querySelector(".scroll")?.scrollTop ?? 0;
    fold.querySelector(".table")?.remove();
    fold.append(tableElement(table));
    fold.querySelector(".scroll")!.scrollTop = scrolled;
  };
  fold.addEventListener("toggle", fill);
  fills.set(fold, fill);
  return fold;
}

const fills = new WeakMap<HTMLElement, () => void>();

/** An open table takes the values as they are now. */
export const refreshFold = (fold: HTMLElement): void => fills.get(fold)?.();
