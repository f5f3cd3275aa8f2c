import { describe, expect, it } from "vitest";
import { FoundryClient } from "../../src/jobs/index.js";
import { type Logger, silentLogger } from "../../src/log.js";
import { talker } from "../jobs/fixtures.js";
import { httpService } from "./dialects/http-service.js";
import { askedOf, clientOf, simulate } from "./fixtures.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${TRACE}-b7ad6b7169203331-01`;
const OTHER = `00-${TRACE}-00f067aa0ba902b7-00`;
const MODEL = "quiet-generic-cpu:1";

/** What each request on a path had in these headers. */
const headersOf = (simulator: Awaited<ReturnType<typeof simulate>>, path: string) =>
  askedOf(simulator, path).map(({ headers }) => ({
    traceparent: headers["traceparent"],
    id: headers["x-request-id"],
  }));

/** A logger that keeps its lines of this level. */
function linesAt(level: "debug" | "info") {
  const lines: Record<string, unknown>[] = [];
  const log: Logger = {
    ...silentLogger,
    [level]: (fields: object, msg: string) => void lines.push({ ...fields, msg }),
  };
  return { lines, log };
}

describe("the trace of a caller", () => {
  it.each(["S", "C1", "C2"] as const)(
    "is in the requests of a completion on %s, its load included",
    async (dialect) => {
      const simulator = await simulate({
        dialect,
        models: [{ id: MODEL, script: { text: "Hi." } }],
      });
      const client = clientOf(simulator.url);
      const { id } = await client.complete(
        { prompt: "Hi", model: MODEL },
        { trace: { traceparent, tracestate: "congo=t61rcWkgMzE" } },
      );
      const [chat, ...others] = headersOf(simulator, "/v1/chat/completions");
      const loads = simulator.requests.filter(({ path }) => /\/load\//.test(path));
      expect([chat, ...others]).toEqual([{ traceparent, id }]);
      expect(loads.map(({ headers }) => headers["traceparent"])).toEqual([traceparent]);
      expect(askedOf(simulator, "/v1/chat/completions")[0]?.headers).toMatchObject({
        tracestate: "congo=t61rcWkgMzE",
      });
    },
  );

  it("is in the requests of a list, a load and an unload, each with an id", async () => {
    const simulator = await simulate({ dialect: "C1", models: [{ id: MODEL }] });
    const client = clientOf(simulator.url);
    const trace = { traceparent, id: "call-1" };
    await client.listModels({ trace });
    await client.loadModel(MODEL, { trace });
    await client.unloadModel(MODEL, { trace });
    const seen = ["/v1/models", "/models/load/", "/models/unload/"].map((path) =>
      headersOf(simulator, path).at(-1),
    );
    expect(seen).toEqual(seen.map(() => ({ traceparent, id: "call-1" })));
  });

  it("is in the requests of embeddings, and of each completion of a batch", async () => {
    const seen: unknown[] = [];
    const { url } = await httpService(({ url: path, headers }, response) => {
      if (path === "/v1/models") return response.end('{"data":[{"id":"m"}]}');
      if (path !== "/v1/embeddings" && path !== "/v1/chat/completions") {
        return response.writeHead(404).end();
      }
      seen.push(headers["traceparent"]);
      return response.end(
        path === "/v1/embeddings"
          ? '{"data":[{"index":0,"embedding":[1,2]}]}'
          : '{"choices":[{"message":{"content":"Hi."},"finish_reason":"stop"}]}',
      );
    });
    const client = clientOf(url);
    const trace = { traceparent };
    await client.embed(["a"], { model: "m", trace });
    const requests = [
      { prompt: "a", model: "m" },
      { prompt: "b", model: "m" },
    ];
    for await (const _ of client.completeBatch(requests, { trace }));
    expect(seen).toEqual([traceparent, traceparent, traceparent]);
  });

  it("remains the first call's where a second call joins its completion", async () => {
    const { completions, chats } = await talker(
      { text: "One two three." },
      { tokensPerSecond: 50 },
    );
    const request = { prompt: "Count", temperature: 0 };
    const first = completions.start(request, { trace: { traceparent } });
    const second = completions.start(request, { trace: { traceparent: OTHER } });
    await completions.wait(first.state.id);
    expect(second).toMatchObject({ joined: true, state: { id: first.state.id } });
    expect(chats().map(({ headers }) => headers["traceparent"])).toEqual([traceparent]);
  });

  it("is omitted where the request head would be too long for the service", async () => {
    const simulator = await simulate({ dialect: "C2", models: [{ id: MODEL, loaded: true }] });
    const client = clientOf(simulator.url, { headers: { "x-long": "x".repeat(3900) } });
    await client.complete({ prompt: "Hi", model: MODEL }, { trace: { traceparent } });
    expect(headersOf(simulator, "/v1/chat/completions")).toEqual([{}]);
  });

  it("does not replace a header that is set for all requests", async () => {
    const { service, chats } = await talker({ text: "Hi." });
    const client = clientOf(service.url, { headers: { "X-Request-Id": "mine" } });
    await client.complete({ prompt: "Hi" }, { trace: { traceparent } });
    expect(chats()[0]?.headers).toMatchObject({ "x-request-id": "mine", traceparent });
  });

  it("is in the lines of the log that the call writes", async () => {
    const { service } = await talker({ text: "Hi." });
    const { lines, log } = linesAt("debug");
    const client = clientOf(service.url, { log });
    const { id } = await client.complete({ prompt: "Hi" }, { trace: { traceparent } });
    expect(lines).toContainEqual(
      expect.objectContaining({ path: "/v1/chat/completions", call: id, trace_id: TRACE }),
    );
  });

  it.each([[null], ["00-abc"], [{ traceparent: 7 }]])(
    "is refused as an option where it is %j",
    async (trace) => {
      const client = new FoundryClient({ endpoint: "http://127.0.0.1:1" });
      const options = JSON.parse(JSON.stringify({ trace }));
      await expect(client.complete({ prompt: "Hi" }, options)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("trace"),
      });
    },
  );
});
