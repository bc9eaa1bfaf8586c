// What runs inside the page under test: functions handed to page.evaluate, so each must stand alone.

/** Every table of the page by its caption, opened: name → { columns, rows } with exact values. */
export async function readTables(within = "main") {
  const root = document.querySelector(within);
  for (const fold of root.querySelectorAll("details.fold")) fold.open = true;
  await new Promise((done) => setTimeout(done, 50));
  const tables = {};
  for (const box of root.querySelectorAll(".scroll")) {
    const name = box.getAttribute("aria-label").replace(/, table$/, "");
    const cells = (row, tag) => [...row.querySelectorAll(tag)];
    tables[name] = {
      columns: cells(box, "th").map((c) => c.textContent),
      rows: cells(box, "tbody tr").map((row) =>
        cells(row, "td").map((c) => {
          const data = c.querySelector("data");
          return data ? Number(data.value) : c.textContent === "–" ? null : c.textContent;
        }),
      ),
      shown: cells(box, "tbody tr").map((row) => cells(row, "td").map((c) => c.textContent)),
    };
  }
  for (const fold of root.querySelectorAll("details.fold")) fold.open = false;
  return tables;
}

/** Words that lie over other words, are cut off, or stick out of the page. */
export function findCollisions() {
  const faults = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) faults.push(`the page is ${document.documentElement.scrollWidth} wide, the window ${width}`);
  const pieces = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.textContent.trim() || parent.closest("script, style, noscript, .spoken, option, .uplot")) continue;
    const closed = parent.closest("details:not([open])");
    if (closed && !parent.closest("summary")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) if (box.width > 1 && box.height > 1) pieces.push({ box, node, text: node.textContent.trim().slice(0, 40) });
  }
  // What a scrolling box hides is not on the page; what any other box hides is cut.
  const seen = pieces.filter((p) => {
    const scroller = p.node.parentElement.closest(".panel, .scroll");
    if (!scroller) return true;
    const s = scroller.getBoundingClientRect();
    return p.box.top >= s.top && p.box.bottom <= s.bottom && p.box.left >= s.left && p.box.right <= s.right + 1;
  });
  for (const p of seen) if (p.box.left < -1 || p.box.right > width + 1) faults.push(`"${p.text}" sticks out of the window`);
  for (let i = 0; i < seen.length; i++)
    for (let k = i + 1; k < seen.length; k++) {
      const [a, b] = [seen[i], seen[k]];
      if (a.node === b.node) continue;
      const wide = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const tall = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (wide > 2 && tall > 4) faults.push(`"${a.text}" and "${b.text}" overlap by ${wide.toFixed(0)} × ${tall.toFixed(0)}`);
    }
  for (const element of document.querySelectorAll("main *")) {
    if (element.closest(".scroll, .spoken, svg, .uplot, select, input")) continue;
    const style = getComputedStyle(element);
    if (style.overflowX === "hidden" && element.scrollWidth > element.clientWidth + 1) faults.push(`${element.className || element.tagName} is cut`);
  }
  return faults;
}

/** Charts that show nothing: a canvas of one colour. */
export function findEmptyCharts() {
  const faults = [];
  for (const canvas of document.querySelectorAll("main canvas:not([aria-hidden])")) {
    if (!canvas.width || !canvas.height) {
      faults.push(`a canvas of ${canvas.width} × ${canvas.height}`);
      continue;
    }
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const pixels = new Uint32Array(data.buffer);
    const title = canvas.closest("figure")?.querySelector("h3")?.textContent ?? canvas.getAttribute("aria-label");
    if (pixels.every((p) => p === pixels[0])) faults.push(`${title} is empty`);
  }
  return faults;
}
