import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Simulator } from "foundry-local-simulator";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Executable, environmentWith, MAIN } from "./executable.js";
import {
  ANSWER,
  chatRequest,
  endlessCompletion,
  ordinaryAnswer,
  PROMPT_ANSWER,
  simulated,
  wireHostOn,
} from "./simulated.js";
import { WireHost } from "./wire-host.js";

/** What a host may count on (issue: "end the process with exit code 0 within 2 s"). */
/** Shorter than every wait that must not happen (9 s and more), and long enough for a loaded machine. */
const END_WITHIN_MS = 6000;

type Ending = readonly [string, (server: Executable) => void];

const END_OF_STDIN: Ending = ["the end of stdin", (server) => server.endInput()];
const SIGNALS: readonly Ending[] = [
  ["SIGTERM", (server) => server.signal("SIGTERM")],
  ["SIGINT", (server) => server.signal("SIGINT")],
];

/** On Windows a signal ends a process at once, so there is nothing to observe. */
const endings = [END_OF_STDIN, ...(process.platform === "win32" ? [] : SIGNALS)];

async function expectGone(server: Executable, askedAt: number): Promise<void> {
  const { code, signal, at } = await server.ended;
  expect({ code, signal }).toEqual({ code: 0, signal: null });
  expect(at - askedAt).toBeLessThan(END_WITHIN_MS);
  // Its process group is empty: it left no child.
  expect(() => process.kill(-server.pid, 0)).toThrow("ESRCH");
}

/** The answer to a later request shows that all lines before it were read. */
async function alive(host: WireHost): Promise<void> {
  expect(await host.request("ping")).toMatchObject({ result: {} });
}

async function upstreamClosed(simulator: Simulator): Promise<void> {
  await simulator.waitFor(() => chatRequest(simulator).endedBy === "client-gone");
  await simulator.waitFor(({ connections }) => connections === 0);
}

describe("the server ends with its host", () => {
  test.for(endings)("%s ends an idle server", async ([, end]) => {
    const server = await WireHost.start();

    const askedAt = performance.now();
    end(server);

    await expectGone(server, askedAt);
  });

  test.for(endings)("%s ends a server that keeps a connection open", async ([, end]) => {
    const simulator = await simulated();
    const server = await wireHostOn(simulator.url);
    await server.answerTo(server.call("health_check"));

    const askedAt = performance.now();
    end(server);

    await expectGone(server, askedAt);
  });

  test.for(endings)("%s aborts a running completion", async ([how, end]) => {
    const simulator = await simulated();
    const server = await wireHostOn(simulator.url);
    const call = await endlessCompletion(server, simulator);

    const askedAt = performance.now();
    end(server);

    await expectGone(server, askedAt);
    await upstreamClosed(simulator);
    // A host that sent a signal still reads; a host that closed stdin has gone.
    const answers = server.answers(call);
    expect(answers).toHaveLength(how === "the end of stdin" ? 0 : 1);
    if (how === "the end of stdin") return;
    expect(answers[0]).toMatchObject({
      result: {
        isError: true,
        structuredContent: { status: "cancelled", text: expect.stringMatching(/^On and on/) },
      },
    });
  });

  test("the end of stdin does not wait for a load", async () => {
    const simulator = await simulated({
      models: [{ id: "huge-generic-cpu:1", loadMs: 60_000 }],
    });
    const server = await wireHostOn(simulator.url);
    server.call("load_model", { model: "huge-generic-cpu:1" });
    await simulator.waitFor(({ requests }) => requests.some(({ path }) => path.includes("/load/")));

    const askedAt = performance.now();
    server.endInput();

    await expectGone(server, askedAt);
  });

  test("the end of stdin does not wait for a service that does not answer", async () => {
    const simulator = await simulated();
    simulator.addFault({ kind: "hang" });
    const server = await wireHostOn(simulator.url);
    server.call("list_models");
    await simulator.waitFor(({ requests }) => requests.length > 0);

    const askedAt = performance.now();
    server.endInput();

    await expectGone(server, askedAt);
  });

  test("the end of stdin does not wait for the next retry", async () => {
    const simulator = await simulated();
    const later = { status: 503, headers: { "retry-after": "9" } };
    simulator.addFault({ kind: "status", ...later, on: { path: "/v1/models" } });
    const server = await wireHostOn(simulator.url);
    server.call("list_models");
    await simulator.waitFor(({ requests }) =>
      requests.some(({ path, closedAt }) => path === "/v1/models" && closedAt !== null),
    );

    const askedAt = performance.now();
    server.endInput();

    await expectGone(server, askedAt);
  });

  test("a host that closes stdout ends it as well", async () => {
    const simulator = await simulated();
    const server = await wireHostOn(simulator.url);
    await endlessCompletion(server, simulator);

    const askedAt = performance.now();
    server.closeOutput();
    server.send("ping");

    await expectGone(server, askedAt);
    await upstreamClosed(simulator);
  });
});

