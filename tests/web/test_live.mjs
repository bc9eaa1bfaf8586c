// The page that `relume serve` gives out, in a real browser: test_live.mjs TEMPLATE PROGRAM, printing TAP.
//
// A run is trained while its page is open. RELUME_PICTURES names a folder that receives the screenshots of the documentation.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { deflateSync } from "node:zlib";
import { assemble, axeSource, launch, missing } from "./browser.mjs";
import { execFileSync } from "node:child_process";
import { factsText, unpack } from "./facts.mjs";
import { findCollisions, findEmptyCharts, readTables } from "./inspect.mjs";
import { expect, expectEqual, finish, test } from "./tap.mjs";

const [template, programPath] = process.argv.slice(2);
const program = resolve(programPath);
const reason = missing();
if (reason) {
  console.log(`1..0 # SKIP ${reason}`);
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), "relume-live-"));
const pictures = process.env.RELUME_PICTURES;

const children = [];
function start(...args) {
  const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  children.push(child);
  return child;
}

async function serve(path) {
  const child = start("serve", path);
  const [line] = await once(child.stdout, "data");
  return { child, url: String(line).trim() };
}

async function ended(child, signal) {
  if (child.exitCode === null && child.signalCode === null) {
    const end = once(child, "exit");
    if (signal) child.kill(signal);
    await end;
  }
  return child.exitCode;
}

async function visit(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const seen = { foreign: [], violations: [], errors: [] };
  page.on("request", (request) => {
    if (!request.url().startsWith(new URL(url).origin) && !/^(data|blob):/.test(request.url())) seen.foreign.push(request.url());
  });
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("console", (message) => {
    if (/Content Security Policy/i.test(message.text())) seen.violations.push(message.text());
    else if (message.type() === "error") seen.errors.push(message.text());
  });
  await page.goto(url, { waitUntil: "commit" });
  await page.waitForSelector("html[data-ready=yes]", { timeout: 30_000 });
  return { page, context, seen };
}

