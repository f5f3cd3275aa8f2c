import { randomBytes, randomUUID } from "node:crypto";
import {
  type Calls,
  type EndedCall,
  type Histogram,
  type MetricsRecorder,
  type Operation,
  percentDecoded,
  type SecretMask,
  traceIdsOf,
  VERSION,
} from "../../lib/index.js";
import type { Environment } from "../../settings.js";

/** Messages of OTLP in JSON, with the names of the semantic conventions for generative AI. */

/** A number that is never an integer of the schema, whatever its value. */
interface Double {
  readonly double: number;
}
type Value = string | number | boolean | Double;
type Attributes = Readonly<Record<string, Value | null | undefined>>;

const SERVICE = "foundry-local-mcp";
const PROVIDER = "foundry_local";
const KIND_CLIENT = 3;
const STATUS_ERROR = 2;
const CUMULATIVE = 2;

const OPERATION_NAMES: Readonly<Record<Operation, string>> = {
  complete: "chat",
  embed: "embeddings",
  list: "list_models",
  load: "load_model",
  download: "download_model",
  unload: "unload_model",
};

const attributes = (given: Attributes) =>
  Object.entries(given).flatMap(([key, value]) =>
    value === null || value === undefined ? [] : [{ key, value: anyValue(value) }],
  );

function anyValue(value: Value) {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "object") return { doubleValue: value.double };
  // Numbers of 64 bits are texts in the JSON of protocol buffers.
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

const nanoseconds = (ms: number): string => String(BigInt(Math.round(ms * 1000)) * 1000n);

const secondsOf = (ms: number | null | undefined): Double | null =>
  ms === null || ms === undefined ? null : { double: ms / 1000 };

/** What describes this process: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` outrank it. */
function resourceOf(environment: Environment) {
  const name = environment["OTEL_SERVICE_NAME"] || undefined;
  return {
    attributes: attributes({
      "service.name": SERVICE,
      "service.version": VERSION,
      "service.instance.id": INSTANCE,
      ...pairsIn(environment["OTEL_RESOURCE_ATTRIBUTES"] ?? ""),
      ...(name === undefined ? {} : { "service.name": name }),
    }),
  };
}

const started = Date.now();
const INSTANCE = randomUUID();

const SCOPE = { name: SERVICE, version: VERSION };

/** What a call and a metric have in common. */
const common = (operation: Operation, model: string | null): Attributes => ({
  "gen_ai.operation.name": OPERATION_NAMES[operation],
  "gen_ai.provider.name": PROVIDER,
  "gen_ai.request.model": model,
});

const shownModel = (model: string | null, secrets: SecretMask): string | null =>
  model === null ? null : secrets.hide(model);

/** The span of a call; `null` where its caller does not record the trace. */
export function spanOf(call: EndedCall, endpoint: string | null, secrets: SecretMask) {
  const parent = traceIdsOf(call.traceparent);
  if (parent !== null && !parent.isSampled) return null;
  const { operation, code, endedAt, durationMs, answer, traffic, outcome } = call;
  const model = shownModel(call.model, secrets);
  const { hostname, port } = endpoint === null ? { hostname: null, port: "" } : new URL(endpoint);
  const isError = outcome === "failed" || outcome === "interrupted";
  const name = OPERATION_NAMES[operation];
  return {
    traceId: parent?.traceId ?? randomBytes(16).toString("hex"),
    spanId: randomBytes(8).toString("hex"),
    ...(parent === null ? {} : { parentSpanId: parent.spanId }),
    name: model === null ? name : `${name} ${model}`,
    kind: KIND_CLIENT,
    startTimeUnixNano: nanoseconds(endedAt - durationMs),
    endTimeUnixNano: nanoseconds(endedAt),
    attributes: attributes({
      ...common(operation, model),
      "gen_ai.response.model": answer === null ? null : model,
      "gen_ai.usage.input_tokens": answer?.inputTokens,
      "gen_ai.usage.output_tokens": answer?.outputTokens,
      "error.type": isError ? code : null,
      "server.address": hostname,
      "server.port": port === "" ? null : Number(port),
      "foundry_local_mcp.outcome": outcome,
      "foundry_local_mcp.cached": answer?.cached,
      "foundry_local_mcp.queue_ms": answer?.queueMs,
      "gen_ai.response.time_to_first_chunk": secondsOf(answer?.firstTokenMs),
      "foundry_local_mcp.requests": traffic.requests,
      "foundry_local_mcp.retries": traffic.retries,
    }),
    status: isError ? { code: STATUS_ERROR, message: code ?? outcome } : {},
  };
}

export type Span = NonNullable<ReturnType<typeof spanOf>>;

/** An ExportTraceServiceRequest. */
export const traceRequest = (spans: readonly Span[], environment: Environment) => ({
  resourceSpans: [{ resource: resourceOf(environment), scopeSpans: [{ scope: SCOPE, spans }] }],
});

