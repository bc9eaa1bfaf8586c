// Tests that print TAP: each counts itself, and a failure tells why in remarks.
let number = 0;
let failures = 0;

export async function test(name, body) {
  number++;
  try {
    await body();
    console.log(`ok ${number} - ${name}`);
  } catch (error) {
    failures++;
    console.log(`not ok ${number} - ${name}`);
    for (const line of String(error.stack ?? error).split("\n")) console.log(`# ${line}`);
  }
}

/** Prints the plan; call it last. Whether any test failed. */
export function finish() {
  console.log(`1..${number}`);
  return failures > 0;
}

export function expect(condition, words) {
  if (!condition) throw new Error(words);
}

export function expectEqual(found, expected, what) {
  const [f, e] = [JSON.stringify(found), JSON.stringify(expected)];
  if (f !== e) throw new Error(`${what}: found ${f.slice(0, 300)}, expected ${e.slice(0, 300)}`);
}
