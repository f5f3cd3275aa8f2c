import {
  Client as Client2,
  StreamableHTTPClientTransport as Http2,
} from "@modelcontextprotocol/client";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as Http1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { describe, expect, onTestFinished, test } from "vitest";
import { run, type Settings } from "./executable.js";
import { httpServer } from "./http-server.js";
import { expectJoinsWhatIsCancelled, expectStopsWhatIsCancelled } from "./sdk2.js";
import { ANSWER, ENDLESS, PROMPT_ANSWER, simulated } from "./simulated.js";

const INFO = { name: "e2e", version: "1" };
const KEY = "a-key-of-many-characters";
const complete = (given: object) => ({ name: "complete", arguments: { ...given } });
const QUICK = complete({ prompt: "Hello", model: PROMPT_ANSWER });

/** A server in front of a service, both for one test. */
async function served(settings?: Settings) {
  const simulator = await simulated();
  return httpServer(simulator.url, settings);
}

type Mode = "legacy" | "auto";

/** A client of SDK 2, with a session or without one. */
async function connected(url: string, mode: Mode, name = INFO.name): Promise<Client2> {
  const client = new Client2({ ...INFO, name }, { versionNegotiation: { mode } });
  await client.connect(new Http2(new URL(url)));
  onTestFinished(() => client.close());
  return client;
}

describe.each<[Mode, string]>([
  ["legacy", "legacy"],
  ["auto", "modern"],
])("a client of SDK 2 in mode %s over HTTP", (mode, era) => {
  test("lists the tools, completes and gets progress", async () => {
    const { url } = await served();
    const client = await connected(url, mode);
    const progress: number[] = [];
    const { tools } = await client.listTools();
    const answer = await client.callTool(QUICK, {
      onprogress: (update) => progress.push(update.progress),
    });
    expect(client.getProtocolEra()).toBe(era);
    expect(tools).toHaveLength(9);
    expect(answer.structuredContent).toMatchObject({ text: ANSWER });
    expect(progress.length).toBeGreaterThan(0);
  });
});

test("a client with a session stops a completion by a cancellation with that reason", async () => {
  const { url } = await served();
  await expectStopsWhatIsCancelled(await connected(url, "legacy"));
});

test("a client without a session cancels without a reason, and the repeated call joins the work", async () => {
  const { url } = await served();
  await expectJoinsWhatIsCancelled(await connected(url, "auto"));
});

test.for([
  ["runs", complete({ prompt: "Go on.", model: ENDLESS, max_tokens: 80, reply_within: 0 })],
  ["has ended", QUICK],
] as const)("a client without a session gets updates of a completion that %s", async ([, call]) => {
  const { url } = await served();
  const client = await connected(url, "auto");
  const { structuredContent } = await client.callTool(call);
  const uri = `foundry://completions/${Object(structuredContent).completion_id}`;
  const updated = new Promise<string>((resolve) => {
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
      resolve(params.uri);
    });
  });
  await client.listen({ resourceSubscriptions: [uri] });
  expect(await updated).toBe(uri);
});

test("a client of SDK 1 completes, and ends its session", async () => {
  const { url } = await served();
  const client = new Client1(INFO);
  const transport = new Http1(new URL(url));
  await client.connect(transport);
  const answer = CallToolResultSchema.parse(await client.callTool(QUICK));
  const sessions = async (): Promise<unknown> =>
    Object(await (await fetch(url.replace("/mcp", "/health"))).json()).sessions;
  expect(answer.structuredContent).toMatchObject({ text: ANSWER });
  expect(await sessions()).toBe(1);
  await transport.terminateSession();
  expect(await sessions()).toBe(0);
  await client.close();
});

