// Numbers and names for people. Tables and CSV files keep the exact values; this is what stands beside a chart.

const whole = new Intl.NumberFormat("en-US");
const absent = "–";

export function count(value: number | null | undefined): string {
  return value == null ? absent : whole.format(value);
}

export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Four significant digits, in powers of ten where that reads better. */
export function number(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return absent;
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return count(value).replace("-", "−");
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-3 || size >= 1e6)
      ? value.toExponential(2).replace("e+", "e")
      : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}

/** A bound from above: rounded down, so that what is said to be safe is. */
export function atMost(value: number | null | undefined): string {
  if (value == null || !(value > 0) || !Number.isFinite(value)) return number(value);
  const unit = 10 ** (Math.floor(Math.log10(value)) - 3);
  const rounded = Number((Math.floor(value / unit) * unit).toPrecision(4));
  return number(rounded <= value ? rounded : rounded - unit);
}

export function percent(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return absent;
  const digits = value !== 0 && value < 0.001 ? 2 : 1;
  return `${(100 * value).toFixed(digits)} %`;
}

// Marks that turn text around, and other characters without a face of their own.
const faceless = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A name from outside, with invisible characters made visible, so that it cannot rearrange the text around it. */
export function plain(name: string): string {
  return name.replace(faceless, (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** A name as one word of a command that is copied into a shell: whole, and in quotes where it needs them. */
export function shellWord(name: string): string {
  const text = plain(name);
  return /^[\w./=,:%+@][\w./=,:%+@-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** For a heading or an option: long names are cut in the middle. */
export function short(name: string, length = 48): string {
  const text = [...plain(name)];
  if (text.length <= length) return text.join("");
  const half = Math.floor((length - 1) / 2);
  return `${text.slice(0, half).join("")}…${text.slice(-half).join("")}`;
}
