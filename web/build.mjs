// Builds the page: one HTML file with script and style inside and a place for the facts.
//
//     node build.mjs [OUTPUT]          (build/page.html by default)
//
// The page's policy allows exactly these bytes of script and style, by their hashes; nothing may be fetched. The program cuts the
// file at @FACTS@ and puts a run's JSON there; @CONNECT@ is 'none' in a file and 'self' when the page is served live.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const output = process.argv[2] ?? join(here, "build", "page.html");

async function bundle(entry) {
  const result = await esbuild.build({
    entryPoints: [join(here, "src", entry)],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: ["es2021"],
    charset: "ascii",
    legalComments: "inline",
    logLevel: "warning",
  });
  return result.outputFiles[0].text;
}

const hash = (text) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;

const style = await bundle("style.css");
const script = await bundle("main.ts");
if (/<\/(script|style)/i.test(script + style)) throw new Error("the bundle would close its own element");

const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "img-src data:",
  "connect-src @CONNECT@",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

// A function as replacement: the bundles contain `$&` and the like.
const page = readFileSync(join(here, "src", "page.html"), "utf8")
  .replace("@POLICY@", () => policy)
  .replace("@STYLE@", () => style)
  .replace("@SCRIPT@", () => script);

for (const place of ["@FACTS@", "@CONNECT@"])
  if (page.split(place).length !== 2) throw new Error(`the page must contain ${place} once`);

mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, page);
