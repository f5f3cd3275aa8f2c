import type { FoundryClient } from "../../jobs/index.js";
import {
  type Calls,
  type Histogram,
  type MetricsRecorder,
  type SecretMask,
  type Traffic,
  VERSION,
} from "../../lib/index.js";

/** Of the text format, which every scraper reads. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

const PREFIX = "foundry_local_mcp_";
const CIRCUITS = ["closed", "half-open", "open"] as const;

type Recorder = Pick<MetricsRecorder, "all" | "background">;

type Labels = Readonly<Record<string, string>>;

/** Builds a text in the exposition format of Prometheus. */
class Exposition {
  readonly #lines: string[] = [];

  /** A family of samples; without one it is left out. */
  family(
    type: "counter" | "gauge",
    name: string,
    help: string,
    samples: readonly (readonly [Labels, number])[],
  ): void {
    if (samples.length === 0) return;
    this.#head(type, name, help);
    for (const [labels, value] of samples) this.#sample(name, labels, value);
  }

  /** @param per How many of the measured unit are one of the shown, such as 1000 for seconds. */
  histograms(
    name: string,
    help: string,
    { from, to, per }: { readonly from: number; readonly to: number; readonly per: number },
    samples: readonly (readonly [Labels, Histogram])[],
  ): void {
    const filled = samples.filter(([, { count }]) => count > 0);
    if (filled.length === 0) return;
    this.#head("histogram", name, help);
    for (const [labels, histogram] of filled) {
      for (const { upTo, count } of histogram.buckets(from, to)) {
        this.#sample(`${name}_bucket`, { ...labels, le: String(upTo / per) }, count);
      }
      this.#sample(`${name}_bucket`, { ...labels, le: "+Inf" }, histogram.count);
      this.#sample(`${name}_sum`, labels, histogram.sum / per);
      this.#sample(`${name}_count`, labels, histogram.count);
    }
  }

  get text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  #head(type: string, name: string, help: string): void {
    this.#lines.push(`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} ${type}`);
  }

  #sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    const all = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
    this.#lines.push(`${PREFIX}${name}${all} ${value}`);
  }
}

const escaped = (text: string): string =>
  text.toWellFormed().replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

const SECONDS = { from: 8, to: 2 ** 20, per: 1000 };
const RATES = { from: 0.5, to: 4096, per: 1 };

/**
 * The metrics of a client as Prometheus reads them.
 *
 * @param secrets Hidden in the names of models alone: a key may be a part of a metric's name or a number.
 */
export function prometheusText(
  client: Pick<FoundryClient, "metrics"> & { readonly service: { readonly metrics: Recorder } },
  sessions: number,
  secrets: SecretMask,
): string {
  const modelOf = ({ model }: Calls): Labels => ({ model: secrets.hide(model ?? "") });
  const labelsOf = (calls: Calls): Labels => ({ operation: calls.operation, ...modelOf(calls) });
  const text = new Exposition();
  text.family("gauge", "build_info", "The version of foundry-local-mcp.", [
    [{ version: VERSION }, 1],
  ]);
  text.family("gauge", "sessions", "Sessions of clients.", [[{}, sessions]]);
  const { uptimeMs, queue, circuit } = client.metrics();
  const { all, background } = client.service.metrics;
  const completions = all.filter(({ operation }) => operation === "complete");
  text.family("gauge", "uptime_seconds", "Time since the start.", [[{}, uptimeMs / 1000]]);
  text.family("gauge", "completions_running", "Completions that run.", [[{}, queue.running]]);
  text.family("gauge", "completions_waiting", "Completions that wait in the queue.", [
    [{}, queue.waiting],
  ]);
  text.family(
    "gauge",
    "circuit_state",
    "1 for the state of the circuit breaker of the service in use.",
    circuit.state === null
      ? []
      : CIRCUITS.map((state) => [{ state }, state === circuit.state ? 1 : 0]),
  );
  text.family("counter", "circuit_changes_total", "How often a circuit breaker opened or closed.", [
    [{ to: "open" }, circuit.opened],
    [{ to: "closed" }, circuit.closed],
  ]);
  text.family(
    "counter",
    "calls_total",
    "Calls that have ended.",
    all.flatMap((calls) =>
      Object.entries(calls.outcomes).map(
        ([outcome, count]) => [{ ...labelsOf(calls), outcome }, count] as const,
      ),
    ),
  );
  text.family(
    "counter",
    "errors_total",
    "Calls that failed or were interrupted, by the code of their error.",
    all.flatMap((calls) =>
      [...calls.errors].map(([code, count]) => [{ ...labelsOf(calls), code }, count] as const),
    ),
  );
  for (const [name, help, count] of TRAFFIC) {
    text.family("counter", name, help, [
      [{ operation: "background", model: "" }, count(background)],
      ...all.map((calls) => [labelsOf(calls), count(calls.traffic)] as const),
    ]);
  }
  for (const [name, help, count] of COMPLETIONS) {
    const samples = completions.map((calls) => [modelOf(calls), count(calls)] as const);
    text.family("counter", name, help, samples);
  }
  text.histograms(
    "call_duration_seconds",
    "Duration of the calls that succeeded, without answers of the cache.",
    SECONDS,
    all.map((calls) => [labelsOf(calls), calls.latencyMs]),
  );
  text.histograms(
    "queue_wait_seconds",
    "Time of completions in the queue.",
    SECONDS,
    completions.map((calls) => [modelOf(calls), calls.queueMs]),
  );
  text.histograms(
    "first_token_seconds",
    "Time from the request to the first token.",
    SECONDS,
    completions.map((calls) => [modelOf(calls), calls.firstTokenMs]),
  );
  text.histograms(
    "tokens_per_second",
    "Tokens per second of completions.",
    RATES,
    completions.map((calls) => [modelOf(calls), calls.tokensPerSecond]),
  );
  return text.text;
}

const TRAFFIC: readonly (readonly [string, string, (traffic: Traffic) => number])[] = [
  ["requests_total", "Requests to the service, with retries and redirects.", (of) => of.requests],
  ["retries_total", "Requests and calls that were made again after a failure.", (of) => of.retries],
  ["sent_bytes_total", "Bytes of bodies sent to the service.", (of) => of.sentBytes],
  ["received_bytes_total", "Bytes of bodies received from the service.", (of) => of.receivedBytes],
];

const COMPLETIONS: readonly (readonly [string, string, (calls: Calls) => number])[] = [
  ["input_tokens_total", "Tokens of prompts, partly estimated.", (of) => of.inputTokens],
  ["output_tokens_total", "Tokens of answers, partly estimated.", (of) => of.outputTokens],
  ["cache_hits_total", "Completions that the cache answered.", (of) => of.cacheHits],
];
