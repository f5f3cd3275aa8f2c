import { connect } from "node:net";
import { text } from "node:stream/consumers";
import {
  Client,
  StreamableHTTPClientTransport as HttpTransport,
} from "@modelcontextprotocol/client";
import { expect, it, onTestFinished } from "vitest";
import { FoundryClient } from "../../../src/jobs/index.js";
import { SecretMask } from "../../../src/lib/index.js";
import { MOST_ERRORS_LOGGED } from "../../../src/lib/limits.js";
import { silentLogger } from "../../../src/log.js";
import { type HttpServeOptions, serveOverHttp } from "../../../src/mcp/index.js";
import { cpuMsOf } from "../../cpu-time.js";
import { backendOf } from "../backend.js";
import { cacheFolder, simulatedService } from "../host.js";

const KEY = "sk-SECRET-0123456789";

/** A server over HTTP in front of a service, and the details of the warnings in its log. */
async function served(
  endpoint = "http://127.0.0.1:9",
  options: Pick<HttpServeOptions, "key" | "routes"> = {},
) {
  const warnings: string[] = [];
  const log = {
    ...silentLogger,
    warn: (fields: object) => void warnings.push(String(Reflect.get(fields, "detail"))),
  };
  const ending = new AbortController();
  const client = new FoundryClient({ endpoint });
  const { url, ended } = await serveOverHttp({
    ...options,
    backend: backendOf({ client, log, secrets: new SecretMask([KEY]) }),
    host: "127.0.0.1",
    port: 0,
    signal: ending.signal,
  });
  onTestFinished(async () => {
    ending.abort();
    await ended;
  });
  return { url, client, warnings };
}

const VERSION = "2026-07-28";

it("logs a bounded number of invalid requests of clients without a session", async () => {
  const { url, warnings } = await served();
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/list",
    params: {
      cursor: 5,
      _meta: {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    },
  });
  const headers = {
    accept: "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": VERSION,
    "mcp-method": "tools/list",
  };
  const answers = Array.from({ length: 3 * MOST_ERRORS_LOGGED }, async () =>
    (await fetch(url, { method: "POST", headers, body })).text(),
  );
  for (const answer of await Promise.all(answers)) {
    expect(answer).toContain("cursor must be a string.");
  }
  await expect.poll(() => warnings.length).toBeGreaterThanOrEqual(MOST_ERRORS_LOGGED);
  // More than the limit of one period where a second one has begun.
  expect(warnings.length).toBeLessThan(3 * MOST_ERRORS_LOGGED);
});

it("logs what is wrong in a session also where another one has used up its limit", async () => {
  const { url, warnings } = await served();
  const headers = {
    accept: "application/json, text/event-stream",
    "content-type": "application/json",
  };
  const send = (message: object, session: object = {}) =>
    fetch(url, {
      method: "POST",
      headers: { ...headers, ...session },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });
  const begin = async () => {
    const clientInfo = { name: "test", version: "1" };
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo };
    const answer = await send({ id: 1, method: "initialize", params });
    await answer.text();
    return { "mcp-session-id": answer.headers.get("mcp-session-id") };
  };
  const noisy = await begin();
  const quiet = await begin();
  const unknown = Array.from({ length: 3 * MOST_ERRORS_LOGGED }, () =>
    send({ id: "noisy", result: {} }, noisy),
  );
  await Promise.all(unknown);
  await expect.poll(() => warnings.length).toBeGreaterThanOrEqual(MOST_ERRORS_LOGGED);
  await send({ id: "quiet", result: {} }, quiet);
  await expect.poll(() => warnings).toContainEqual(expect.stringContaining("quiet"));
});

it("does not log what a response has that no request waits for", async () => {
  const { url, warnings } = await served();
  const host = new HttpTransport(new URL(url));
  const client = new Client({ name: "test", version: "1" });
  await client.connect(host);
  onTestFinished(() => client.close());

  await host.send({ jsonrpc: "2.0", id: "late", result: { content: "PRIVATE" } });
  const params = { progressToken: 7, progress: 1, message: "PRIVATE" };
  await host.send({ jsonrpc: "2.0", method: "notifications/progress", params });

  await expect
    .poll(() => warnings)
    .toEqual([
      'Received a response for an unknown message ID: "late"',
      "Received a progress notification for an unknown token: ",
    ]);
});

it("notifies a client without a session of a completion that was started before its first request", async () => {
  const service = await endlessService();
  const { url, client } = await served(service.url);
  const { state } = client.completions.start({ prompt: "Go on.", model: "talker-generic-cpu:1" });
  const host = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
  await host.connect(new HttpTransport(new URL(url)));
  onTestFinished(() => host.close());
  const updated = new Promise<string>((resolve) => {
    host.setNotificationHandler("notifications/resources/updated", ({ params }) =>
      resolve(params.uri),
    );
  });
  const uri = `foundry://completions/${state.id}`;
  await host.listen({ resourceSubscriptions: [uri] });
  expect(host.getProtocolEra()).toBe("modern");
  expect(await updated).toBe(uri);
});

