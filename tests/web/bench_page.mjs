// How long a report of 100,000 units over 200 epochs takes to open, and a step of its slider to draw: bench_page.mjs TEMPLATE
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assemble, launch, missing, open } from "./browser.mjs";
import { factsText } from "./facts.mjs";

const reason = missing();
if (reason) {
  console.log(`skipped: ${reason}`);
  process.exit(77);
}
const folder = mkdtempSync(join(tmpdir(), "relume-web-"));
const facts = factsText("large");
const file = assemble(process.argv[2], facts, join(folder, "large.html"));
const browser = await launch();
const rows = [];
for (let round = 0; round < 5; round++) {
  const { page, context, milliseconds } = await open(browser, file);
  // The drawing itself, which the slider waits for; the browser shows it with its next frame.
  const steps = await page.evaluate(async () => {
    const slider = document.querySelector("#epoch");
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const times = [];
    for (let i = 0; i <= Number(slider.max); i++) {
      const began = performance.now();
      slider.value = String(i);
      slider.dispatchEvent(new Event("input"));
      times.push(performance.now() - began);
      await frame();
    }
    return times.sort((a, b) => a - b);
  });
  rows.push({ "opened, ms": milliseconds, "step, median ms": steps[steps.length >> 1].toFixed(1), "step, worst ms": steps[steps.length - 1].toFixed(1) });
  await context.close();
}
await browser.close();
rmSync(folder, { recursive: true, force: true });
console.log(`${(facts.length / 1e6).toFixed(2)} MB of facts`);
console.table(rows);
