import type { RequestHead } from "./wire/head.js";

/** A request as it was received, and what became of it. Grows while it is being answered. */
export interface ReceivedRequest {
  readonly method: string;
  /** With its query, not decoded. */
  readonly path: string;
  /** Lower-case names; of a name that came twice, the last. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON, or the text where it is none; `null` when there was no body. */
  body: unknown;
  /** Counts the connections since the start, from 1: equal numbers came on one connection. */
  readonly connection: number;
  /** `performance.now()`, as are the other times. */
  readonly startedAt: number;
  /** The kind of the fault that met this request. */
  readonly fault: string | null;
  /** The status that the service gave, before any fault changed it. */
  status: number | null;
  /** Tokens this request's generation made, whether or not anybody read them. */
  tokensGenerated: number;
  /** Tokens written to the client. */
  tokensSent: number;
  /**
   * `null` while it is being answered. `"client-gone"`: the client closed before the answer was
   * complete, however far the service then went on. `"died"`: the service ended.
   */
  endedBy: "answered" | "client-gone" | "fault" | "died" | null;
  closedAt: number | null;
}

type Check = () => void;

/** Older ones are forgotten, so that a simulator can run for days. */
const KEPT_REQUESTS = 10_000;

/** Everything that was received, and a way to wait until something is true of it. */
export class RequestLog {
  readonly requests: ReceivedRequest[] = [];
  readonly #checks = new Set<Check>();

  add(head: RequestHead, connection: number, fault: string | null): ReceivedRequest {
    const request: ReceivedRequest = {
      method: head.method,
      path: head.target,
      headers: Object.fromEntries(head.headers.map(([name, value]) => [name.toLowerCase(), value])),
      body: null,
      connection,
      startedAt: performance.now(),
      fault,
      status: null,
      tokensGenerated: 0,
      tokensSent: 0,
      endedBy: null,
      closedAt: null,
    };
    this.requests.push(request);
    if (this.requests.length > KEPT_REQUESTS) this.requests.shift();
    this.changed();
    return request;
  }

  /** The first end counts: who went before the answer was complete stays gone. */
  end(request: ReceivedRequest, endedBy: NonNullable<ReceivedRequest["endedBy"]>): void {
    if (request.endedBy !== null) return;
    request.endedBy = endedBy;
    request.closedAt = performance.now();
    this.changed();
  }

  /** The service ended, and with it everything that was not answered. */
  die(): void {
    for (const request of this.requests) this.end(request, "died");
    this.changed();
  }

  changed(): void {
    for (const check of [...this.#checks]) check();
  }

  /** Resolves to the first value of `predicate` that is neither `undefined`, `null` nor `false`. */
  waitFor<T>(predicate: () => T, timeoutMs: number): Promise<Exclude<T, undefined | null | false>> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        this.#checks.delete(check);
      };
      const check = () => {
        try {
          const value = predicate();
          if (!isReached(value)) return;
          stop();
          resolve(value);
        } catch (error) {
          stop();
          reject(error);
        }
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`what was waited for did not come true within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#checks.add(check);
      check();
    });
  }
}

function isReached<T>(value: T): value is Exclude<T, undefined | null | false> {
  return value !== undefined && value !== null && value !== false;
}
