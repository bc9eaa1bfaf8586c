// The verdict in words, and the few numbers that must stand beside it.

import { el } from "./dom";
import type { Facts } from "./facts";
import { count, number, percent, plain, plural } from "./format";

const topics: Record<string, string> = {
  accuracy: "Accuracy",
  since: "Since when",
  cause: "Why",
  return: "Can they return",
  harm: "Does it matter",
  advice: "What to do",
  gain: "What it brings",
};

function figures(facts: Facts): HTMLElement {
  const score = facts.score.test ?? facts.score.train;
  const split = facts.score.test ? "test" : "train";
  const { born_dead, deaths, revivals } = facts.ledger;
  const entry = (label: string, value: string, small: string, tone = "") =>
    el("div", {}, el("dt", {}, label), el("dd", { class: tone }, value, el("small", {}, small)));
  const score_entry =
    score.accuracy === null
      ? entry(`${split} loss`, number(score.loss), `on ${plain(split)} data, at the end`)
      : entry(`${split} accuracy`, percent(score.accuracy), `loss ${number(score.loss)}`);
  return el(
    "dl",
    { class: "figures" },
    entry("dead hidden units", count(facts.dead), `of ${count(facts.hidden_units)}, ${percent(facts.dead_fraction)}`, facts.dead ? "dead" : ""),
    score_entry,
    entry("deaths", count(deaths), `${count(born_dead)} more born dead`),
    entry("revivals", count(revivals), `over ${plural(facts.complete_to.step, "step")}`),
  );
}

export function verdictPart(facts: Facts): HTMLElement {
  const { headline, points } = facts.verdict;
  const said = points.flatMap((p) => [el("dt", {}, topics[p.about] ?? plain(p.about)), el("dd", {}, plain(p.text))]);
  return el("div", { class: "verdict" }, el("div", {}, el("h1", {}, plain(headline)), el("dl", { class: "points" }, ...said)), figures(facts));
}
