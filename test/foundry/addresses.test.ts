import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { tcpServer } from "../http/servers.js";
import { clientOf, simulate } from "./fixtures.js";

interface Listening {
  readonly url: string;
  /** `METHOD path` of every request, in order. */
  readonly asked: string[];
}

async function listen(onRequest: RequestListener): Promise<Listening> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume().once("end", () => onRequest(request, response));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return { url: `http://127.0.0.1:${isInfo(address) ? address.port : 0}`, asked };
}

/** An address of one server, and from the next request on of another one; old connections are closed. */
async function replaceable(port: number) {
  let target = port;
  const old = new Set<Socket>();
  const { baseUrl } = await tcpServer((socket) => {
    const upstream = connect(target, "127.0.0.1");
    old.add(socket);
    socket.once("close", () => upstream.destroy());
    upstream.on("error", () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  return {
    url: baseUrl,
    replaceAtNextRequest(next: number) {
      target = next;
      for (const socket of old) {
        socket.unpipe();
        socket.once("data", () => socket.destroy()).resume();
      }
    },
  };
}

const isInfo = (address: AddressInfo | string | null): address is AddressInfo =>
  typeof address === "object" && address !== null;

const STREAM = `data: ${JSON.stringify({
  choices: [{ delta: { content: "Hello" }, finish_reason: "stop" }],
})}\n\ndata: [DONE]\n\n`;

/** An engine whose API is below `base`, and nowhere else. */
const engineAt =
  (base: string): RequestListener =>
  ({ method, url }, response) => {
    if (method === "GET" && url === `${base}/models`) {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ object: "list", data: [{ id: "m", object: "model" }] }));
    } else if (method === "POST" && url === `${base}/chat/completions`) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(STREAM);
    } else {
      response.writeHead(404).end();
    }
  };

const HELLO = { status: "completed", text: "Hello", model: "m" };

describe("a copied address", () => {
  it.each([
    ["/v1", ""],
    ["/v1", "/"],
    ["/v1", "/v1"],
    ["/v1", "/v1/"],
    ["/v1", "/v1/chat/completions"],
    ["/v1", "/v1/chat/completions/"],
    ["/v1", "/v1/models"],
    ["/v1", "/v1/completions"],
    ["/v1", "/chat/completions"],
    ["/v1", "/api/generate"],
    ["/v1", "/api/v0/models"],
    ["/v1", "/openai/status"],
    ["/api/v1", "/api/v1"],
    ["/api/v1", "/api/v1/"],
    ["/api/v1", "/api"],
    ["/api/v1", "/api/v1/chat/completions"],
    ["/llm/v1", "/llm/v1/models/"],
  ])("reaches the engine at %s with %j behind the port", async (base, copied) => {
    const { url } = await listen(engineAt(base));
    const client = clientOf(`${url}${copied}`);
    expect(await client.complete({ prompt: "Hi" })).toMatchObject(HELLO);
    expect(await client.healthCheck()).toMatchObject({
      status: "healthy",
      endpoint: `${url}${base.replace(/\/v1$/, "")}`,
    });
  });

  it.each(["/v3", "/v1beta/openai", "/v1/openai", "/api/v4", "/compatible/v2"])(
    "of chats reaches the engine at %s, which does not end with /v1",
    async (base) => {
      const { url } = await listen(engineAt(base));
      for (const end of ["/chat/completions", "/chat/completions/"]) {
        const client = clientOf(`${url}${base}${end}`);
        expect(await client.complete({ prompt: "Hi" })).toMatchObject(HELLO);
        expect(await client.healthCheck()).toMatchObject({ status: "healthy" });
      }
    },
  );

  it("reaches Foundry Local as its old command line prints it", async () => {
    const { url } = await simulate({ dialect: "S" });
    const health = await clientOf(`${url}/openai/status`).healthCheck();
    expect(health).toMatchObject({ status: "healthy", dialect: "S", endpoint: url });
  });

  it("with a path that is not the engine's is an error with that reason", async () => {
    const { url } = await listen(engineAt("/v1"));
    await expect(clientOf(`${url}/api`).listModels()).rejects.toMatchObject({
      code: "NOT_FOUNDRY",
      action: expect.stringContaining("Leave the path /api out"),
    });
  });
});