test.each<Mode>(["legacy", "auto"])(
  "the queue is fair: one answer does not wait for ten of another client (mode %s)",
  async (mode) => {
    const { url } = await served({ FOUNDRY_CONCURRENCY: "1" });
    const [busy, other] = [await connected(url, mode), await connected(url, mode, "other")];
    const order: string[] = [];
    const ask = async (client: Client2, name: string, number: number): Promise<void> => {
      await client.callTool(
        complete({ prompt: `${name} ${number}`, model: ENDLESS, max_tokens: 8, join: false }),
      );
      order.push(name);
    };
    const { structuredContent: first } = await busy.callTool(
      complete({ prompt: "first", model: ENDLESS, reply_within: 0 }),
    );
    const ten = Array.from({ length: 10 }, (_, number) => ask(busy, "busy", number));
    await expect
      .poll(async () => {
        const health = await other.callTool({ name: "health_check", arguments: {} });
        return JSON.stringify(health.structuredContent);
      })
      .toContain('"waiting":10');
    const all = [...ten, ask(other, "other", 0)];
    const { completion_id } = Object(first);
    await busy.callTool({ name: "cancel_completion", arguments: { completion_id } });
    await Promise.all(all);
    expect(order.indexOf("other")).toBeLessThan(3);
  },
);

describe("a refused request", () => {
  const post = (url: string, headers: Record<string, string>, body: string = "{}") =>
    fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });

  test("has no key or a wrong one, where one is set", async () => {
    const { url } = await served({ FOUNDRY_HTTP_KEY: KEY });
    expect((await post(url, {})).status).toBe(401);
    expect((await post(url, { authorization: `Bearer ${KEY}x` })).status).toBe(401);
    expect((await post(url, { authorization: `Bearer ${KEY}` })).status).toBe(400);
    expect((await fetch(url.replace("/mcp", "/health"))).status).toBe(200);
  });

  test("is invalid JSON, nests too deep or has another content type", async () => {
    const { url } = await served();
    expect((await post(url, {}, "{")).status).toBe(400);
    expect((await post(url, {}, "[".repeat(100_000))).status).toBe(400);
    expect((await post(url, { "content-type": "text/plain" })).status).toBe(415);
  });

  test("is no valid message, and gets an error under its id", async () => {
    const { url } = await served();
    const refused = await post(url, {}, '{"jsonrpc":"1.0","id":"a","method":"ping"}');
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ id: "a", error: { code: -32600 } });
  });

  test("is an invalid handshake, which leaves no session", async () => {
    const { url } = await served();
    const params = { protocolVersion: "2025-11-25", capabilities: {} };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    const refused = await post(url, { accept: "application/json" }, body);
    expect(refused.status).toBe(400);
    const health = await fetch(url.replace("/mcp", "/health"));
    expect(await health.json()).toMatchObject({ sessions: 0 });
  });

  test("names a session that does not exist", async () => {
    const { url } = await served();
    const list = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    expect((await post(url, { "mcp-session-id": "none" }, list)).status).toBe(404);
    expect((await post(url, {}, list)).status).toBe(400);
  });
});

/** A session whose requests a test sends itself. */
async function rawSession(url: string, given: object = {}) {
  const headers = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  };
  const post = (body: object, more: Record<string, string> = {}, signal?: AbortSignal) =>
    fetch(url, {
      method: "POST",
      headers: { ...headers, ...more },
      body: JSON.stringify({ jsonrpc: "2.0", ...body }),
      ...(signal && { signal }),
    });
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: INFO, ...given };
  const initialized = await post({ id: 1, method: "initialize", params });
  await initialized.text();
  const session = {
    "mcp-session-id": initialized.headers.get("mcp-session-id") ?? "",
    "mcp-protocol-version": params.protocolVersion,
  };
  return {
    session,
    post: (body: object, signal?: AbortSignal) => post(body, session, signal),
  };
}

test("null for an optional param counts as absent", async () => {
  const { url } = await served();
  const { post } = await rawSession(url, { _meta: null });
  const list = await post({ id: 2, method: "tools/list", params: { cursor: null } });
  expect(await list.text()).toContain('"tools"');
  const params = { name: "list_models", arguments: null, _meta: { progressToken: null } };
  const call = await post({ id: 3, method: "tools/call", params });
  expect(await call.text()).toContain('"structuredContent"');
});

