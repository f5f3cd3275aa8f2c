/** The outcomes that callers saw for their completions. */
export interface Completions {
  readonly completed: number;
  readonly cancelled: number;
  /** Failed or interrupted. */
  readonly failed: number;
  /** The call was cancelled by its host, so its outcome was not reported to it. */
  readonly unknown: number;
}

/** Counts the outcomes of all calls, and collects what was wrong. */
export class CallLedger {
  readonly faults: string[] = [];
  readonly outcomes = new Map<string, number>();
  readonly completions = { completed: 0, cancelled: 0, failed: 0, unknown: 0 };
  sent = 0;
  answered = 0;
  cancelled = 0;

  note(tool: string, outcome: string): void {
    const name = `${tool}: ${outcome}`;
    this.outcomes.set(name, (this.outcomes.get(name) ?? 0) + 1);
  }

  /** @param status Of a completion that has ended; anything else is no end. */
  ended(status: unknown): void {
    if (status === "completed" || status === "cancelled") this.completions[status] += 1;
    else this.completions.failed += 1;
  }

  fault(what: string): void {
    if (this.faults.length < 50) this.faults.push(what);
  }
}

type Counts = Pick<Completions, "completed" | "cancelled" | "failed">;

/** What is wrong with the server's own counts, beside those of its callers. */
export function faultsOfTotals(name: string, seen: Completions, counted: Counts): string[] {
  const kinds = ["completed", "cancelled", "failed"] as const;
  const more = kinds.map((kind) => counted[kind] - seen[kind]);
  const sum = more.reduce((all, each) => all + each, 0);
  if (more.every((each) => each >= 0) && sum <= seen.unknown) return [];
  const counts = JSON.stringify({ seen, counted });
  return [`${name}: the server's counts differ from what its callers saw: ${counts}`];
}
