// Headless Chromium for the page's tests: found, started with a fresh profile, watched for anything it should not do.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, "..", "..");
const require = createRequire(join(root, "web", "package.json"));

const browsers = [process.env.RELUME_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"];
export const chromiumPath = browsers.find((path) => path && existsSync(path));

/** Why the tests cannot run here, or null. */
export function missing() {
  if (!chromiumPath) return "no chromium: apt-get install chromium";
  for (const name of ["playwright-core", "axe-core"])
    if (!existsSync(join(root, "web", "node_modules", name))) return `no ${name}: run npm ci in web/`;
  return null;
}

export const axeSource = () => readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export async function launch() {
  const { chromium } = require("playwright-core");
  return chromium.launch({
    executablePath: chromiumPath,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--force-color-profile=srgb"],
  });
}

/** A page template with facts in it, as the program would write it. */
export function assemble(template, facts, output, connect = "'none'") {
  const text = readFileSync(template, "utf8").replace("@CONNECT@", connect).replace("@FACTS@", () => facts);
  writeFileSync(output, text);
  return output;
}

/** Opens a file and records requests, policy violations and errors. */
export async function open(browser, path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const seen = { requests: [], violations: [], errors: [] };
  const url = pathToFileURL(path).href;
  page.on("request", (request) => {
    if (request.url() !== url && !/^(data|blob):/.test(request.url())) seen.requests.push(request.url());
  });
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("console", (message) => {
    if (/Content Security Policy/i.test(message.text())) seen.violations.push(message.text());
    else if (message.type() === "error") seen.errors.push(message.text());
  });
  const before = Date.now();
  await page.goto(url, { waitUntil: "commit" });
  await page.waitForSelector("html[data-ready]", { timeout: 60_000 });
  const ready = await page.evaluate(() => document.documentElement.dataset.ready);
  return { page, context, seen, ready, milliseconds: Date.now() - before };
}
