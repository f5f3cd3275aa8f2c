import { Queue } from "../../../src/jobs/queue.js";

const MODEL = "talker-generic-cpu:1";
export const MINUTE_MS = 60_000;

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/** A clock that the test moves, with its timers. */
class FakeClock {
  #time = 0;
  readonly #timers = new Set<Timer>();
  /** The most timers that were set at once. */
  mostTimers = 0;

  readonly now = (): number => this.#time;

  readonly setTimer = (ms: number, fire: () => void): (() => void) => {
    const timer = { at: this.#time + ms, fire };
    this.#timers.add(timer);
    this.mostTimers = Math.max(this.mostTimers, this.#timers.size);
    return () => void this.#timers.delete(timer);
  };

  get timers(): number {
    return this.#timers.size;
  }

  /** Advances the time, and runs all timers on the way. */
  async pass(ms: number): Promise<void> {
    const end = this.#time + ms;
    await settled();
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#timers.delete(next);
      this.#time = Math.max(this.#time, next.at);
      next.fire();
      await settled();
    }
    this.#time = end;
  }
}

/** Lets admitted calls continue, which needs only microtasks. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
}

interface Enter {
  readonly name?: string;
  readonly caller?: string;
  readonly isBatch?: boolean;
  readonly model?: string;
}

export function queueOf({ rateLimit = 10, slots = 64, limit = 64 } = {}) {
  const clock = new FakeClock();
  const queue = new Queue({ limit, now: clock.now, rateLimit, setTimer: clock.setTimer });
  const starts: { readonly name: string; readonly at: number }[] = [];
  const places = new Map<string, [number, number | null][]>();
  const enter = ({ name = "", caller = "", isBatch = false, model = MODEL }: Enter = {}) => {
    const leaving = new AbortController();
    const reported: [number, number | null][] = [];
    places.set(name, reported);
    const entered = queue
      .enter(model, slots, {
        caller,
        isBatch,
        signal: leaving.signal,
        onPlace: (place, etaMs) => void reported.push([place, etaMs]),
      })
      .then((leave) => {
        starts.push({ name, at: clock.now() });
        return leave;
      });
    // A test that expects a rejection handles it itself.
    entered.catch(() => {});
    return { entered, cancel: () => leaving.abort() };
  };
  return { clock, queue, starts, enter, placesOf: (name: string) => places.get(name) };
}