it.each(["/metrics", "/status"])(
  "does not show the key of the service at %s, where a model has it in its name",
  async (path) => {
    const id = `m-${KEY}:1`;
    const service = await simulatedService({ models: [{ id, loaded: true }] });
    const { url, client } = await served(service.url);
    await client.complete({ prompt: "Hi", model: id });
    const shown = await (await fetch(new URL(path, url))).text();
    expect(shown).toContain("m-(secret):1");
    expect(shown).not.toContain(KEY);
  },
);

interface HandshakeOptions {
  readonly path?: string;
  readonly endpoint?: string;
  readonly capabilities?: object;
}

const endlessService = () =>
  simulatedService({
    models: [{ id: "talker-generic-cpu:1", loaded: true, script: { text: "on ", forever: true } }],
    tokensPerSecond: 20,
  });

/** A client that sends its requests with these headers, and its handshake with these, too. */
async function handshake(
  headers: Record<string, string>,
  { path = "", endpoint, capabilities = {} }: HandshakeOptions = {},
) {
  const { url } = await served(endpoint);
  const post = (body: object, more: Record<string, string> = {}) =>
    fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers, ...more },
      body: JSON.stringify({ jsonrpc: "2.0", ...body }),
    });
  const clientInfo = { name: "test", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities, clientInfo };
  const initialized = await post({ id: 1, method: "initialize", params });
  return { url, initialized, post, id: initialized.headers.get("mcp-session-id") ?? "" };
}

it.each(["application/json", "*/*", "application/json, application/mcp+json"])(
  "answers with JSON where a client accepts %s and names no stream",
  async (accept) => {
    const { initialized, post, id } = await handshake({ accept });
    expect(await initialized.json()).toMatchObject({ id: 1, result: {} });
    const listed = await post({ id: 2, method: "tools/list" }, { "mcp-session-id": id });
    expect(await listed.json()).toMatchObject({ id: 2, result: { tools: expect.any(Array) } });
  },
);

it("asks the user nothing where a client reads JSON only, since no question reaches it", async () => {
  const service = await simulatedService({
    dialect: "S",
    models: [{ id: "talker-generic-cpu:1", alias: "talker", downloaded: false }],
    modelCachePath: await cacheFolder(),
  });
  const { post, id } = await handshake(
    { accept: "application/json" },
    { endpoint: service.url, capabilities: { elicitation: { form: {} } } },
  );
  const params = { name: "complete", arguments: { prompt: "Why?", model: "talker" } };
  const answer = await post({ id: 2, method: "tools/call", params }, { "mcp-session-id": id });
  expect(await answer.text()).toContain("MODEL_NOT_CACHED");
});

it("begins a session where initialize comes with the id of a lost one", async () => {
  const { initialized, id } = await handshake({ "mcp-session-id": "lost" });
  expect(initialized.status).toBe(200);
  expect(id).toMatch(/^[\da-f-]{36}$/);
});

const STREAMS = "application/json, text/event-stream";

/** A call of a client without a handshake. */
async function calledModern(
  url: string,
  accept: string,
  params: { readonly name: string },
  meta: object = {},
) {
  const leaving = new AbortController();
  onTestFinished(() => leaving.abort());
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
    ...meta,
  };
  const body = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { ...params, _meta } };
  return fetch(url, {
    method: "POST",
    headers: {
      accept,
      "content-type": "application/json",
      "mcp-protocol-version": VERSION,
      "mcp-method": "tools/call",
      "mcp-name": params.name,
    },
    body: JSON.stringify(body),
    signal: leaving.signal,
  });
}

it("begins to respond to a call without a session before its answer, where its client reads streams", async () => {
  const { url } = await served((await endlessService()).url);
  const params = { name: "complete", arguments: { prompt: "Go on.", reply_within: 3600 } };
  const response = await calledModern(url, STREAMS, params);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
});

it("begins no stream for a tool of another name, whose failure may have another status", async () => {
  const { url } = await served();
  const response = await calledModern(url, STREAMS, { name: "compleet" });
  expect(response.headers.get("content-type")).toBe("application/json");
});

it("begins a stream for a call of a tool that a route is, too", async () => {
  const { url } = await served(undefined, { routes: { code: { tool: true } } });
  const params = { name: "complete_code", arguments: {} };
  const response = await calledModern(url, STREAMS, params);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
});

it.each([{}, { progressToken: 1 }])(
  "answers a call without a session with JSON where its client names no stream, with %j in it",
  async (meta) => {
    const { url } = await served();
    // It reports "Asking the service" before it fails.
    const params = { name: "complete", arguments: { prompt: "Hello" } };
    const response = await calledModern(url, "application/json", params, meta);
    expect(await response.json()).toMatchObject({ id: 1, result: { isError: true } });
  },
);

/** The session of a client that reads JSON only, with a service whose answers do not end. */
async function endlessSession() {
  const service = await endlessService();
  const { url, post, id } = await handshake(
    { accept: "application/json" },
    { endpoint: service.url },
  );
  return { service, url, post, inSession: { "mcp-session-id": id } };
}

