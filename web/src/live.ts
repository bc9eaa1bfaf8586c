// A page that is served follows its run: events from the server that served it, and how old the newest of them is.

import type { Facts } from "./facts";

/** Whether the page's own policy lets it ask its server; a file on disk never does. */
export function isLive(): boolean {
  const policy = document.querySelector<HTMLMetaElement>('meta[http-equiv="Content-Security-Policy"]')?.content ?? "";
  return policy.includes("connect-src 'self'");
}

export interface Followed {
  /** A continuation of what the page shows, or a line of a list. */
  more: (data: unknown) => Promise<void>;
  /** The whole, because the run has come to its end or the server no longer knows what the page shows. */
  whole: (facts: Facts) => Promise<void>;
  /** Seconds since the run last recorded something; null: no word from the server. */
  age: (seconds: number | null) => void;
}

const silence = 5;

export class Follower {
  private source: EventSource | null = null;
  private heard = performance.now();
  private age: number | null = null;
  private queue: Promise<void> = Promise.resolve();
  private over = false;

  /** `mark` is what the page is complete to; it is read again whenever the connection is made. */
  constructor(
    private readonly kind: "more" | "run",
    private readonly mark: () => number,
    private readonly followed: Followed,
  ) {
    window.setInterval(() => this.tick(), 500);
    this.connect();
  }

  private connect(): void {
    this.source?.close();
    if (this.over) return;
    const source = (this.source = new EventSource(`events?from=${this.mark()}`));
    source.addEventListener(this.kind, (event) => this.later(() => this.followed.more(JSON.parse((event as MessageEvent<string>).data))));
    source.addEventListener("pulse", (event) => {
      this.heard = performance.now();
      this.age = (JSON.parse((event as MessageEvent<string>).data) as { age: number }).age;
      this.tick();
    });
    source.addEventListener("reset", () => this.fetchWhole());
    source.addEventListener("final", () => this.fetchWhole());
    source.addEventListener("error", () => this.again());
  }

  /** One after the other, in the order they came. */
  private later(task: () => Promise<void>): void {
    this.heard = performance.now();
    this.queue = this.queue.then(task).catch((error) => {
      console.warn("relume: connecting again:", error);
      this.again();
    });
  }

  private again(): void {
    this.source?.close();
    this.source = null;
    window.setTimeout(() => this.source ?? this.connect(), 2000);
  }

  private fetchWhole(): void {
    this.source?.close();
    this.source = null;
    this.later(async () => {
      const answer = await fetch("facts.json");
      if (!answer.ok) throw new Error(await answer.text());
      const facts = (await answer.json()) as Facts;
      this.over = facts.state === "finished" || facts.state === "diverged";
      await this.followed.whole(facts);
      this.connect();
    });
  }

  private tick(): void {
    const quiet = (performance.now() - this.heard) / 1000;
    if (this.over) return;
    this.followed.age(quiet > silence || this.age === null ? null : this.age + quiet);
  }
}

export function ago(seconds: number): string {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s ago`;
  if (seconds < 120) return `${Math.round(seconds)} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86_400)} days ago`;
}
