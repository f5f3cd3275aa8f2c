import type { Completion, CompletionEvent } from "../foundry/index.js";
import { hasEnded, type OpenedCompletion, type OpenParts } from "../jobs/index.js";
import { closedError, deferred, type FoundryError, onAbort } from "../lib/index.js";
import type { Patch, WireState } from "./messages.js";
import { fromWire, interrupted, patched } from "./states.js";

/** A completion that the keeper or another server runs, or that has ended there. */
export class RemoteCompletion implements OpenedCompletion {
  readonly #cancel: () => void;
  readonly #parts: OpenParts;
  #state: WireState;
  #left: FoundryError | null = null;
  #wake = (): void => {};

  /**
   * @param parts Of the run that reads it.
   * @param cancel Asks for its stop.
   */
  constructor(state: WireState, parts: OpenParts, cancel: () => void) {
    this.#state = state;
    this.#parts = parts;
    this.#cancel = cancel;
  }

  update(patch: Patch): void {
    this.#state = patched(patch, this.#state);
    this.#wake();
  }

  /** The connection to the keeper has ended, or this process ends. */
  leave(why: "keeper ended" | "closing"): void {
    this.#left ??= why === "closing" ? closedError() : keeperEnded();
    this.#wake();
  }

  snapshot(): Completion {
    const completion = fromWire(this.#state);
    if (this.#left === null || hasEnded(completion)) return completion;
    return { ...completion, status: "interrupted" };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CompletionEvent, void> {
    const unlisten = onAbort(this.#parts.signal, this.#cancel);
    try {
      yield* this.#events();
    } finally {
      unlisten();
    }
  }

  async *#events(): AsyncGenerator<CompletionEvent, void> {
    let before: WireState | null = null;
    for (;;) {
      const changed = deferred();
      this.#wake = changed.resolve;
      const now = this.#state;
      yield* eventsBetween(before, now);
      before = now;
      const state = fromWire(now);
      if (hasEnded(state)) {
        if (state.error !== null) throw state.error;
        yield { type: "completed", completion: state };
        return;
      }
      if (this.#left !== null) throw this.#left;
      const { place, etaMs, news } = state;
      this.#parts.onPlace(place, etaMs);
      if (news !== null) this.#parts.onStatus({ step: "loading", message: news, percent: null });
      if (this.#state === now) await changed.promise;
    }
  }
}

function* eventsBetween(before: WireState | null, now: WireState): Generator<CompletionEvent> {
  const { status, model, text, reasoning } = now;
  const isBegun = status === "loading" || status === "running";
  if (isBegun && model !== null && status !== before?.status)
    yield { type: "status", status, model };
  // What was there before is not news to a caller that waits.
  if (before === null) return;
  const thought = (reasoning ?? "").slice(before.reasoning?.length ?? 0);
  if (thought !== "") yield { type: "reasoning", text: thought };
  const goesOn = text.startsWith(before.text);
  if (!goesOn) yield { type: "text_dropped" };
  const more = goesOn ? text.slice(before.text.length) : text;
  if (more !== "") yield { type: "text", text: more };
}

const keeperEnded = (): FoundryError =>
  interrupted(
    "The process that generated this answer ended.",
    "Ask again; the text so far is incomplete.",
  );