describe("the server continues", () => {
  test("beside a second one", async () => {
    const simulator = await simulated();
    const first = await wireHostOn(simulator.url);
    const second = await wireHostOn(simulator.url);

    const answers = await Promise.all([ordinaryAnswer(first), ordinaryAnswer(second)]);
    second.endInput();
    await second.ended;
    const afterwards = await ordinaryAnswer(first);

    expect([...answers, afterwards]).toEqual([ANSWER, ANSWER, ANSWER]);
  });

  test("after lines that are no message, each answered with its JSON-RPC error", async () => {
    const host = await WireHost.start();

    host.write("this is no JSON\n");
    host.write('{"id":77,"method":"ping"}\n');
    host.write('{"half":\n');
    host.write("\n");
    host.write("null\n");

    await alive(host);
    const codes = host.received.flatMap(({ message }) => message.error?.code ?? []);
    expect(codes).toEqual([-32700, -32600, -32700, -32600]);
    expect(host.answers(77)).toHaveLength(1);
  });

  test("after a character that was split between two chunks", async () => {
    const simulator = await simulated();
    const host = await wireHostOn(simulator.url);
    const line = Buffer.from(
      `${JSON.stringify({
        jsonrpc: "2.0",
        id: "ü",
        method: "tools/call",
        params: { name: "complete", arguments: { prompt: "Grüße 🌍", model: PROMPT_ANSWER } },
      })}\n`,
    );

    const middle = line.indexOf("🌍") + 2;
    await host.writeBytes(line.subarray(0, middle));
    await host.writeBytes(line.subarray(middle));

    await host.when("the answer", () => host.received.find(({ message }) => message.id === "ü"));
    expect(JSON.stringify(chatRequest(simulator).body)).toContain("Grüße 🌍");
  });

  test("without any Foundry Local: it starts, initializes and lists its tools", async () => {
    const host = await WireHost.start();

    const { result: list } = await host.request("tools/list");
    const health = await host.answerTo(host.call("health_check"));
    const completion = await host.answerTo(host.call("complete", { prompt: "Hello" }));

    expect(list?.["tools"]).toContainEqual(expect.objectContaining({ name: "complete" }));
    expect(health.result).toMatchObject({ structuredContent: { status: "unavailable" } });
    expect(health.result?.["structuredContent"]).not.toHaveProperty("endpoint");
    expect(completion.result).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("NO_ENDPOINT") }],
    });
  });
});

test("a service that is killed and started again on its port is used again", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);
  expect(await ordinaryAnswer(host)).toBe(ANSWER);

  await simulator.stop();
  const { result: whileStopped } = await host.answerTo(host.call("list_models"));
  await simulator.start();

  expect(whileStopped).toMatchObject({
    isError: true,
    content: [{ text: expect.stringContaining("SERVICE_UNREACHABLE") }],
  });
  await expect.poll(() => ordinaryAnswer(host)).toBe(ANSWER);
});

test("a crash of the service during an answer is distinguished from slowness, and the service is used again", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);
  const call = await endlessCompletion(host, simulator);

  await simulator.stop();
  const { result: broken } = await host.answerTo(call);
  await simulator.start();

  expect(broken).toMatchObject({
    isError: true,
    content: [{ text: expect.stringMatching(/^SERVER_CRASHED(.|\n)*On and on/) }],
    structuredContent: { status: "interrupted", text: expect.stringMatching(/^On and on/) },
  });
  await expect.poll(() => ordinaryAnswer(host)).toBe(ANSWER);
});

test("a service that was away for long is used again as soon as its port answers", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url, { FOUNDRY_RETRIES: "0" });
  await simulator.stop();
  for (let call = 0; call < 8; call += 1) {
    const { result } = await host.answerTo(host.call("list_models"));
    expect(result).toMatchObject({ isError: true });
  }

  await simulator.start();

  await expect.poll(() => ordinaryAnswer(host)).toBe(ANSWER);
});

test("a host that never reads stderr is still answered, and can end the server", async () => {
  const server = spawn(process.execPath, [MAIN], {
    env: environmentWith({ FOUNDRY_LOG_LEVEL: "trace" }),
    stdio: "pipe",
  });
  onTestFinished(() => void server.kill("SIGKILL"));
  const exited = once(server, "exit");
  // Their lines take many times what a pipe holds.
  const count = 2000;
  const send = (id: number, method: string, params: object): void =>
    void server.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);

  send(0, "initialize", {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "deaf", version: "1" },
  });
  // Each is logged, since it has no such argument.
  for (let id = 1; id < count; id += 1) {
    send(id, "tools/call", { name: "health_check", arguments: { none: "x".repeat(200) } });
  }
  let answered = 0;
  for await (const _ of createInterface(server.stdout)) {
    answered += 1;
    if (answered === count) break;
  }
  const askedAt = performance.now();
  // On Windows a process cannot handle a signal.
  if (process.platform === "win32") server.stdin.end();
  else server.kill("SIGTERM");
  const [code] = await exited;

  expect(answered).toBe(count);
  expect(code).toBe(0);
  expect(performance.now() - askedAt).toBeLessThan(END_WITHIN_MS);
});
