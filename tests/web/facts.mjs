// Where the tests' facts come from: real runs of the program where it is there, the generator beside this file for what a real run
// does not give in a second. Also unpacks the arrays of the facts, independently of the page.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { here } from "./browser.mjs";

const runs = {
  healthy: ["digits", "--holdout", "0.2", "--hidden", "96,96", "--epochs", "12", "--batch", "64", "--optimizer", "sgd", "--lr", "0.1", "--standardize"],
  dying: ["digits", "--holdout", "0.2", "--hidden", "96,96", "--epochs", "12", "--batch", "64", "--optimizer", "sgd", "--lr", "0.9"],
};

/** What a report of `which` says of other rates: the same run at three more of them, and a forecast. */
export function surround(which, program, folder) {
  if (!program || !runs[which]) return;
  const quiet = { cwd: folder, stdio: "ignore" };
  const rate = runs[which].indexOf("--lr") + 1;
  for (const other of ["0.1", "0.3", "2.7"]) {
    const settings = runs[which].map((word, i) => (i === rate ? other : word));
    execFileSync(program, ["train", ...settings, "-o", `${which}-${other}`, "--progress", "off"], quiet);
  }
  execFileSync(program, ["forecast", which, "--seeds", "8", "--steps", "5"], quiet);
}

/** The JSON of one kind of run, as text. `program` may be undefined. */
export function factsText(which, program, folder, surrounded = false) {
  const big = { maxBuffer: 1 << 28, encoding: "utf8" };
  if (!program || !runs[which]) return execFileSync("/usr/bin/python3", [join(here, "sample.py"), which], big);
  execFileSync(program, ["train", ...runs[which], "-o", which, "--progress", "off"], { cwd: folder, stdio: "ignore" });
  if (surrounded) surround(which, program, folder);
  return execFileSync(program, ["report", which, "--json", "--autopsy"], { cwd: folder, ...big });
}

export function unpack(packed) {
  const bytes = inflateSync(Buffer.from(packed.zlib, "base64"));
  const size = { u8: 1, i8: 1, u16: 2, u32: 4, f32: 4 }[packed.type];
  const read = { u8: "readUInt8", i8: "readInt8", u16: "readUInt16LE", u32: "readUInt32LE", f32: "readFloatLE" }[packed.type];
  return Array.from({ length: packed.count }, (_, i) => bytes[read](i * size));
}
