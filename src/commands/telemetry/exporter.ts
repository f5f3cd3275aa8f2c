import type { FoundryClient } from "../../jobs/index.js";
import { joinedSignal, printable, type SecretMask, withoutCredentials } from "../../lib/index.js";
import type { Logger } from "../../log.js";
import type { Environment } from "../../settings.js";
import { metricsRequest, pairsIn, type Span, spanOf, traceRequest } from "./otlp.js";

/** Spans that wait while the collector does not answer; the oldest are dropped first. */
const MOST_SPANS = 2048;
const SPANS_AT_ONCE = 512;
const SPANS_MS = 5000;
const METRICS_MS = 60_000;
const ANSWER_MS = 10_000;
const LAST_MS = 1500;

interface ExporterParts {
  readonly client: Pick<FoundryClient, "service" | "metrics">;
  readonly log: Logger;
  /** Hidden in the names of models. */
  readonly secrets: SecretMask;
  /** Without the path of a signal. */
  readonly endpoint: string;
  readonly environment: Environment;
  /** The end of the server is not held up for longer. Default: 1500. */
  readonly lastMs?: number;
}

type Signal = "traces" | "metrics";

/**
 * Sends the spans and metrics of a client to a collector, over OTLP/HTTP in JSON. Nothing of a prompt or an
 * answer is in them. What fails to be sent never affects a call.
 */
export class TelemetryExporter {
  readonly #parts: ExporterParts;
  readonly #spans: Span[] = [];
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #ending = new AbortController();
  #sending: Promise<void> | null = null;
  /** Until the collector takes such a message again, its failures are not logged once more. */
  readonly #failing = new Set<Signal>();

  constructor(parts: ExporterParts) {
    this.#parts = parts;
    const { client, secrets } = parts;
    client.service.metrics.onEnded = (call) => {
      const span = spanOf(call, client.metrics().endpoint, secrets);
      if (span === null) return;
      this.#spans.push(span);
      this.#dropOldest();
      // While the collector fails, the timer alone tries it again.
      if (this.#spans.length >= SPANS_AT_ONCE && !this.#failing.has("traces")) void this.#flush();
    };
    this.#timers = [
      setInterval(() => void this.#flush(), SPANS_MS).unref(),
      setInterval(() => void this.#sendMetrics(), METRICS_MS).unref(),
    ];
  }

  /** Sends what is left, within a bounded time. */
  async close(): Promise<void> {
    this.#parts.client.service.metrics.onEnded = null;
    for (const timer of this.#timers) clearInterval(timer);
    // One limit for all that is sent, also for what is in flight: it may have arrived already.
    const limit = setTimeout(() => this.#ending.abort(), this.#parts.lastMs ?? LAST_MS);
    const lastSpans = async (): Promise<void> => {
      await this.#sending;
      await this.#sendSpans();
    };
    await Promise.all([lastSpans(), this.#sendMetrics()]);
    clearTimeout(limit);
  }

  async #flush(): Promise<void> {
    this.#sending ??= this.#sendSpans().finally(() => {
      this.#sending = null;
    });
    await this.#sending;
  }

  async #sendSpans(): Promise<void> {
    while (this.#spans.length > 0) {
      const spans = this.#spans.splice(0, SPANS_AT_ONCE);
      const outcome = await this.#send("traces", traceRequest(spans, this.#parts.environment));
      if (outcome === "sent") continue;
      // A refusal is the same for the same spans.
      if (outcome === "later") {
        this.#spans.unshift(...spans);
        this.#dropOldest();
      }
      return;
    }
  }

  #dropOldest(): void {
    this.#spans.splice(0, Math.max(0, this.#spans.length - MOST_SPANS));
  }

  async #sendMetrics(): Promise<void> {
    const { client, environment, secrets } = this.#parts;
    const { queue } = client.metrics();
    await this.#send(
      "metrics",
      metricsRequest(client.service.metrics, queue, environment, secrets),
    );
  }

  async #send(signal: Signal, message: object): Promise<"sent" | "refused" | "later"> {
    const { endpoint, environment } = this.#parts;
    const limit = joinedSignal(AbortSignal.timeout(ANSWER_MS), this.#ending.signal);
    try {
      const { url, authorization } = addressOf(endpoint, signal);
      const headers = new Headers(pairsIn(environment["OTEL_EXPORTER_OTLP_HEADERS"] ?? ""));
      if (authorization !== null && !headers.has("authorization")) {
        headers.set("authorization", authorization);
      }
      headers.set("content-type", "application/json");
      const answer = await fetch(url, {
        method: "POST",
        headers,
        body: JSON.stringify(message),
        redirect: "error",
        signal: limit.signal,
      });
      await answer.body?.cancel();
      if (answer.ok) {
        this.#failing.delete(signal);
        return "sent";
      }
      this.#failed(signal, `status ${answer.status}`);
      return answer.status === 429 || answer.status >= 502 ? "later" : "refused";
    } catch (error) {
      this.#failed(signal, reason(error));
      return "later";
    } finally {
      limit.dispose();
    }
  }

  #failed(signal: Signal, why: string): void {
    const level = this.#failing.has(signal) ? "debug" : "warn";
    this.#failing.add(signal);
    this.#parts.log[level]({ signal, detail: printable(why, 200) }, "telemetry was not sent");
  }
}

/** The address for a signal: behind the path, before a query with a key. `fetch` takes no password in it. */
function addressOf(endpoint: string, signal: Signal) {
  const { endpoint: plain, authorization } = withoutCredentials(endpoint);
  const url = new URL(plain);
  url.hash = "";
  // Other programs are given the address of one signal.
  const base = url.pathname.replace(/(?:\/v1\/(?:traces|metrics|logs))?\/*$/, "");
  url.pathname = `${base}/v1/${signal}`;
  return { url, authorization };
}

/** Without the message, which may quote a header or the address, with its key. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  const { code }: { code?: unknown } = Object(error.cause);
  return typeof code === "string" ? code : error.name;
}
