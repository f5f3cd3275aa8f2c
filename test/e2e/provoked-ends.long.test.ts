import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
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
    const { url } = await simulated();
    const command = 'exec "$0" "$1" models --endpoint "$2" >/dev/full';
    const child = spawn("sh", ["-c", command, process.execPath, MAIN, url], {
      env: environmentWith({}),
      stdio: ["ignore", "ignore", "pipe"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const ended = once(child, "exit");
    expect(await text(child.stderr)).toContain("The output could not be written");
    expect(await ended).toEqual([1, null]);
  });

  test("space for the messages of a command still gives its output", async () => {
    const { url } = await simulated();
    const command = 'exec "$0" "$1" ask Hello --endpoint "$2" --model "$3" 2>/dev/full';
    const child = spawn("sh", ["-c", command, process.execPath, MAIN, url, PROMPT_ANSWER], {
      env: environmentWith({}),
      stdio: ["ignore", "pipe", "ignore"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const ended = once(child, "exit");
    expect(await text(child.stdout)).toContain(ANSWER);
    expect(await ended).toEqual([0, null]);
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
