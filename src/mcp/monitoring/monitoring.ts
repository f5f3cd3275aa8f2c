import type { Health } from "../../foundry/index.js";
import type { ClientMetrics, FoundryClient } from "../../jobs/index.js";
import { inSnakeCase, type SecretMask, VERSION } from "../../lib/index.js";
import { serverWords } from "../../server-words.js";
import type { Backend } from "../backend.js";
import { PAGE, PAGE_HEADERS } from "./page.js";
import { PROMETHEUS_TYPE, prometheusText } from "./prometheus.js";

/** How old a health check may be that is shown. A search for a service that is gone takes longer. */
const HEALTH_MS = 1000;
const SEARCH_MS = 10_000;
const NO_STORE = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** What an operator of a server over HTTP sees: the page, its data, and the metrics for Prometheus. */
export class Monitoring {
  /** The page has no data: that is asked for with the key that is typed into it. */
  static readonly OPEN_PATH = "/";

  readonly #client: FoundryClient;
  readonly #secrets: SecretMask;
  readonly #sessions: () => number;
  readonly #samples = new Samples();
  readonly #timer: NodeJS.Timeout;
  #health: { readonly checked: Promise<Health>; until: number } | null = null;

  constructor({ client, secrets }: Backend, sessions: () => number) {
    this.#client = client;
    this.#secrets = secrets;
    this.#sessions = sessions;
    this.#samples.take(client.metrics());
    this.#timer = setInterval(() => this.#samples.take(client.metrics()), SAMPLE_MS).unref();
  }

  /** The answer to a GET of one of its paths; `null`: of another one. */
  async answer(path: string): Promise<Response | null> {
    if (path === Monitoring.OPEN_PATH) return new Response(PAGE, { headers: PAGE_HEADERS });
    if (path === "/metrics") {
      const text = prometheusText(this.#client, this.#sessions(), this.#secrets);
      return new Response(text, { headers: { ...NO_STORE, "content-type": PROMETHEUS_TYPE } });
    }
    if (path === "/status") return Response.json(await this.#status(), { headers: NO_STORE });
    return null;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #status(): Promise<unknown> {
    const health = await this.#checked();
    const status = {
      version: VERSION,
      sessions: this.#sessions(),
      health: {
        ...health,
        problems: health.problems.map(({ what, fix }) => ({
          what: serverWords(what),
          fix: serverWords(fix),
        })),
      },
      metrics: this.#client.metrics(),
      sampleMs: SAMPLE_MS,
      samples: this.#samples.all,
    };
    return this.#secrets.hideIn(inSnakeCase(status));
  }

  /** Concurrent readers share one check. */
  async #checked(): Promise<Health> {
    const now = performance.now();
    if (this.#health === null || now > this.#health.until) {
      const checked = this.#client.healthCheck();
      const entry = { checked, until: Number.POSITIVE_INFINITY };
      this.#health = entry;
      checked.then(
        ({ endpoint }) => {
          entry.until = performance.now() + (endpoint === null ? SEARCH_MS : HEALTH_MS);
        },
        // The end of the client; the request that waits for it has the error.
        () => {
          this.#health = null;
        },
      );
    }
    return this.#health.checked;
  }
}

/** What happened between two samples, and how the queue stood at the second. */
interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Completions that ended well, and that failed or were interrupted. */
  readonly completed: number;
  readonly failed: number;
  readonly outputTokens: number;
  /** The mean of the completions that ended; `null`: none did. */
  readonly latencyMs: number | null;
  readonly firstTokenMs: number | null;
  readonly running: number;
  readonly waiting: number;
}

interface Mean {
  readonly count: number;
  readonly sum: number;
}

export const SAMPLE_MS = 10_000;
const HOUR_MS = 3_600_000;
const MOST_SAMPLES = HOUR_MS / SAMPLE_MS;

/** The last hour of a client, one sample each ten seconds. */
export class Samples {
  readonly #samples: Sample[] = [];
  #last: ReturnType<typeof sumsOf> | null = null;

  /** The oldest first. */
  get all(): readonly Sample[] {
    return this.#samples;
  }

  /** Takes a sample. The first call only remembers where the counts begin. */
  take(metrics: Pick<ClientMetrics, "operations" | "queue">, at = Date.now()): void {
    const sums = sumsOf(metrics);
    const last = this.#last;
    this.#last = sums;
    if (last === null) return;
    this.#samples.push({
      at,
      completed: sums.completed - last.completed,
      failed: sums.failed - last.failed,
      outputTokens: sums.outputTokens - last.outputTokens,
      latencyMs: meanSince(last.latency, sums.latency),
      firstTokenMs: meanSince(last.firstToken, sums.firstToken),
      ...metrics.queue,
    });
    if (this.#samples.length > MOST_SAMPLES) this.#samples.shift();
  }
}

/** Of all completions. */
function sumsOf({ operations }: Pick<ClientMetrics, "operations">) {
  const completions = operations.filter(({ operation }) => operation === "complete");
  const sum = (of: (each: (typeof completions)[number]) => number): number =>
    completions.reduce((all, each) => all + of(each), 0);
  const meanOf = (name: "latencyMs" | "firstTokenMs"): Mean => ({
    count: sum((each) => each[name]?.count ?? 0),
    sum: sum((each) => each[name]?.sum ?? 0),
  });
  return {
    completed: sum(({ completed }) => completed),
    failed: sum(({ failed, interrupted }) => failed + interrupted),
    outputTokens: sum(({ outputTokens }) => outputTokens),
    latency: meanOf("latencyMs"),
    firstToken: meanOf("firstTokenMs"),
  };
}

function meanSince(before: Mean, now: Mean): number | null {
  const count = now.count - before.count;
  return count === 0 ? null : Math.round((now.sum - before.sum) / count);
}
