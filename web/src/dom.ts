// Building the page's elements. Text only ever enters as text: nothing here parses HTML, so no name can become markup.

type Child = Node | string | null | undefined;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  for (const child of children) if (child != null) element.append(child);
  return element;
}

export function svg(tag: string, attributes: Record<string, string | number> = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  for (const child of children) if (child != null) element.append(child);
  return element;
}

/** The colour of a custom property as the style sheet has it now, light or dark. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

let voice: HTMLElement | null = null;

/** Says something to those who listen to the page instead of looking at it. */
export function say(text: string): void {
  if (!voice) {
    voice = el("div", { role: "status", "aria-live": "polite", class: "spoken" });
    document.body.append(voice);
  }
  voice.textContent = text;
}
