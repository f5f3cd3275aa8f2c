import type { RequestHead } from "./wire/http.js";

/** A request that was received, and its answer so far. */
export interface ReceivedRequest {
  readonly method: string;
  /** With its query, not decoded. */
  readonly path: string;
  /** By lower-case name; the last value of a name that came twice. */
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed JSON, or the text of a body that is not JSON; `null` without a body. */
  body: unknown;
  /** The number of its connection, counted from 1: requests with equal numbers shared one. */
  readonly connection: number;
  /** `performance.now()`, as are the other times. */
  readonly startedAt: number;
  /** The kind of the fault that was applied to it. */
  readonly fault: string | null;
  /** The status that the service gave, before any fault changed it. */
  status: number | null;
  /** Tokens that its generation made, whether or not they were sent. */
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

/** Older requests are dropped, so that a simulator can run for days. */
const KEPT_REQUESTS = 10_000;

/** The received requests, and a way to wait for a change. */
export class RequestLog {
  readonly requests: ReceivedRequest[] = [];
  readonly #checks = new Set<() => void>();
  #isClosed = false;

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

  /** Only the first end counts. */
  end(request: ReceivedRequest, endedBy: NonNullable<ReceivedRequest["endedBy"]>): void {
    if (request.endedBy !== null) return;
    request.endedBy = endedBy;
    request.closedAt = performance.now();
    this.changed();
  }

  /** The service ended, and with it the requests in flight. */
  die(): void {
    for (const request of this.requests) this.end(request, "died");
    this.changed();
  }

  changed(): void {
    for (const check of [...this.#checks]) check();
  }

  /** Resolves to the first value of `predicate` that is neither `undefined`, `null` nor `false`. */
  waitFor<T>(predicate: () => T, timeoutMs: number): Promise<Exclude<T, undefined | null | false>> {
    const reached = new Promise<Exclude<T, undefined | null | false>>((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        this.#checks.delete(check);
      };
      const check = () => {
        try {
          const value = predicate();
          if (!isReached(value)) {
            if (!this.#isClosed) return;
            throw new Error("the simulator was closed before the condition was met");
          }
          stop();
          resolve(value);
        } catch (error) {
          stop();
          reject(error);
        }
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`the condition was not met within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#checks.add(check);
      check();
    });
    // A test that has failed before it awaits this has its own error.
    reached.catch(() => {});
    return reached;
  }

  /** Nothing changes any more. */
  close(): void {
    this.#isClosed = true;
    this.changed();
  }
}

function isReached<T>(value: T): value is Exclude<T, undefined | null | false> {
  return value !== undefined && value !== null && value !== false;
}