/** The redirects of servers and proxies from one of their paths to another. */
const WITHIN: readonly (readonly [string, (path: string) => string | null])[] = [
  [
    "a slash at the end",
    (path) => (path.startsWith("/v1/") && !path.endsWith("/") ? `${path}/` : null),
  ],
  ["a prefix", (path) => (path.startsWith("/engine/") ? null : `/engine${path}`)],
  [
    "a prefix, step by step",
    (path) => (path.startsWith("/a/b/") ? null : `/a${path.replace(/^\/a/, "/b")}`),
  ],
  ["a page for unknown paths", (path) => (/^\/(v1|page)/.test(path) ? null : "/page")],
  ["a query", (path) => (path.includes("?") ? null : `${path}?lang=en`)],
];

describe.each([301, 302, 307, 308])("an engine that redirects with %s", (status) => {
  // Which path it leads to does not depend on the status.
  const isFirst = status === 301;
  it.each(isFirst ? WITHIN : WITHIN.slice(0, 1))(
    "to itself, for %s, is used",
    async (_why, redirect) => {
      const { url } = await listen((request, response) => {
        const target = redirect(request.url ?? "");
        if (target !== null) {
          response.writeHead(status, { location: target, "content-type": "text/html" });
          response.end("<html>moved</html>");
          return;
        }
        request.url = request.url?.replace(/^.*(?=\/v1\/)/, "").replace(/\/?(\?.*)?$/, "");
        engineAt("/v1")(request, response);
      });
      expect(await clientOf(url).complete({ prompt: "Hi" })).toMatchObject(HELLO);
    },
  );

  it.each(isFirst ? ["all", "the list", "the chat"] : ["all"])(
    "%s to another server is an error with the target",
    async (what) => {
      const elsewhere = await listen(engineAt("/v1"));
      const isMoved = (path: string) =>
        what === "all" || path.endsWith(what === "the list" ? "/models" : "/completions");
      const { url } = await listen((request, response) => {
        const path = request.url ?? "";
        if (!isMoved(path)) return engineAt("/v1")(request, response);
        response.writeHead(status, { location: `${elsewhere.url}${path}?token=s3cret` }).end();
      });
      const client = clientOf(url, { apiKey: "sk-123456" });
      await expect(client.complete({ prompt: "Hi" })).rejects.toMatchObject({
        code: "NOT_FOUNDRY",
        message: expect.stringMatching(
          new RegExp(`HTTP ${status}: redirected to ${elsewhere.url}/v1/[a-z/]+\\. Redirects`),
        ),
        action: expect.stringContaining("set the option `endpoint`"),
      });
      expect(elsewhere.asked).toEqual([]);
    },
  );
});

/** The answer of an engine for every path that it does not have. */
const EVERYWHERE: readonly (readonly [string, string, string])[] = [
  ["[]", "application/json", "[]"],
  ["[] with blanks", "application/json", " [ ]\n"],
  ["a list of texts", "application/json", '["ok"]'],
  ["{}", "application/json", "{}"],
  ["null", "application/json", "null"],
  ["an error", "application/json", '{"error":"Unexpected endpoint or method. (GET /x)"}'],
  ["a page", "text/html", "<!doctype html><html></html>"],
  ["nothing", "text/plain", ""],
];

