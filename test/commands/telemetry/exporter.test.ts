import { getEventListeners } from "node:events";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { TelemetryExporter } from "../../../src/commands/telemetry/exporter.js";
import { telemetryOf } from "../../../src/commands/telemetry/index.js";
import { pairsIn } from "../../../src/commands/telemetry/otlp.js";
import { SecretMask } from "../../../src/lib/index.js";
import { silentLogger } from "../../../src/log.js";
import { MODEL, talker } from "../../jobs/fixtures.js";
import { deadPort } from "../../ports.js";
import { collector } from "./collector.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const SECRET = "the prompt of a user";
const KEY = "sk-SECRET-0123456789";
const SECRETS = new SecretMask([KEY]);

async function exporting(statuses: number[] = [], environment = {}, addressOf = toFolder) {
  const receiver = await collector(statuses);
  const setup = await talker({ text: "Hello there." }, {}, { cache: 1 });
  const { client } = setup;
  const warnings: unknown[] = [];
  const log = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
  const endpoint = addressOf(receiver.url);
  const parts = { client, log, secrets: SECRETS, endpoint, environment, lastMs: 60_000 };
  return { ...setup, receiver, warnings, exporter: new TelemetryExporter(parts) };
}

const toFolder = (url: string): string => `${url}/`;