async function axe(page) {
  await page.evaluate(axeSource());
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return result.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id}: ${v.nodes.map((n) => n.target).slice(0, 3)}`);
}

const looks = async (page) => {
  expectEqual(await page.evaluate(findCollisions), [], "collisions");
  expectEqual(await page.evaluate(findEmptyCharts), [], "empty charts");
  expectEqual(await axe(page), [], "axe");
};
const shoot = async (page, name) => {
  if (pictures) await page.screenshot({ path: join(pictures, name) });
};

const browser = await launch();

// ── a run while it trains ───────────────────────────────────────────────────────────────────────────────────────────

await test("the page follows a run to its end, and then shows what its report shows", async () => {
  const training = start("train", "digits", "--holdout", "0.2", "--hidden", "96,96", "--epochs", "1500", "--optimizer", "sgd", "--lr", "0.9", "-o", "live", "--progress", "off");
  const gone = once(training, "exit");
  const first = join(folder, "live", "checkpoints", "step-0.safetensors");
  while (training.exitCode === null && !existsSync(first)) await new Promise((done) => setTimeout(done, 50));
  const { child, url } = await serve("live");
  const { page, context, seen } = await visit(browser, url);
  const step = () => page.evaluate(() => Number(document.documentElement.dataset.step ?? 0));
  const steps = new Set();
  for (let i = 0; i < 200 && steps.size < 4; i++) {
    steps.add(await step());
    await page.waitForTimeout(100);
  }
  expect(steps.size >= 4, `the page showed only the steps ${[...steps]}`);
  expect(/complete to step [\d,]+, \d+\.\d s ago/.test(await page.textContent(".masthead")), `it says: ${await page.textContent(".masthead")}`);
  await looks(page);
  await shoot(page, "live.png");
  if (pictures) {
    await page.emulateMedia({ colorScheme: "dark" });
    await page.waitForTimeout(400);
    await shoot(page, "live-dark.png");
    await page.emulateMedia({ colorScheme: "light" });
  }
  await page.setViewportSize({ width: 375, height: 812 });
  await page.waitForTimeout(400);
  expectEqual(await page.evaluate(findCollisions), [], "collisions on a phone");
  await shoot(page, "live-phone.png");
  await page.setViewportSize({ width: 1280, height: 900 });
  await gone;
  await page.waitForFunction(() => !document.querySelector(".dot") || document.querySelector(".dot").hidden, null, { timeout: 30_000 });
  const facts = JSON.parse(execFileSync(program, ["report", "live", "--json"], { cwd: folder, encoding: "utf8", maxBuffer: 1 << 28 }));
  const tables = await page.evaluate(readTables);
  expectEqual(tables.Loss.rows.map((row) => row[1]), facts.epochs.train_loss.slice(0, 500), "training loss");
  expectEqual(tables.layers.rows.map((row) => row[2]), facts.layers.map((l) => l.dead), "dead units");
  expectEqual(tables.units.rows.map((row) => row[2]), facts.layers.flatMap((l) => unpack(l.active)), "samples that units fire on");
  expectEqual(seen, { foreign: [], violations: [], errors: [] }, "requests elsewhere, violations, errors");
  await context.close();
  expectEqual(await ended(child, "SIGINT"), 130, "exit status after Ctrl-C");
});

// ── a page that is left open ────────────────────────────────────────────────────────────────────────────────────────

const pack = (type, values) => {
  const bytes = Buffer.alloc(values.length * (type === "u8" ? 1 : 4));
  values.forEach((v, i) => (type === "u8" ? bytes.writeUInt8(v, i) : type === "f32" ? bytes.writeFloatLE(v, 4 * i) : bytes.writeUInt32LE(v, 4 * i)));
  return { type, count: values.length, zlib: deflateSync(bytes).toString("base64") };
};

/** The continuation of `facts` by one epoch, in which one unit dies. */
function continuation(facts, since, k) {
  const step = since + 10;
  const counts = facts.layers.map((l) => Array.from({ length: l.units }, (_, u) => (u * 7 + k) % 200));
  const margins = facts.layers.map((l) => Array.from({ length: l.units }, (_, u) => ((u + k) % 13) / 10 - 0.1));
  const row = { epoch: facts.complete_to.epoch + k, step, learning_rate: 0.1, train_loss: 1 / k, train_accuracy: 0.9, test_loss: 1.1 / k, test_accuracy: 0.8, dead: 3 };
  return {
    ...facts,
    since,
    complete_to: { step, epoch: row.epoch },
    epochs: Object.fromEntries(Object.entries(row).map(([key, value]) => [key, [value]])),
    output_layer: { ...facts.output_layer, update_ratio: { step: [step], log10: [-2.4] } },
    layers: facts.layers.map((l, i) => ({ ...l, dead_by_epoch: [3], update_ratio: { step: [step], log10: [-2.5] }, active: pack("u32", counts[i]), margin: pack("f32", margins[i]) })),
    map: { ...facts.map, encoding: "counts", of: 1, step: [step], epoch: [row.epoch], accuracy: [0.9], layers: counts.map((c) => pack("u32", c)), margins: margins.map((m) => pack("f32", m)) },
    events: { count: facts.events.count + k, kept: 1, exact: 1, layer: pack("u32", [0]), unit: pack("u32", [k % facts.layers[0].units]), kind: pack("u8", [1]), after_step: pack("u32", [step - 1]), step: pack("u32", [step]) },
    units: null,
    samples: null,
  };
}

await test("1,000 live updates leave neither memory nor elements behind", async () => {
  const facts = { ...JSON.parse(factsText("dying", program, folder)), state: "unfinished", units: null, samples: null };
  // A file may not connect to anything, so the stream is played by the test.
  const file = assemble(template, JSON.stringify(facts).replaceAll("<", "\\u003c"), join(folder, "left-open.html"), "'self'");
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => errors.push(message.text()));
  await page.addInitScript(() => {
    window.EventSource = class extends EventTarget {
      constructor() {
        super();
        window.stream = this;
      }
      close() {}
    };
  });
  await page.goto(`file://${file}`);
  await page.waitForSelector("html[data-ready=yes]");
  const session = await context.newCDPSession(page);
  await session.send("Performance.enable");
  const measure = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const { metrics } = await session.send("Performance.getMetrics");
    const of = (name) => metrics.find((m) => m.name === name).value;
    return { heap: of("JSHeapUsedSize"), nodes: of("Nodes"), listeners: of("JSEventListeners") };
  };
  let since = facts.complete_to.step;
  let begin;
  for (let k = 10; k <= 1000; k += 10) {
    const ten = Array.from({ length: 10 }, (_, i) => JSON.stringify(continuation(facts, since + 10 * i, k - 9 + i)));
    since += 100;
    await page.evaluate((all) => all.forEach((data) => window.stream.dispatchEvent(new MessageEvent("more", { data }))), ten);
    await page.waitForFunction((step) => document.documentElement.dataset.step === step, String(since), { timeout: 90_000 }).catch(() => {
      throw new Error(`update ${k} did not show; errors: ${errors}`);
    });
    if (k === 250) begin = await measure(); // from here on the map holds as many censuses as it ever will
  }
  const end = await measure();
  console.log(`# heap ${(begin.heap / 1e6).toFixed(1)} MB after 250 updates, ${(end.heap / 1e6).toFixed(1)} MB after 1,000; nodes ${begin.nodes}, ${end.nodes}; listeners ${begin.listeners}, ${end.listeners}`);
  // 750 rows by epoch are 750 · 11 numbers of at most 16 bytes, in the facts and in the chart; 750 events are 750 objects of 40 bytes: 0.4 MB.
  expect(end.heap - begin.heap < 1.5e6, `the heap grew by ${end.heap - begin.heap} bytes`);
  expect(end.nodes < begin.nodes + 200 && end.listeners < begin.listeners + 50, "elements or listeners were left behind");
  expectEqual(errors, [], "errors");
  await context.close();
});

