import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import * as z from "zod";

/** The messages of OTLP in JSON, as far as ours have them; strict, so that a wrong name is found. */
const digits = z.string().regex(/^\d+$/);
const value = z.union([
  z.strictObject({ stringValue: z.string() }),
  z.strictObject({ boolValue: z.boolean() }),
  z.strictObject({ intValue: digits }),
  z.strictObject({ doubleValue: z.number() }),
]);
const attributes = z
  .array(z.strictObject({ key: z.string().min(1), value }))
  .transform((list) =>
    Object.fromEntries(list.map((one) => [one.key, Object.values(one.value)[0]])),
  );
const resource = z.strictObject({ attributes });
const scope = z.strictObject({ name: z.string(), version: z.string() });
const span = z.strictObject({
  traceId: z.string().regex(/^[\da-f]{32}$/),
  spanId: z.string().regex(/^[\da-f]{16}$/),
  parentSpanId: z
    .string()
    .regex(/^[\da-f]{16}$/)
    .optional(),
  name: z.string(),
  kind: z.literal(3),
  startTimeUnixNano: digits,
  endTimeUnixNano: digits,
  attributes,
  status: z.strictObject({ code: z.literal(2).optional(), message: z.string().optional() }),
});
const traces = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource,
      scopeSpans: z.array(z.strictObject({ scope, spans: z.array(span) })),
    }),
  ),
});
const times = { startTimeUnixNano: digits, timeUnixNano: digits, attributes };
const named = { name: z.string(), unit: z.string() };
const metric = z.union([
  z.strictObject({
    ...named,
    sum: z.strictObject({
      aggregationTemporality: z.literal(2),
      isMonotonic: z.literal(true),
      dataPoints: z.array(z.strictObject({ ...times, asInt: digits })),
    }),
  }),
  z.strictObject({
    ...named,
    gauge: z.strictObject({
      dataPoints: z.array(z.strictObject({ timeUnixNano: digits, asInt: digits })),
    }),
  }),
  z.strictObject({
    ...named,
    histogram: z.strictObject({
      aggregationTemporality: z.literal(2),
      dataPoints: z.array(
        z
          .strictObject({
            ...times,
            count: digits,
            sum: z.number(),
            explicitBounds: z.array(z.number()),
            bucketCounts: z.array(digits),
          })
          .refine((point) => point.bucketCounts.length === point.explicitBounds.length + 1)
          .refine(
            ({ bucketCounts, count }) =>
              bucketCounts.reduce((sum, each) => sum + Number(each), 0) === Number(count),
          ),
      ),
    }),
  }),
]);
const metrics = z.strictObject({
  resourceMetrics: z.array(
    z.strictObject({
      resource,
      scopeMetrics: z.array(z.strictObject({ scope, metrics: z.array(metric) })),
    }),
  ),
});

export type ReceivedSpan = z.output<typeof span>;
export type ReceivedMetric = z.output<typeof metric>;

/** A collector that checks the schema of what it receives. It ends with the test. */
export async function collector(statuses: number[] = []) {
  const spans: ReceivedSpan[] = [];
  const latest: { metrics: readonly ReceivedMetric[]; service: unknown } = {
    metrics: [],
    service: null,
  };
  const headers: Readonly<Record<string, unknown>>[] = [];
  const faults: unknown[] = [];
  const queries: string[] = [];
  const receive = (path: string, body: unknown): void => {
    if (path === "/v1/traces") {
      const { resourceSpans } = traces.parse(body);
      for (const { scopeSpans } of resourceSpans) {
        for (const one of scopeSpans) spans.push(...one.spans);
      }
    } else if (path === "/v1/metrics") {
      const [first] = metrics.parse(body).resourceMetrics;
      latest.service = first?.resource.attributes["service.name"];
      latest.metrics = first?.scopeMetrics.flatMap((one) => one.metrics) ?? [];
    } else {
      throw new Error(`no such path: ${path}`);
    }
  };
  const server = createServer(async (request, response) => {
    const body = await text(request);
    headers.push(request.headers);
    const [path = "", query = ""] = request.url?.split("?") ?? [];
    queries.push(query);
    const status = path === "/v1/traces" ? (statuses.shift() ?? 200) : 200;
    try {
      if (status === 200) receive(path, JSON.parse(body));
    } catch (error) {
      faults.push(error);
    }
    response.writeHead(status, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port }: Partial<AddressInfo> = Object(server.address());
  return { url: `http://127.0.0.1:${port}`, spans, latest, headers, queries, faults };
}
