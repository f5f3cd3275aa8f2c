import { setImmediate, setTimeout } from "node:timers/promises";

/** The calls of tools that have not been answered yet. */
export class CallsInFlight {
  readonly #calls = new Set<Promise<unknown>>();

  add(call: Promise<unknown>): void {
    this.#calls.add(call);
    const done = (): void => void this.#calls.delete(call);
    call.then(done, done);
  }

  /** Resolves when all have been answered, at the latest after so many milliseconds. */
  async answered(withinMs: number): Promise<void> {
    const late = setTimeout(withinMs, undefined, { ref: false });
    await Promise.race([Promise.allSettled([...this.#calls]), late]);
    // What a handler returns is sent some promises later.
    await setImmediate();
  }
}