describe("an engine that answers 200 to every path", () => {
  it.each(EVERYWHERE)("with %s is an engine", async (_what, type, body) => {
    const { url } = await listen((request, response) => {
      if (request.url?.startsWith("/v1/") === true) return engineAt("/v1")(request, response);
      response.writeHead(200, { "content-type": type }).end(body);
    });
    const client = clientOf(url);
    expect(await client.complete({ prompt: "Hi" })).toMatchObject(HELLO);
    expect(await client.healthCheck()).toMatchObject({ status: "healthy", dialect: "openai" });
  });
});

const CLOSINGS: readonly (readonly [string, boolean, string | null])[] = [
  ["keeps connections", false, null],
  ["closes each connection without notice", true, null],
  ["announces and closes each connection", true, "close"],
  ["announces a close and keeps the connection", false, "close"],
  ["closes each connection, but announces keep-alive", true, "keep-alive"],
];

describe("an engine that", () => {
  it.each(CLOSINGS)("%s is detected only once for many calls", async (_how, closes, says) => {
    const closed: Promise<unknown>[] = [];
    const { url, asked } = await listen((request, response) => {
      const { socket } = request;
      if (says !== null) response.setHeader("connection", says);
      if (closes) {
        closed.push(once(socket, "close"));
        response.once("finish", () => socket.destroySoon());
      }
      engineAt("/v1")(request, response);
    });
    const client = clientOf(url);
    for (let call = 0; call < 14; call += 1) {
      expect(await client.complete({ prompt: `Hi ${call}` })).toMatchObject(HELLO);
      await Promise.all(closed);
    }
    expect(asked.filter((each) => each.startsWith("POST"))).toHaveLength(14);
    // The requests of the detection, and the list.
    expect(asked.filter((each) => each.startsWith("GET"))).toHaveLength(5);
  });

  it.each(["C1", "C2", "S"] as const)(
    "drops connections is detected again after a minute, and may be Foundry Local (%s) then",
    async (dialect) => {
      vi.useFakeTimers({ toFake: ["Date"] });
      onTestFinished(() => void vi.useRealTimers());
      const models = [{ id: "talker-generic-cpu:1", alias: "talker" }];
      const engine = await simulate({ dialect: "openai", models });
      const client = clientOf(engine.url);
      expect(await client.healthCheck()).toMatchObject({ dialect: "openai" });
      await client.complete({ prompt: "Hi" });
      await engine.close();
      await simulate({ dialect, models, port: engine.port });
      // A prompt that is sent on a connection before its end has been noticed is not sent again.
      await setTimeout(100);
      vi.setSystemTime(Date.now() + 61_000);
      const completion = await client.complete({ prompt: "Hi", model: "talker" });
      expect(completion).toMatchObject({ status: "completed" });
      expect(await client.healthCheck()).toMatchObject({ dialect });
    },
  );

  it("is replaced during a list of models: its successor gets no prompt meant for it", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const models = [{ id: "talker-generic-cpu:1", alias: "talker" }];
    const engine = await simulate({ dialect: "openai", models });
    const foundry = await simulate({ dialect: "C1", models });
    const address = await replaceable(engine.port);
    const client = clientOf(address.url);
    await client.complete({ prompt: "Hi" });
    address.replaceAtNextRequest(foundry.port);
    vi.setSystemTime(Date.now() + 61_000);

    const completion = await client.complete({ prompt: "Hi", model: "talker" });

    expect(completion).toMatchObject({ status: "completed" });
    expect(foundry.requests.filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  it("drops connections is detected again at once after an answer of another server", async () => {
    const models = [{ id: "talker-generic-cpu:1", alias: "talker" }];
    const engine = await simulate({ dialect: "openai", models });
    const client = clientOf(engine.url);
    await client.complete({ prompt: "Hi" });
    await engine.close();
    const foundry = await simulate({ dialect: "C2", models, port: engine.port });
    const completion = await client.complete({ prompt: "Hi", model: "talker-generic-cpu:1" });
    expect(completion).toMatchObject({ status: "completed" });
    expect(foundry.requests.map(({ path }) => path)).toContain("/models/load/talker");
  });
});
