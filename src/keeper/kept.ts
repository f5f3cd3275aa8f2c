import type { CompletionRequest } from "../foundry/index.js";
import type { Batch, LoadRun, LoadState, LoadWish } from "../jobs/index.js";

/** What an answer promised and what it delivered. */
export interface Answered {
  /** Completions of which there is more to read: the caller got an id to ask with. */
  readonly promised: readonly string[];
  /** Completions that were returned to their end. */
  readonly delivered: readonly string[];
}

export interface LoadWaiting {
  readonly withinMs: number;
  readonly signal: AbortSignal;
  /** Called with the state of the load once a second. */
  readonly onState: (state: LoadState) => void;
}

/**
 * The work that outlives this process, as the tools use it. What other processes left becomes part of
 * the client; what this process promises is handed to the keeper before the answer that promises it.
 * Nothing here throws: without a keeper a server works as if there were none.
 */
export interface Kept {
  find(ids: readonly string[]): Promise<void>;
  /** The completion of an identical request, whose process has ended. */
  findSame(request: CompletionRequest): Promise<void>;
  findBatch(id: string): Promise<void>;
  findSameBatch(key: string): Promise<void>;
  answered(what: Answered): Promise<void>;
  /** The batch has returned some of its results, and perhaps all. */
  answeredBatch(batch: Batch): Promise<void>;
  /**
   * @returns the last known state of a load that goes on elsewhere; `null` if none does, and after
   *   `onState` if that load has ended: where it succeeded, the service has the model.
   */
  load(model: string, wish: LoadWish, waiting: LoadWaiting): Promise<LoadState | null>;
  answeredLoad(model: string, wish: LoadWish, run: LoadRun): Promise<void>;
  /** Whether another answer took the place of the one that was returned before. */
  isRegenerated(id: string): boolean;
  /** An answer has said so. */
  answeredRegenerated(id: string): void;
  /** How many completions and loads the keeper holds; `null` if none runs. */
  holds(): Promise<number | null>;
  /** Leaves to the keeper what was promised. Call it before the client is closed. */
  close(): Promise<void>;
}

/** For a server that keeps nothing. */
export const NOTHING_KEPT: Kept = {
  find: async () => {},
  findSame: async () => {},
  findBatch: async () => {},
  findSameBatch: async () => {},
  answered: async () => {},
  answeredBatch: async () => {},
  load: async () => null,
  answeredLoad: async () => {},
  isRegenerated: () => false,
  answeredRegenerated: () => {},
  holds: async () => null,
  close: async () => {},
};