// ── a folder of runs ────────────────────────────────────────────────────────────────────────────────────────────────

await test("a folder of runs is listed side by side, and each run's page is one click away", async () => {
  const { child, url } = await serve(".");
  const { page, context, seen } = await visit(browser, url);
  expectEqual(await page.evaluate(() => [...document.querySelectorAll(".runs tbody a")].map((a) => a.textContent)), ["dying", "live"], "runs listed");
  const facts = JSON.parse(execFileSync(program, ["report", "live", "--json"], { cwd: folder, encoding: "utf8", maxBuffer: 1 << 28 }));
  const row = await page.evaluate(() => [...document.querySelectorAll(".runs tbody tr")][1].innerText);
  expect(row.includes(`${(100 * facts.dead_fraction).toFixed(1)} %`), `the row says ${row}`);
  await looks(page);
  start("train", "digits", "--hidden", "16", "--epochs", "2", "-o", "third", "--progress", "off");
  await page.waitForFunction(() => document.querySelectorAll(".runs tbody tr").length === 3, null, { timeout: 20_000 });
  await page.click("text=dying");
  await page.waitForSelector("#map");
  expect((await page.textContent("h1")).includes("dead"), "the page of a run");
  await page.click("text=All runs");
  await page.waitForSelector(".runs");
  expectEqual(seen, { foreign: [], violations: [], errors: [] }, "requests elsewhere, violations, errors");
  await context.close();
  expectEqual(await ended(child, "SIGTERM"), 143, "exit status after SIGTERM");
});

if (pictures)
  await test("a picture of runs side by side", async () => {
    mkdirSync(join(folder, "rates"));
    for (const rate of ["0.1", "0.3", "0.9", "2.7"])
      execFileSync(program, ["train", "digits", "--holdout", "0.2", "--hidden", "96,96", "--epochs", "12", "--batch", "64", "--optimizer", "sgd", "--lr", rate, "-o", `rates/lr-${rate}`, "--progress", "off"], { cwd: folder, stdio: "ignore" });
    const { child, url } = await serve("rates");
    const { page, context } = await visit(browser, url);
    await looks(page);
    await shoot(page, "runs.png");
    await context.close();
    await ended(child, "SIGTERM");
  });

await browser.close();
for (const child of children) await ended(child, "SIGKILL");
rmSync(folder, { recursive: true, force: true });
process.exit(finish() ? 1 : 0);
