import { createServer, type RequestListener } from "node:http";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { ANSWER, hostOn, ordinaryAnswer, simulated, wireHostOn } from "./simulated.js";

/** One attempt for each request. */
const ONCE = { FOUNDRY_RETRIES: "0" };

async function listening(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

const web = (answer: RequestListener): Promise<string> => listening(createServer(answer));

const page = "<!doctype html><title>Router</title><h1>Sign in</h1><p>secret page text</p>";

const others: readonly (readonly [string, RequestListener])[] = [
  [
    "a web server with pages",
    (_, response) => void response.setHeader("content-type", "text/html").end(page),
  ],
  [
    "half a JSON",
    (_, response) =>
      void response.setHeader("content-type", "application/json").end('{"data":[{"id'),
  ],
  ["nothing but 200", (_, response) => void response.end()],
  [
    "another API",
    (_, response) => void response.setHeader("content-type", "application/json").end('{"ok":true}'),
  ],
  ["404 for everything", (_, response) => void response.writeHead(404).end("not here")],
];

const CALLS: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ["complete", { prompt: "Hello" }],
  ["list_models", {}],
  ["load_model", { model: "phi-4-mini" }],
  ["unload_model", { model: "phi-4-mini" }],
];

describe("an endpoint that is not Foundry Local", () => {
  test.for(others)("%s: every tool reports it", async ([, answer]) => {
    const endpoint = await web(answer);
    const host = await hostOn(endpoint, ONCE);

    for (const [tool, given] of CALLS) {
      const { isError, code, text } = await host.call(tool, given);

      expect({ tool, isError, code }).toEqual({ tool, isError: true, code: "NOT_FOUNDRY" });
      expect(text).toContain(endpoint);
      expect(text).toContain("FOUNDRY_ENDPOINT");
      expect(text).not.toContain("secret page text");
    }
    const health = await host.call("health_check");
    expect(health).toMatchObject({ isError: false, result: { status: "unavailable" } });
    expect(health.result["problems"]).toContainEqual({
      what: expect.stringContaining("neither Foundry Local nor"),
      fix: expect.stringContaining("FOUNDRY_ENDPOINT"),
    });
  });

  test("on which nothing listens is unreachable", async () => {
    const simulator = await simulated();
    await simulator.stop();
    const host = await hostOn(simulator.url, ONCE);

    const answer = await host.complete({ prompt: "Hello" });
    const health = await host.call("health_check");

    expect(answer).toMatchObject({ isError: true, code: "SERVICE_UNREACHABLE" });
    expect(health).toMatchObject({ isError: false, result: { status: "unavailable" } });
  });

  test("that accepts and never answers is a timeout", async () => {
    const endpoint = await listening(createTcpServer(() => {}));
    const host = await hostOn(endpoint, { ...ONCE, FOUNDRY_TIMEOUT: "0.5" });

    const answer = await host.call("list_models");
    const health = await host.call("health_check");

    expect(answer).toMatchObject({ isError: true, code: "TIMEOUT" });
    expect(answer.text).toContain("within 500 ms");
    expect(health).toMatchObject({ isError: false, result: { status: "unavailable" } });
  });

  test("that speaks no HTTP is an error", async () => {
    const endpoint = await listening(
      createTcpServer((socket) => void socket.end("220 mail.example ESMTP\r\n")),
    );
    const host = await hostOn(endpoint, ONCE);

    const answer = await host.call("list_models");

    expect(answer.isError).toBe(true);
    expect(["NOT_FOUNDRY", "INVALID_RESPONSE", "SERVICE_UNREACHABLE"]).toContain(answer.code);
  });

  test("that redirects is not followed", async () => {
    const simulator = await simulated();
    const endpoint = await web(
      (request, response) =>
        void response.writeHead(302, { location: `${simulator.url}${request.url}` }).end(),
    );
    const host = await hostOn(endpoint, ONCE);

    const answer = await host.call("list_models");

    // Credentials must not be sent to the target.
    expect(answer).toMatchObject({ isError: true, code: "NOT_FOUNDRY" });
    expect(simulator.requests).toEqual([]);
  });
});

describe("a Foundry Local that sends invalid answers for a while", () => {
  const nonsense = ["html", "half-json", "empty"] as const;

  test.for(nonsense)("%s is INVALID_RESPONSE, and later calls succeed", async (kind) => {
    const simulator = await simulated();
    const host = await wireHostOn(simulator.url, { FOUNDRY_RETRIES: "0" });
    expect(await ordinaryAnswer(host)).toBe(ANSWER);

    const mend = simulator.addFault({ kind });
    const { result } = await host.answerTo(host.call("list_models"));
    const { result: health } = await host.answerTo(host.call("health_check"));
    mend();

    expect(result).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/^INVALID_RESPONSE: /) }],
    });
    expect(health).not.toMatchObject({ structuredContent: { status: "healthy" } });
    expect(await ordinaryAnswer(host)).toBe(ANSWER);
  });
});