/** An ExportMetricsServiceRequest with all counts since the start. */
export function metricsRequest(
  recorder: Pick<MetricsRecorder, "all">,
  queue: { readonly running: number; readonly waiting: number },
  environment: Environment,
  secrets: SecretMask,
) {
  const times = { startTimeUnixNano: nanoseconds(started), timeUnixNano: nanoseconds(Date.now()) };
  const { all } = recorder;
  const completions = all.filter(({ operation }) => operation === "complete");
  const of = ({ operation, model }: Calls, more: Attributes = {}): Attributes => ({
    ...common(operation, shownModel(model, secrets)),
    ...more,
  });
  const sum = (name: string, unit: string, points: readonly (readonly [Attributes, number])[]) => ({
    name,
    unit,
    sum: {
      aggregationTemporality: CUMULATIVE,
      isMonotonic: true,
      dataPoints: points.map(([given, value]) => ({
        ...times,
        attributes: attributes(given),
        asInt: String(value),
      })),
    },
  });
  const gauge = (name: string, value: number) => ({
    name,
    unit: "{completion}",
    gauge: { dataPoints: [{ timeUnixNano: times.timeUnixNano, asInt: String(value) }] },
  });
  const histogram = (
    name: string,
    scale: Scale,
    points: readonly (readonly [Attributes, Histogram])[],
  ) => ({
    name,
    unit: scale.unit,
    histogram: {
      aggregationTemporality: CUMULATIVE,
      dataPoints: points
        .filter(([, { count }]) => count > 0)
        .map(([given, measured]) => ({
          ...times,
          attributes: attributes(given),
          ...bucketsOf(measured, scale),
        })),
    },
  });
  const seconds = (name: string, from: readonly Calls[], timesOf: (calls: Calls) => Histogram) =>
    histogram(
      name,
      SECONDS,
      from.map((calls) => [of(calls), timesOf(calls)]),
    );
  const tokens = completions.flatMap((calls): [Attributes, Histogram][] => [
    [of(calls, { "gen_ai.token.type": "input" }), calls.promptTokens],
    [of(calls, { "gen_ai.token.type": "output" }), calls.answerTokens],
  ]);
  const outcomes = all.flatMap((calls) =>
    Object.entries(calls.outcomes).map(([outcome, n]) => [of(calls, { outcome }), n] as const),
  );
  const errors = all.flatMap((calls) =>
    [...calls.errors].map(([code, n]) => [of(calls, { "error.type": code }), n] as const),
  );
  const retries = all.map((calls) => [of(calls), calls.traffic.retries] as const);
  const cacheHits = completions.map((calls) => [of(calls), calls.cacheHits] as const);
  const metrics = [
    seconds("gen_ai.client.operation.duration", all, ({ latencyMs }) => latencyMs),
    histogram("gen_ai.client.token.usage", TOKENS, tokens),
    seconds(
      "gen_ai.client.operation.time_to_first_chunk",
      completions,
      ({ firstTokenMs }) => firstTokenMs,
    ),
    seconds("foundry_local_mcp.queue", completions, ({ queueMs }) => queueMs),
    sum("foundry_local_mcp.calls", "{call}", outcomes),
    sum("foundry_local_mcp.errors", "{call}", errors),
    sum("foundry_local_mcp.retries", "{request}", retries),
    sum("foundry_local_mcp.cache_hits", "{completion}", cacheHits),
    gauge("foundry_local_mcp.completions.running", queue.running),
    gauge("foundry_local_mcp.completions.waiting", queue.waiting),
  ];
  const scopeMetrics = [{ scope: SCOPE, metrics }];
  return { resourceMetrics: [{ resource: resourceOf(environment), scopeMetrics }] };
}

interface Scale {
  readonly unit: string;
  readonly from: number;
  readonly to: number;
  /** How many of the measured unit are one of the exported. */
  readonly per: number;
}

const SECONDS: Scale = { unit: "s", from: 8, to: 2 ** 20, per: 1000 };
const TOKENS: Scale = { unit: "{token}", from: 1, to: 2 ** 20, per: 1 };

function bucketsOf(measured: Histogram, { from, to, per }: Scale) {
  const cumulative = measured.buckets(from, to);
  const counts = cumulative.map(({ count }, index) => count - (cumulative[index - 1]?.count ?? 0));
  const above = measured.count - (cumulative.at(-1)?.count ?? 0);
  return {
    count: String(measured.count),
    sum: measured.sum / per,
    explicitBounds: cumulative.map(({ upTo }) => upTo / per),
    bucketCounts: [...counts, above].map(String),
  };
}

/** `name=value,name=value`, with values that are percent-encoded. */
export function pairsIn(text: string): Record<string, string> {
  const pairs = text.split(",").flatMap((pair): [string, string][] => {
    const at = pair.indexOf("=");
    if (at <= 0) return [];
    return [[pair.slice(0, at).trim(), percentDecoded(pair.slice(at + 1).trim())]];
  });
  return Object.fromEntries(pairs);
}
