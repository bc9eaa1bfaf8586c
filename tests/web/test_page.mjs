// The page in a real browser: test_page.mjs TEMPLATE [PROGRAM], printing TAP.
//
// TEMPLATE is the page as built; PROGRAM, where given, makes real runs to report on. RELUME_PICTURES names a folder that
// receives the screenshots of the documentation.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { assemble, axeSource, launch, missing, open } from "./browser.mjs";
import { factsText, unpack } from "./facts.mjs";
import { findCollisions, findEmptyCharts, readTables } from "./inspect.mjs";
import { expect, expectEqual, finish, test } from "./tap.mjs";

const [template, programPath] = process.argv.slice(2);
const program = programPath && resolve(programPath);
const reason = missing();
if (reason) {
  console.log(`1..0 # SKIP ${reason}`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), "relume-web-"));
const pictures = process.env.RELUME_PICTURES;

function expectQuiet(opened) {
  expectEqual(opened.seen, { requests: [], violations: [], errors: [] }, "requests, violations, errors");
  expectEqual(opened.ready, "yes", "the page is ready");
}

async function axe(page) {
  await page.evaluate(axeSource()); // by the debugger: the page's own policy does not apply to it
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return result.violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => `${n.target}`).slice(0, 4).join(" | ")}`);
}

const browser = await launch();
const text = {};
const file = {};
for (const which of ["healthy", "dying", "hostile", "large"]) {
  text[which] = factsText(which, program, folder, which === "dying");
  file[which] = assemble(template, text[which], join(folder, `${which}.html`));
}

// ── every kind of report, in light and dark, on a desk and on a phone ───────────────────────────────────────────────

const views = [
  ["desk", 1280, "light"],
  ["desk", 1280, "dark"],
  ["tablet", 800, "light"],
  ["phone", 375, "light"],
  ["phone", 375, "dark"],
];
for (const which of ["healthy", "dying", "hostile"])
  for (const [device, width, colorScheme] of views)
    await test(`${which}, ${device}, ${colorScheme}: no request, no violation, nothing cut or overlapping, no empty chart, axe`, async () => {
      const opened = await open(browser, file[which], { colorScheme, viewport: { width, height: 900 } });
      expectQuiet(opened);
      expectEqual(await opened.page.evaluate(findCollisions), [], "collisions");
      expectEqual(await opened.page.evaluate(findEmptyCharts), [], "empty charts");
      expectEqual(await axe(opened.page), [], "axe");
      await opened.context.close();
    });

// ── names from outside ──────────────────────────────────────────────────────────────────────────────────────────────

await test("hostile names are shown as text, their marks made visible", async () => {
  const { page, context, seen } = await open(browser, file.hostile);
  await page.evaluate(readTables);
  expectEqual(await page.evaluate(() => document.querySelectorAll("img, main script").length), 0, "elements made by names");
  expect(/^relume: </.test(await page.title()), `the title is ${await page.title()}`);
  const words = await page.evaluate(() => document.body.innerText);
  expect(words.includes("</script><img src=x"), "the name cannot be read");
  expect(words.includes("⟨U+202E⟩"), "the mark is not made visible");
  expect(!/[\u202a-\u202e\u2066-\u2069]/.test(words), "a mark that turns text around is on the page");
  expectEqual(seen.errors, [], "errors");
  await context.close();
});

// ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

await test("the numbers behind every chart are those of the JSON", async () => {
  const facts = JSON.parse(text.dying);
  const { page, context } = await open(browser, file.dying);
  const tables = await page.evaluate(readTables);
  const e = facts.epochs;
  const column = (name, index) => tables[name].rows.map((row) => row[index]);
  expectEqual(tables.Loss.columns, ["epoch", "train", "test"], "columns of Loss");
  expectEqual(column("Loss", 0), e.epoch, "epochs");
  expectEqual(column("Loss", 1), e.train_loss, "training loss");
  expectEqual(column("Loss", 2), e.test_loss, "test loss");
  expectEqual(column("Accuracy", 1), e.train_accuracy, "training accuracy");
  expectEqual(column("Accuracy", 2), e.test_accuracy, "test accuracy");
  expectEqual(column("Learning rate", 1), e.learning_rate, "learning rate");
  facts.layers.forEach((layer, l) => {
    expectEqual(column("Dead share by layer", l + 1), layer.dead_by_epoch.map((d) => d / layer.units), `dead share of ${layer.layer}`);
    expectEqual(tables.layers.rows[l].slice(0, 6), [layer.layer, layer.units, layer.dead, layer.nearly_dead, layer.always_on, layer.mute], "layers");
  });
  expectEqual(column("Deaths and revivals by step", 0), facts.steps.step, "steps");
  expectEqual(column("Deaths and revivals by step", 1), facts.steps.deaths, "deaths");
  expectEqual(column("Deaths and revivals by step", 2), facts.steps.revivals, "revivals");
  const active = facts.layers.flatMap((layer) => unpack(layer.active));
  const margin = facts.layers.flatMap((layer) => unpack(layer.margin));
  expectEqual(column("units", 2), active, "samples that units fire on");
  expectEqual(column("units", 4), margin, "margins");
  const ratios = "Update to weight, log10";
  expectEqual(tables[ratios].columns, ["step", ...facts.layers.map((l) => l.layer), "out"], "columns of the update ratios");
  expectEqual(column(ratios, 0), facts.layers[0].update_ratio.step, "steps of the update ratios");
  [...facts.layers, facts.output_layer].forEach((layer, l) => expectEqual(column(ratios, l + 1), layer.update_ratio.log10, "update ratios"));
  const causes = facts.autopsy_account.causes;
  expect(causes.length > 0, "nobody died of anything");
  expectEqual(column("causes of death", 2), causes.map((way) => way.deaths), "deaths by cause");
  expectEqual(column("causes of death", 5), causes.map((way) => way.never), "deaths by cause that last");
  const rates = "Deaths and accuracy against the learning rate";
  expectEqual(column(rates, 0), facts.sweep.rows.map((row) => row.learning_rate), "learning rates of the runs beside it");
  expectEqual(column(rates, 1), facts.sweep.rows.map((row) => row.dead_fraction), "dead shares of the runs beside it");
  expectEqual(column(rates, 2), facts.sweep.rows.map((row) => row.accuracy), "accuracies of the runs beside it");
  if (facts.forecast) {
    const born = "Born dead: forecast and found, by layer";
    expectEqual(column(born, 1), facts.forecast.layers.map((l) => l.expected), "expected born dead");
    expectEqual(column(born, 2), facts.forecast.layers.map((l) => l.born_dead_fraction), "foretold born dead");
    expectEqual(column(born, 3), facts.layers.map((l) => l.born_dead / l.units), "born dead");
  }
  const dead = column("units", 1).filter((state) => state === "dead").length;
  expectEqual(dead, facts.dead, "dead units in the table");
  await context.close();
});

await test("what is said beside a chart is the table's number, rounded", async () => {
  const facts = JSON.parse(text.dying);
  const { page, context } = await open(browser, file.dying);
  const said = await page.evaluate(() =>
    Object.fromEntries([...document.querySelectorAll("figure")].map((f) => [f.querySelector("h3").textContent, [...f.querySelectorAll(".legend b")].map((b) => b.textContent)])),
  );
  const last = (values) => values[values.length - 1];
  expectEqual(said.Accuracy, [last(facts.epochs.train_accuracy), last(facts.epochs.test_accuracy)].map((v) => `${(100 * v).toFixed(1)} %`), "accuracy");
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  expectEqual(said["Deaths and revivals by step"], [`${sum(facts.steps.deaths)} in all`, `${sum(facts.steps.revivals)} in all`], "deaths and revivals");
  const maps = await page.evaluate(() => [...document.querySelectorAll(".field header p")].map((p) => Number(/· ([\d,]+) dead/.exec(p.textContent)[1])));
  expectEqual(maps, facts.layers.map((l) => l.dead), "dead units of the map");
  await context.close();
});

await test("a unit's panel tells its own numbers", async () => {
  const facts = JSON.parse(text.dying);
  const active = unpack(facts.layers[0].active);
  const margin = unpack(facts.layers[0].margin);
  const unit = active.findIndex((a) => a > 0);
  const { page, context } = await open(browser, file.dying);
  await page.fill("#find", `h1.${unit}`);
  await page.press("#find", "Enter");
  const tables = await page.evaluate(readTables, ".panel");
  const name = `h1.${unit}`;
  const last = (rows) => rows[rows.length - 1];
  expectEqual(last(tables[`${name} margin`].rows)[1], margin[unit], "margin at the end");
  expectEqual(last(tables[`${name} firing rate`].rows)[2], active[unit], "samples at the end");
  const bins = tables[`${name} pre-activations`].rows;
  const all = bins.reduce((n, [, , samples]) => n + samples, 0);
  const open_ = bins.reduce((n, [from, , samples]) => n + (from >= 0 ? samples : 0), 0);
  expectEqual([all, open_], [facts.dataset.samples, active[unit]], "samples, and those above 0, in the histogram");
  expect(Math.abs(tables[`${name} samples`].rows[0][2] - margin[unit]) < 1e-6, "the first sample's pre-activation is the margin");
  const lines = await page.textContent(".panel pre");
  expect(lines.includes("dW = np.outer(dz * (z > 0), x)"), "the two lines are not there");
  await context.close();
});

await test("a dead unit's panel tells its autopsy", async () => {
  const facts = JSON.parse(text.dying);
  const death = facts.autopsy.find((d) => d.kind === "killed" && d.lethal_lr?.[0]);
  expect(death !== undefined, "nobody was killed by its own update");
  const { page, context } = await open(browser, file.dying);
  await page.fill("#find", death.unit);
  await page.press("#find", "Enter");
  const words = (await page.textContent(".panel")).replaceAll(",", "");
  expect(words.includes(`Update ${death.step} killed it in epoch ${death.epoch}`), `the panel says: ${words.slice(0, 600)}`);
  expect(words.includes(death.prognosis.because.replaceAll(",", "")), "the prognosis is not there");
  const axis = await page.getAttribute('.panel svg[aria-label^="Learning rates"]', "aria-label");
  expect(/Learning rates from .+ to .+ kill; .+ was used/.test(axis), `the axis says ${axis}`);
  const change = (await page.evaluate(readTables, ".panel"))[`${death.unit} change by cause`].rows.map((row) => row[1]);
  expectEqual(change, Object.values(death.change), "the parts of the change");
  expect((await page.textContent(".points")).includes("Why"), "the verdict does not say why");
  await context.close();
});

await test("a report without an autopsy says why, and what tells it", async () => {
  const facts = JSON.parse(text.dying);
  facts.autopsy = null;
  facts.run = "a folder/of `runs` with a name that is long enough to be cut/the cat's run";
  facts.autopsy_account = { ...facts.autopsy_account, left_out: "it was not done after 5 s", deaths: 0, kept: 0, causes: [] };
  const { page, context } = await open(browser, assemble(template, JSON.stringify(facts).replaceAll("<", "\\u003c"), join(folder, "unexamined.html")));
  const unit = unpack(facts.layers[0].active).indexOf(0);
  await page.fill("#find", `h1.${unit}`);
  await page.press("#find", "Enter");
  expect((await page.textContent("main")).includes("There is no autopsy here: it was not done after 5 s."), "the section does not say why");
  const typed = "'a folder/of `runs` with a name that is long enough to be cut/the cat'\\''s run'"; // what a shell takes for the name
  expectEqual(await page.textContent(".panel code"), `relume autopsy ${typed} h1.${unit}`, "the command that tells it");
  expectEqual(await page.evaluate(findCollisions), [], "collisions");
  await context.close();
});

// ── use ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

await test("keys move through the map, the slider and the charts", async () => {
  const facts = JSON.parse(text.dying);
  const { page, context } = await open(browser, file.dying);
  const name = () => page.textContent(".panel h3.name");
  await page.fill("#find", "h1.0");
  await page.press("#find", "Enter");
  await page.focus(".field canvas");
  await page.keyboard.press("ArrowRight");
  expectEqual(await name(), "h1.1", "right of h1.0");
  await page.keyboard.press("End");
  expectEqual(await name(), `h1.${facts.layers[0].units - 1}`, "the end of the layer");
  await page.keyboard.press("d");
  const firstDead = unpack(facts.layers[0].active).indexOf(0);
  expectEqual(await name(), `h1.${firstDead}`, "the next dead unit");
  await page.focus("#epoch");
  await page.keyboard.press("Home");
  expect((await page.textContent(".controls output")).startsWith("epoch 0 of"), "the slider's first epoch");
  await page.focus("figure .drawing");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  expectEqual(await page.textContent("figure .legend .where"), "at epoch 1", "the chart's cursor");
  await page.fill("#find", "h9.1");
  await page.press("#find", "Enter");
  expect((await page.textContent("[role=alert]")).includes("no unit h9.1"), "a unit that is not there");
  await context.close();
});

await test("sorting by death puts the dead first; sorting by margin ends with the largest", async () => {
  const { page, context } = await open(browser, file.dying);
  const margin = unpack(JSON.parse(text.dying).layers[0].margin);
  await page.selectOption("#sort", "margin");
  await page.focus(".field canvas");
  await page.keyboard.press("End");
  const largest = margin.indexOf(Math.max(...margin));
  expectEqual(await page.textContent(".panel h3.name"), `h1.${largest}`, "the largest margin");
  await page.selectOption("#sort", "death");
  await page.focus(".field canvas");
  await page.keyboard.press("Home");
  expect((await page.textContent(".panel .state")).includes("dead"), "the first by death is alive");
  await context.close();
});

await test("a table downloads as CSV, whole and exact", async () => {
  const facts = JSON.parse(text.dying);
  const { page, context, seen } = await open(browser, file.dying, { acceptDownloads: true });
  await page.evaluate(() => (document.querySelector("figure details").open = true));
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("figure .table button")]);
  const lines = readFileSync(await download.path(), "utf8").trimEnd().split("\r\n");
  expectEqual(lines[0], "epoch,train,test", "the header");
  expectEqual(lines.slice(1).map((l) => Number(l.split(",")[1])), facts.epochs.train_loss, "training loss");
  expectEqual(seen.violations, [], "violations");
  await context.close();
});

await test("play runs from the start to the end", async () => {
  const { page, context } = await open(browser, file.dying);
  await page.click("text=Play");
  await page.waitForFunction(() => document.querySelector(".controls output").textContent.startsWith("epoch 12 of"), null, { timeout: 20_000 });
  await page.waitForSelector("text=Play");
  await context.close();
});

await test("facts that are damaged are refused in words", async () => {
  const { page, context, ready } = await open(browser, assemble(template, '{"schema":"relume.report/1"}', join(folder, "damaged.html")));
  expectEqual(ready, "no", "the page is ready");
  expect((await page.textContent("main")).includes("cannot be shown"), "no words");
  await context.close();
});

// ── size; the bounds only catch disasters, bench_page.mjs measures ──────────────────────────────────────────────────

await test("100,000 units: below 5 MB, opens, and follows the slider", async () => {
  expect(text.large.length < 5e6, `${text.large.length} characters`);
  const opened = await open(browser, file.large);
  expectQuiet(opened);
  expect(opened.milliseconds < 20_000, `took ${opened.milliseconds} ms to open`);
  const usual = await opened.page.evaluate(() => {
    const slider = document.querySelector("#epoch");
    const times = [];
    for (let i = 0; i <= Number(slider.max); i++) {
      const began = performance.now();
      slider.value = String(i);
      slider.dispatchEvent(new Event("input"));
      times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[times.length >> 1]; // the median: one step may have waited for a busy machine
  });
  expect(usual < 1000, `a step of the slider took ${usual} ms`);
  await opened.context.close();
});

// ── pictures ────────────────────────────────────────────────────────────────────────────────────────────────────────

if (pictures) {
  const shoot = async (which, name, { width = 1280, height = 860, colorScheme = "light", at = null, element = null }) => {
    const { page, context } = await open(browser, file[which], { colorScheme, viewport: { width, height } });
    if (at) await page.evaluate((selector) => document.querySelector(selector).scrollIntoView({ behavior: "instant" }), at);
    await page.waitForTimeout(200);
    const target = element ? await page.$(element) : page;
    await target.screenshot({ path: join(pictures, name) });
    await context.close();
  };
  await shoot("healthy", "report-healthy.png", {});
  await shoot("healthy", "report-healthy-dark.png", { colorScheme: "dark" });
  await shoot("dying", "report-dying.png", {});
  await shoot("dying", "report-dying-dark.png", { colorScheme: "dark" });
  await shoot("dying", "report-curves.png", { at: "section:has(#curves-title)", height: 1240 });
  await shoot("dying", "report-map.png", { at: "#map", height: 1040 });
  await shoot("dying", "report-map-dark.png", { at: "#map", height: 1040, colorScheme: "dark" });
  await shoot("dying", "report-unit.png", { width: 375, element: ".panel" });
  await shoot("dying", "report-unit-dark.png", { width: 375, element: ".panel", colorScheme: "dark" });
  await shoot("dying", "report-rates.png", { at: "section:has(#outlook-title)", height: 560 });
  await shoot("dying", "report-phone.png", { width: 375, height: 812 });
  await shoot("dying", "report-phone-dark.png", { width: 375, height: 812, colorScheme: "dark" });
}

await browser.close();
rmSync(folder, { recursive: true, force: true });
process.exit(finish() ? 1 : 0);