it("refuses the id of a request that is not answered yet, so that both get their own answer", async () => {
  const { post, inSession } = await endlessSession();
  const params = { name: "complete", arguments: { prompt: "Go on." } };
  const call = { id: 2, method: "tools/call", params };
  const calls = [post(call, inSession), post(call, inSession)];
  const refused = await Promise.race(calls);
  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain("The id 2 is in use by another request.");
  const cancelled = { method: "notifications/cancelled", params: { requestId: 2 } };
  await post(cancelled, inSession);
  const answers = await Promise.all(calls);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
  const next = await post({ id: 2, method: "ping" }, inSession);
  expect(await next.json()).toMatchObject({ id: 2, result: {} });
});

it("does not give the answer of a call that its client has left to the next call with its id", async () => {
  const { service, url, post, inSession } = await endlessSession();
  const leaving = new AbortController();
  const params = { name: "complete", arguments: { prompt: "Go on.", reply_within: 1 } };
  const left = fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", ...inSession },
    body: JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/call", params }),
    signal: leaving.signal,
  });
  await expect.poll(() => service.requests.at(-1)?.path).toContain("/chat/completions");
  leaving.abort();
  await expect(left).rejects.toThrow();
  const other = { name: "complete", arguments: { prompt: "Another.", reply_within: 2 } };
  let answer = await post({ id: 2, method: "tools/call", params: other }, inSession);
  // Until the server has seen that the client left, the id is refused.
  while (answer.status === 400) {
    answer = await post({ id: 2, method: "tools/call", params: other }, inSession);
  }
  expect(await answer.json()).toMatchObject({
    id: 2,
    result: { structuredContent: { completion_id: expect.stringMatching(/-2$/) } },
  });
});

it("answers a call with JSON also where its client ends the session first", async () => {
  const { service, url, post, inSession } = await endlessSession();
  const params = { name: "complete", arguments: { prompt: "Go on." } };
  const call = post({ id: 2, method: "tools/call", params }, inSession);
  await expect.poll(() => service.requests.at(-1)?.path).toContain("/chat/completions");
  const ended = await fetch(url, { method: "DELETE", headers: inSession });
  expect(ended.status).toBe(200);
  const answer = await call;
  expect(answer.status).toBe(404);
  expect(await answer.json()).toMatchObject({ id: 2, error: { code: -32001 } });
});

it("refuses a batch in which an id comes twice", async () => {
  const { url } = await served();
  const headers = { "content-type": "application/json", accept: "application/json" };
  const post = (body: unknown, more: Record<string, string> = {}) =>
    fetch(url, { method: "POST", headers: { ...headers, ...more }, body: JSON.stringify(body) });
  const clientInfo = { name: "test", version: "1" };
  const params = { protocolVersion: "2025-03-26", capabilities: {}, clientInfo };
  const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params };
  const id = (await post(initialize)).headers.get("mcp-session-id") ?? "";
  const ping = { jsonrpc: "2.0", id: "a", method: "ping" };
  const answer = await post([ping, ping], { "mcp-session-id": id });
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain('The id \\"a\\" is in use by another request.');
});

it("is found with a slash at the end of its path, too", async () => {
  expect((await handshake({}, { path: "/" })).initialized.status).toBe(200);
});

it("refuses a batch of more messages than the limit before it looks at each of them", async () => {
  const { url } = await served();
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify(Array(200_000).fill({ method: "x" }));
  const cpu = await cpuMsOf(async () => {
    const answer = await fetch(url, { method: "POST", headers, body });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("The batch has 200000 messages; the limit is 100.");
  });
  expect(cpu).toBeLessThan(2000);
});

it.each(["a b[", "user@127.0.0.1"])(
  "refuses the invalid Host %s as a mistake of the request",
  async (host) => {
    const { port } = new URL((await served()).url);
    const socket = connect(Number(port), "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.write(`GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    const answer = await text(socket);
    expect(answer).toContain("HTTP/1.1 400 ");
    expect(answer).toContain("the Host of the request is missing or invalid");
  },
);

it.each(["/health", "/", "/metrics"])("answers HEAD as GET at %s, without a body", async (path) => {
  const { url } = await served();
  const got = await fetch(new URL(path, url));
  const answer = await fetch(new URL(path, url), { method: "HEAD" });
  expect([answer.status, await answer.text()]).toEqual([200, ""]);
  expect(answer.headers.get("content-type")).toBe(got.headers.get("content-type"));
});

it("needs no key for HEAD where GET needs none", async () => {
  const { url } = await served(undefined, { key: KEY });
  expect((await fetch(new URL("/health", url), { method: "HEAD" })).status).toBe(200);
  expect((await fetch(new URL("/metrics", url), { method: "HEAD" })).status).toBe(401);
});

it("names the scheme of its key where a request has none", async () => {
  const { url } = await served(undefined, { key: KEY });
  const refused = await fetch(url, { method: "POST" });
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
});