describe("the export to a collector", () => {
  it.each<[string, (url: string) => string, object, string?]>([
    [
      "a password",
      (url) => url.replace("//", "//me:w%40rd@"),
      { authorization: `Basic ${Buffer.from("me:w@rd").toString("base64")}` },
    ],
    [
      "a password that is not encoded",
      (url) => url.replace("//", "//me:50%off@"),
      { authorization: `Basic ${Buffer.from("me:50%off").toString("base64")}` },
    ],
    ["a key", (url) => `${url}/?key=abc`, {}, "key=abc"],
    ["the path of a signal", (url) => `${url}/v1/traces/`, {}],
  ])("is sent to an address with %s", async (_, addressOf, headers, query = "") => {
    const { client, receiver, warnings, exporter } = await exporting([], {}, addressOf);
    await client.complete({ prompt: SECRET });
    await exporter.close();
    expect([warnings, receiver.spans.length]).toEqual([[], 1]);
    expect(receiver.headers[0]).toMatchObject(headers);
    expect(receiver.queries[0]).toBe(query);
  });

  it("leaves nothing of a message in the signal of its own end", async () => {
    const made: AbortController[] = [];
    const Watched = class extends AbortController {
      constructor() {
        super();
        made.push(this);
      }
    };
    vi.stubGlobal("AbortController", Watched);
    const { client, receiver, exporter } = await exporting();
    vi.unstubAllGlobals();
    // Node 20 and 22 keep a reference in a signal for each one that was made of it by this.
    const joined = vi.spyOn(AbortSignal, "any");
    onTestFinished(() => void joined.mockRestore());
    await client.complete({ prompt: SECRET });
    joined.mockClear();
    await exporter.close();
    // The exporter is made last.
    const ending = made.at(-1)?.signal ?? AbortSignal.abort();
    expect(receiver.spans).toHaveLength(1);
    expect(getEventListeners(ending, "abort")).toEqual([]);
    expect(ending.aborted).toBe(false);
    expect(joined).not.toHaveBeenCalled();
  });

  it("hides a key in the names of models", async () => {
    const { client, receiver, exporter } = await exporting();
    const call = client.service.metrics.begin("complete");
    call.model = `m-${KEY}:1`;
    call.end("completed", null);
    await exporter.close();
    expect(receiver.spans).toMatchObject([
      { name: "chat m-(secret):1", attributes: { "gen_ai.request.model": "m-(secret):1" } },
    ]);
    const sent = JSON.stringify([receiver.spans, receiver.latest.metrics]);
    expect(sent).not.toContain(KEY);
    expect(JSON.stringify(receiver.latest.metrics)).toContain('"m-(secret):1"');
  });

  it("has a span for each call, with the GenAI attributes and without the texts", async () => {
    const { client, service, receiver, warnings, exporter } = await exporting();
    await client.complete({ prompt: SECRET });
    service.addFault({ kind: "status", status: 500, body: SECRET, on: { method: "POST" } });
    await client.complete({ prompt: SECRET }).catch(() => null);
    await client.listModels();
    await exporter.close();
    expect(warnings).toEqual([]);

    const port = Number(new URL(service.url).port);
    const [chat, failed, list] = receiver.spans;
    expect(receiver.faults).toEqual([]);
    expect(receiver.spans).toHaveLength(3);
    expect(chat).toMatchObject({
      name: `chat ${MODEL}`,
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "foundry_local",
        "gen_ai.request.model": MODEL,
        "gen_ai.usage.output_tokens": expect.stringMatching(/^\d+$/),
        "gen_ai.response.time_to_first_chunk": expect.any(Number),
        "server.address": "127.0.0.1",
        "server.port": String(port),
        "foundry_local_mcp.outcome": "completed",
      },
      status: {},
    });
    expect(chat).not.toHaveProperty("parentSpanId");
    expect(chat?.attributes).not.toHaveProperty("error.type");
    expect(failed).toMatchObject({
      attributes: { "error.type": "INFERENCE_FAILED" },
      status: { code: 2, message: "INFERENCE_FAILED" },
    });
    expect(list).toMatchObject({ name: "list_models" });
    expect(JSON.stringify([receiver.spans, receiver.latest])).not.toContain(SECRET);
  });

  it("belongs to the caller's trace, if it is sampled", async () => {
    const { client, receiver, warnings, exporter } = await exporting();
    const traceparent = `00-${TRACE}-${PARENT}`;
    await client.complete({ prompt: "1" }, { trace: { traceparent: `${traceparent}-01` } });
    await client.complete({ prompt: "2" }, { trace: { traceparent: `${traceparent}-00` } });
    await client.listModels({ trace: { traceparent: `${traceparent}-01` } });
    await exporter.close();
    expect(warnings).toEqual([]);
    const ids = receiver.spans.map(({ traceId, parentSpanId }) => ({ traceId, parentSpanId }));
    const own = { traceId: TRACE, parentSpanId: PARENT };
    expect(ids).toEqual([own, own]);
  });

  it("contains the metrics of all calls, with durations in seconds", async () => {
    const { client, receiver, warnings, exporter } = await exporting();
    const repeated = { prompt: "1", temperature: 0 };
    await client.complete(repeated);
    await client.complete(repeated);
    await exporter.close();
    expect(warnings).toEqual([]);
    expect(receiver.faults).toEqual([]);
    const points = (name: string): unknown => {
      const found = receiver.latest.metrics.find((metric) => metric.name === name);
      return Object.values(Object(found)).flatMap((of) => Object(of).dataPoints ?? []);
    };
    expect(points("gen_ai.client.operation.duration")).toMatchObject([{ count: "1" }]);
    expect(points("gen_ai.client.token.usage")).toMatchObject([
      { attributes: { "gen_ai.token.type": "input" }, count: "1" },
      { attributes: { "gen_ai.token.type": "output" }, count: "1" },
    ]);
    expect(points("foundry_local_mcp.calls")).toContainEqual(
      expect.objectContaining({
        attributes: expect.objectContaining({ outcome: "completed" }),
        asInt: "2",
      }),
    );
    expect(points("foundry_local_mcp.cache_hits")).toMatchObject([{ asInt: "1" }]);
    expect(points("foundry_local_mcp.completions.running")).toMatchObject([{ asInt: "0" }]);
  });

  it("is sent with the headers and the service name of the standard variables", async () => {
    const { receiver, warnings, exporter } = await exporting([], {
      OTEL_EXPORTER_OTLP_HEADERS: "x-api-key=a%20b, x-team = mine",
      OTEL_SERVICE_NAME: "mine",
      OTEL_RESOURCE_ATTRIBUTES: "service.name=other",
    });
    await exporter.close();
    expect(warnings).toEqual([]);
    expect(receiver.headers[0]).toMatchObject({ "x-api-key": "a b", "x-team": "mine" });
    expect(receiver.latest.service).toBe("mine");

    const other = await exporting([], { OTEL_RESOURCE_ATTRIBUTES: "service.name=my%20own" });
    await other.exporter.close();
    expect(other.receiver.latest.service).toBe("my own");
  });

  it("is kept while the collector is busy, and dropped where it refuses", async () => {
    const busy = await exporting([503]);
    await busy.client.listModels();
    await busy.exporter.close();
    expect(busy.receiver.spans).toEqual([]);

    const refusing = await exporting([400]);
    await refusing.client.listModels();
    await refusing.exporter.close();
    expect(refusing.receiver.spans).toEqual([]);
    expect(refusing.receiver.faults).toEqual([]);
  });

  it("is sent once where the end comes while it is being sent", async () => {
    const { client, receiver, warnings, exporter } = await exporting();
    // As many as are sent at once, without waiting for the timer.
    for (let call = 0; call < 512; call += 1) {
      client.service.metrics.begin("list").end("completed", null);
    }
    expect(receiver.spans).toHaveLength(0);
    await exporter.close();
    expect(warnings).toEqual([]);
    expect(receiver.spans).toHaveLength(512);
  });

  it("delays neither calls nor the end where no collector answers", async () => {
    const { client } = await talker({ text: "Yes." });
    const endpoint = `http://127.0.0.1:${await deadPort()}`;
    const warnings: unknown[] = [];
    const log = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
    const parts = { client, log, endpoint, secrets: SECRETS, environment: {} };
    const exporter = new TelemetryExporter(parts);
    expect(await client.complete({ prompt: "Hi" })).toMatchObject({ text: "Yes." });
    await exporter.close();
    expect(warnings).toContainEqual({ signal: "traces", detail: "ECONNREFUSED" });
  });
});

describe("the settings of telemetry", () => {
  it.each([
    ["none", {}, {}, false],
    ["FOUNDRY_OTEL", { FOUNDRY_OTEL: "http://127.0.0.1:1" }, {}, true],
    ["the standard variable", {}, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" }, true],
    ["an empty variable", {}, { OTEL_EXPORTER_OTLP_ENDPOINT: " " }, false],
    ["no URL", {}, { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317" }, false],
    [
      "OTEL_SDK_DISABLED",
      { FOUNDRY_OTEL: "http://127.0.0.1:1" },
      { OTEL_SDK_DISABLED: "true" },
      false,
    ],
  ])("%s", async (_what, settings, environment, isOn) => {
    const { client } = await talker({});
    const parts = { client, log: silentLogger, secrets: SECRETS };
    const telemetry = telemetryOf(settings, parts, environment);
    expect(telemetry !== undefined).toBe(isOn);
    await telemetry?.close();
  });

  it.each([
    ["", {}],
    ["a=1", { a: "1" }],
    ["a=b%3Dc,d=%", { a: "b=c", d: "%" }],
    ["=x,y", {}],
  ])("parses the pairs of %j", (text, headers) => {
    expect(pairsIn(text)).toEqual(headers);
  });
});
