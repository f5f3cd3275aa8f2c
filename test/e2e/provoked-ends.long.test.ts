import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { ownPort } from "../ports.js";
import { temporaryFolder } from "../temporary-folder.js";
import { type Executable, environmentWith, MAIN } from "./executable.js";
import { httpServer } from "./http-server.js";
import { ANSWER, ENDLESS, ordinaryAnswer, PROMPT_ANSWER, simulated } from "./simulated.js";
import { WireHost } from "./wire-host.js";

/** Code that runs in the server at SIGUSR2. */
const atSignal = (code: string): Record<string, string> => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
    `process.on("SIGUSR2", () => { ${code} });`,
  )}`,
});
const REJECTION = atSignal('Promise.reject(new Error("provoked"));');
const EXCEPTION = atSignal('setTimeout(() => { throw new Error("provoked"); });');

const logLine = (server: Executable, words: string): Promise<string> =>
  server.when(words, () => server.stderrLines.find((line) => line.includes(words)));

const isUp = async (url: string): Promise<boolean> =>
  (await fetch(url.replace("/mcp", "/health"))).ok;

// Windows has no such signal.
describe.skipIf(process.platform === "win32")("a defect of the server", () => {
  test("an unhandled rejection is logged, and the server continues", async () => {
    const { url } = await simulated();
    const server = await WireHost.start({ FOUNDRY_ENDPOINT: url, ...REJECTION });
    expect(await ordinaryAnswer(server)).toBe(ANSWER);

    server.signal("SIGUSR2");

    expect(await logLine(server, "a rejection was not handled")).toContain("provoked");
    expect(await ordinaryAnswer(server)).toBe(ANSWER);
  });

  test("an unhandled rejection over HTTP is logged, and the server continues", async () => {
    const { url: endpoint } = await simulated();
    const { server, url } = await httpServer(endpoint, REJECTION);

    server.signal("SIGUSR2");

    expect(await logLine(server, "a rejection was not handled")).toContain("provoked");
    expect(await isUp(url)).toBe(true);
  });

  test("an uncaught exception ends the server with a line that gives the reason", async () => {
    const server = await WireHost.start(EXCEPTION);
    await server.request("ping");

    server.signal("SIGUSR2");

    expect(await server.ended).toMatchObject({ code: 1, signal: null });
    expect(await logLine(server, "an exception was not caught")).toContain("provoked");
  });

  test("an uncaught exception over HTTP ends the server with a line that gives the reason", async () => {
    const { url } = await simulated();
    const { server } = await httpServer(url, EXCEPTION);

    server.signal("SIGUSR2");

    expect(await server.ended).toMatchObject({ code: 1, signal: null });
    expect(await logLine(server, "an exception was not caught")).toContain("provoked");
  });
});

describe.skipIf(process.platform === "win32")("the system clock", () => {
  test.for([
    ["forward", 10 * 365 * 86_400_000],
    ["back", -10 * 365 * 86_400_000],
  ] as const)("may jump years %s without an effect on any call", async ([, shift]) => {
    const { url } = await simulated();
    const jump = atSignal(
      `const now = Date.now; Date.now = () => now() + ${shift}; process.stderr.write("jumped\\n");`,
    );
    const server = await WireHost.start({ FOUNDRY_ENDPOINT: url, ...jump });
    const given = { prompt: "Go on.", model: ENDLESS, max_tokens: 60, reply_within: 0 };
    const begun = await server.answerTo(server.call("complete", given));
    const { completion_id: id } = Object(begun.result?.["structuredContent"]);
    const finished = await server.answerTo(
      server.call("complete", { prompt: "Hello", model: PROMPT_ANSWER }),
    );

    server.signal("SIGUSR2");
    await server.when("the jump", () => server.stderr.includes("jumped") || undefined);

    const ids = [id, Object(finished.result?.["structuredContent"]).completion_id];
    const both = await server.answerTo(server.call("get_completion", { completion_ids: ids }));
    expect(both.result).toMatchObject({
      structuredContent: { completions: [{ status: "completed" }, { text: ANSWER }] },
    });
    expect(await ordinaryAnswer(server)).toBe(ANSWER);
  });
});

/** A server started by a shell that sets limits for it. */
function limited(command: string, settings: Record<string, string>) {
  const child = spawn("sh", ["-c", `${command}`, "sh", process.execPath, MAIN], {
    env: environmentWith(settings),
    stdio: "pipe",
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  child.stdin.on("error", () => {});
  child.stderr.resume();
  const say = (message: object): void =>
    void child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const initialize = {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "e2e", version: "1" },
  };
  say({ id: 0, method: "initialize", params: initialize });
  const answers = new Map<number, Record<string, unknown>>();
  createInterface(child.stdout).on("line", (line) => {
    const message = JSON.parse(line);
    if (typeof message.id === "number") answers.set(message.id, message.result);
  });
  const call = (id: number, name: string, given: object): void =>
    say({ id, method: "tools/call", params: { name, arguments: given } });
  const answer = async (id: number): Promise<Record<string, unknown>> => {
    await expect.poll(() => answers.has(id)).toBe(true);
    return answers.get(id) ?? {};
  };
  return { child, call, answer };
}

/** A question whose output a shell sends elsewhere. */
async function askedWith(redirection: string) {
  const { url } = await simulated();
  const ask = `exec "$1" "$2" ask Hello --model ${PROMPT_ANSWER} ${redirection}`;
  const child = spawn("sh", ["-c", ask, "sh", process.execPath, MAIN], {
    env: environmentWith({ FOUNDRY_ENDPOINT: url }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  return { code, stdout, stderr };
}

// The limits and the device are those of a shell on Linux.
describe.skipIf(process.platform !== "linux")("a system without", () => {
  test("space for the log still gets answers", async () => {
    const { url } = await simulated();
    const settings = { FOUNDRY_ENDPOINT: url, FOUNDRY_LOG_LEVEL: "trace" };
    const { child, call, answer } = limited('exec "$1" "$2" 2>/dev/full', settings);
    call(1, "complete", { prompt: "Hello", model: PROMPT_ANSWER });
    expect(await answer(1)).toMatchObject({ structuredContent: { text: ANSWER } });
    child.stdin.end();
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("space for the answers makes the server end, as without a host", async () => {
    const { child } = limited('exec "$1" "$2" >/dev/full', {});
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("space for the output of a command makes it fail, and say so", async () => {
    expect(await askedWith(">/dev/full")).toEqual({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("The output is incomplete"),
    });
  });

  test("space for the notes of a command still gets its answer", async () => {
    expect(await askedWith("2>/dev/full")).toMatchObject({ code: 0, stdout: `${ANSWER}\n` });
  });

  test("space for the log still gets a server over HTTP", async () => {
    const port = await ownPort();
    const { child } = limited(`exec "$1" "$2" serve --http ${port} 2>/dev/full`, {});
    const url = `http://127.0.0.1:${port}/mcp`;
    await expect.poll(() => isUp(url).catch(() => false)).toBe(true);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test.skipIf(process.getuid?.() !== 0)("space for the cache logs it once", async () => {
    const folder = await temporaryFolder("full-disk-");
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4k", "none", folder], { stdio: "ignore" });
    } catch {
      // Root of a container may not mount.
      return;
    }
    onTestFinished(() => void execFileSync("umount", ["-l", folder]));
    const { url } = await simulated();
    const server = await WireHost.start({ FOUNDRY_ENDPOINT: url, FOUNDRY_CACHE_DIR: folder });
    for (const seed of [1, 2]) {
      const given = { prompt: "x".repeat(10_000), model: PROMPT_ANSWER, seed };
      const { result } = await server.answerTo(server.call("complete", given));
      expect(result).toMatchObject({ structuredContent: { text: ANSWER } });
    }
    expect(await logLine(server, "answers cannot be kept on disk")).toContain("ENOSPC");
    expect(server.stderr.split("answers cannot be kept on disk")).toHaveLength(2);
  });

  test("file handles answers each call, and later calls succeed again", async () => {
    const { url, waitFor } = await simulated().then((simulator) => ({
      url: simulator.url,
      waitFor: simulator.waitFor.bind(simulator),
    }));
    const settings = {
      FOUNDRY_ENDPOINT: url,
      FOUNDRY_CONCURRENCY: "64",
      FOUNDRY_RETRIES: "0",
      FOUNDRY_ON_CANCEL: "stop",
    };
    const { call, answer } = limited('ulimit -n 40; exec "$1" "$2"', settings);
    call(1, "complete", { prompt: "Hello", model: PROMPT_ANSWER });
    expect(await answer(1)).toMatchObject({ structuredContent: { text: ANSWER } });

    const ids = Array.from({ length: 50 }, (_, index) => index + 10);
    for (const id of ids) {
      const prompt = `Go on, ${id}.`;
      call(id, "complete", { prompt, model: ENDLESS, max_tokens: 200, reply_within: 30 });
    }
    const results = await Promise.all(ids.map(answer));
    const failures = results.filter(({ isError }) => isError === true);
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.length).toBeLessThan(ids.length);
    for (const { content } of failures) {
      expect(JSON.stringify(content)).toContain("no free connection left");
    }
    await waitFor(({ generating }) => generating === 0, 60_000);
    call(2, "complete", { prompt: "Hello", model: PROMPT_ANSWER });
    expect(await answer(2)).toMatchObject({ structuredContent: { text: ANSWER } });
  });
});
