import type { Completion, CompletionStatus } from "../foundry/index.js";
import type { FoundryError } from "../lib/index.js";

/** A completion as it stands, whether it waits, runs or has ended. */
export interface CompletionState extends Completion {
  /** Why it ended otherwise than well; `null` while it runs and when it ended well. */
  readonly error: FoundryError | null;
  /** Its place in the queue, 1 for the next; `null` when it is not waiting there. */
  readonly place: number | null;
  /** Roughly until its turn, from what was measured, in milliseconds; `null`: nothing was. */
  readonly etaMs: number | null;
  /** What it waits for besides, such as `Starting Foundry Local with foundry server start`. */
  readonly news: string | null;
  /** Of which batch it is a part. */
  readonly batchId: string | null;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly endedAt: number | null;
}

const ENDS: ReadonlySet<CompletionStatus> = new Set([
  "completed",
  "interrupted",
  "cancelled",
  "failed",
]);

export const hasEnded = ({ status }: Pick<Completion, "status">): boolean => ENDS.has(status);