test("a cancelled call is answered with an error, which ends its stream", async () => {
  const { url } = await served();
  const { post } = await rawSession(url);
  const given = complete({ prompt: "Go on.", model: ENDLESS, max_tokens: 2000 });
  const call = await post({ id: 2, method: "tools/call", params: given });
  const params = { requestId: 2, reason: "the user stopped it" };
  await post({ method: "notifications/cancelled", params });
  // The response ends with the stream.
  const answers = (await call.text()).split("\n").filter((line) => line.includes('"id":2'));
  expect(answers).toHaveLength(1);
  expect(answers[0]).toContain("The request was cancelled.");
});

test("a client whose connection broke gets the answer when it resumes the stream", async () => {
  const { url } = await served();
  const { post, session } = await rawSession(url);

  const leave = new AbortController();
  const given = complete({ prompt: "Go on.", model: ENDLESS, max_tokens: 60 });
  const call = await post({ id: 2, method: "tools/call", params: given }, leave.signal);
  const first = await call.body?.getReader().read();
  const lastId = /^id: (\S+)$/m.exec(Buffer.from(first?.value ?? []).toString())?.[1] ?? "";
  leave.abort();
  // Until the server has detected that the connection broke, the stream counts as connected (409).
  const resume = () =>
    fetch(url, { headers: { accept: "text/event-stream", "last-event-id": lastId, ...session } });
  let resumed = await resume();
  while (resumed.status === 409) resumed = await resume();
  const reader = resumed.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes('"id":2')) {
    const read = await reader?.read();
    if (read === undefined || read.done) break;
    text += read.value;
  }

  expect(lastId).not.toBe("");
  expect(text).toContain('"status":"completed"');
  await reader?.cancel();
});

test("line separators are sent escaped, and halves of characters replaced", async () => {
  const text = "a\u2028b\u2029c";
  const { url } = await simulated({
    models: [{ id: PROMPT_ANSWER, script: { tokens: [text] }, loaded: true }],
  });
  const http = await httpServer(url);
  const bodies: string[] = [];
  const client = new Client2(INFO);
  await client.connect(
    new Http2(new URL(http.url), {
      fetch: async (input, init) => {
        const answer = await fetch(input, init);
        if (init?.method === "POST") bodies.push(await answer.clone().text());
        return answer;
      },
    }),
  );
  onTestFinished(() => client.close());

  const answer = await client.callTool(
    complete({ prompt: "Hello", model: PROMPT_ANSWER, stop: ["\ud800"] }),
  );

  const sent = bodies.join("");
  expect(JSON.stringify(answer)).toContain(text);
  expect(sent).toContain("a\\u2028b\\u2029c");
  expect(sent).not.toMatch(/[\u2028\u2029]|\\ud8/);
});

test.each(["initialize", "ping", "logging/setLevel", "resources/subscribe"])(
  "the later era has no method %s",
  async (method) => {
    const { url } = await served();
    const meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": INFO,
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const answer = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { _meta: meta } }),
    });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ id: 1, error: { code: -32601 } });
  },
);

test("a second server on the same port reports that the port is in use", async () => {
  const { url } = await served();
  const { code, stderr } = await run(["serve", "--http", new URL(url).port]);
  expect(code).toBe(2);
  expect(stderr).toContain("Another program listens on 127.0.0.1:");
});

test("an address that other machines can reach requires a key", async () => {
  const { code, stderr } = await run(["serve", "--http", "0.0.0.0:0"]);
  expect(code).toBe(2);
  expect(stderr).toContain("Set FOUNDRY_HTTP_KEY");
});

test("calls in flight are answered when the server ends", async () => {
  const { url, server } = await served();
  const client = await connected(url, "legacy");
  const call = client.callTool(complete({ prompt: "Go on.", model: ENDLESS, max_tokens: 5000 }), {
    onprogress: () => server.signal("SIGTERM"),
  });
  expect(await call).toMatchObject({ isError: true });
  expect((await server.ended).code).toBe(0);
});
