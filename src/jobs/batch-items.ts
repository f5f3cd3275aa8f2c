import type { CompletionStatus } from "../foundry/index.js";
import type { ErrorCode, FoundryError } from "../lib/index.js";
import type { Gate } from "./completion-stream.js";

/** How a batch waits for a service that is gone. */
export interface OutagePace {
  /** Pauses between two probes of a service that is gone, in milliseconds: first and longest. */
  readonly pausesMs?: readonly [number, number] | undefined;
  /** How long the batch waits for a service that is gone. */
  readonly patienceMs?: number | undefined;
}

export interface BatchPace extends OutagePace {
  /** How many items may be in the queue or running at once. Asked again whenever one has ended. */
  readonly window: () => number;
}

export interface EndedItem {
  readonly is: "ended";
  readonly status: CompletionStatus;
  readonly endedAt: number | null;
  /** Of its text and its error, in characters. */
  readonly length: number;
  readonly isTaken: boolean;
}

/** A held item becomes active; an active one is held again if it did not reach the service; both end. */
type BatchItemState =
  /** Waits for its turn. */
  | { readonly is: "held"; readonly go: () => void; readonly refuse: (why: FoundryError) => void }
  /** In the queue or running. */
  | { readonly is: "active" }
  | EndedItem;

export interface BatchItem {
  readonly index: number;
  readonly id: string;
  readonly createdAt: number;
  state: BatchItemState;
}

/** Whether items may begin. */
type Phase =
  | {
      readonly is: "open";
      /** Whether an item has met a service. If none has, there may be none to wait for. */
      readonly hasService: boolean;
    }
  | {
      /** The service is gone. One item after the other probes it, until one gets an answer. */
      readonly is: "outage";
      readonly failure: FoundryError;
      readonly since: number;
      /** Items that began since. A stream from before may go on and proves nothing. */
      readonly probes: Set<BatchItem>;
      pauseMs: number;
      timer: NodeJS.Timeout | null;
    }
  /** No item begins any more: there is no service, or it did not come back. */
  | { readonly is: "closed"; readonly reason: FoundryError };

const PAUSES_MS = [1000, 15_000] as const;
const PATIENCE_MS = 5 * 60_000;

/** Failures before which the service was not reached. */
const NOT_REACHED: ReadonlySet<ErrorCode> = new Set([
  "NO_ENDPOINT",
  "SERVICE_UNREACHABLE",
  "CIRCUIT_OPEN",
  "TIMEOUT",
]);
/** Ends of an item that do not show whether there is a service. */
const SHOW_NOTHING: ReadonlySet<ErrorCode> = new Set([
  ...NOT_REACHED,
  "INVALID_ARGUMENT",
  "CANCELLED",
  "CLIENT_CLOSED",
]);
/** Ends of an item that show that there was a service, which may be gone. */
const DIED: ReadonlySet<ErrorCode> = new Set(["SERVER_CRASHED", "STREAM_INTERRUPTED"]);

/**
 * The items of a batch: what each of them is, and whose turn it is. Items begin in order, a limited
 * number at a time. When the service is gone, the items whose prompt was never sent wait until it is back.
 */
export class BatchItems {
  readonly #pace: BatchPace;
  readonly #all: BatchItem[] = [];
  #phase: Phase = { is: "open", hasService: false };

  constructor(pace: BatchPace) {
    this.#pace = pace;
  }

  /** In the order of the input. */
  get all(): readonly BatchItem[] {
    return this.#all;
  }

  /** Why items wait for the service; `null` if they do not. */
  get outage(): FoundryError | null {
    return this.#phase.is === "outage" ? this.#phase.failure : null;
  }

  count(is: BatchItemState["is"]): number {
    return this.#all.filter(({ state }) => state.is === is).length;
  }

  add(id: string): BatchItem {
    const item: BatchItem = {
      index: this.#all.length,
      id,
      createdAt: Date.now(),
      state: { is: "active" },
    };
    this.#all.push(item);
    return item;
  }

  /** Where the completion of an item waits for its turn. */
  gateOf(item: BatchItem): Gate {
    return {
      turn: () => this.#turn(item),
      mayWait: (failure) => this.#mayWait(failure),
      met: () => this.met(),
      reached: () => this.noteService(item),
    };
  }

  /** @param code Of the error that ended the item, if one did. */
  end(item: BatchItem, state: EndedItem, code: ErrorCode | null): void {
    item.state = state;
    if (code === null || !SHOW_NOTHING.has(code)) {
      this.noteService(code !== null && DIED.has(code) ? null : item);
    }
    this.feed();
  }

  /** There is a service, or there was. */
  met(): void {
    this.noteService(null);
    // The number of places may be known only now.
    this.feed();
  }

  /**
   * There is a service, or there was.
   *
   * @param by The item that got an answer; `null`: the service may be gone again.
   */
  noteService(by: BatchItem | null): void {
    const phase = this.#phase;
    if (phase.is === "open") this.#phase = { is: "open", hasService: true };
    if (phase.is !== "outage" || by === null || !phase.probes.has(by)) return;
    this.#enter({ is: "open", hasService: true });
    this.feed();
  }

  /** Starts waiting items, up to the number that may be active. */
  feed(): void {
    const phase = this.#phase;
    if (phase.is === "open") {
      const free = this.#pace.window() - this.count("active");
      for (let begun = 0; begun < free && this.#beginNext(); ) begun += 1;
    } else if (phase.is === "outage" && this.count("active") === 0) {
      if (this.count("held") === 0) this.#enter({ is: "open", hasService: true });
      // One probe after the other, so that a service that is not back costs one attempt.
      else phase.timer ??= setTimeout(() => this.#probe(phase), phase.pauseMs);
    }
  }

  #turn(item: BatchItem): Promise<void> {
    const phase = this.#phase;
    if (phase.is === "closed") return Promise.reject(phase.reason);
    return new Promise((go, refuse) => {
      item.state = { is: "held", go, refuse };
      this.feed();
    });
  }

  #mayWait(failure: FoundryError): boolean {
    const phase = this.#phase;
    if (phase.is === "closed" || !NOT_REACHED.has(failure.code)) return false;
    const { pausesMs = PAUSES_MS, patienceMs = PATIENCE_MS } = this.#pace;
    if (phase.is === "open" && phase.hasService) {
      const own = { failure, since: performance.now(), probes: new Set<BatchItem>() };
      this.#enter({ is: "outage", pauseMs: pausesMs[0], timer: null, ...own });
      return true;
    }
    if (phase.is === "outage" && performance.now() - phase.since < patienceMs) return true;
    this.#enter({ is: "closed", reason: failure });
    return false;
  }

  #enter(phase: Phase): void {
    if (this.#phase.is === "outage") clearTimeout(this.#phase.timer ?? undefined);
    this.#phase = phase;
    if (phase.is !== "closed") return;
    for (const { state } of this.#all) if (state.is === "held") state.refuse(phase.reason);
  }

  #probe(outage: Extract<Phase, { is: "outage" }>): void {
    const [, longestMs] = this.#pace.pausesMs ?? PAUSES_MS;
    outage.timer = null;
    outage.pauseMs = Math.min(longestMs, 2 * outage.pauseMs);
    this.#beginNext();
  }

  /** Lets the first held item begin. Returns whether there was one. */
  #beginNext(): boolean {
    for (const item of this.#all) {
      const { state } = item;
      if (state.is !== "held") continue;
      item.state = { is: "active" };
      if (this.#phase.is === "outage") this.#phase.probes.add(item);
      state.go();
      return true;
    }
    return false;
  }
}
