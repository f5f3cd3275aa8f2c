import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type FoundryCliStandIn,
  type Simulator,
  startFoundryCli,
  startSimulator,
} from "../../src/index.js";
import { get } from "../ask.js";
import { collected, run, spawned } from "./run.js";

describe("the command line from 0.10 on", () => {
  let home: string;
  let simulator: Simulator;
  let cli: FoundryCliStandIn;
  const json = async (...args: readonly string[]): Promise<unknown> =>
    JSON.parse((await run(cli, ...args, "-o", "json")).stdout);

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "foundry-local-mcp-test-"));
    simulator = await startSimulator();
    await simulator.stop();
    cli = await startFoundryCli({ generation: "server", home, service: simulator });
  });
  afterEach(async () => {
    await cli.close();
    await simulator.close();
    await rm(home, { recursive: true, force: true, maxRetries: 10 });
  });

  it("reports whether the server runs, starts it on a new port, and stops it", async () => {
    const down = await json("server", "status");
    const started = await json("server", "start");
    const { url, port } = simulator;
    const up = await json("server", "status");
    const answered = await get(url, "/v1/models");
    const restarted = await json("server", "restart");
    const stopped = await json("server", "stop");
    expect(down).toEqual({ running: false, state: "not_running" });
    expect(started).toEqual({ running: true, webUrls: [url], port });
    expect(up).toEqual({
      running: true,
      state: "ready",
      pid: process.pid,
      webUrls: [url],
      startedAt: expect.any(String),
      uptime: expect.stringMatching(/^\d+s$/),
      logFile: "",
    });
    expect(answered.status).toBe(200);
    expect(restarted).toMatchObject({ running: true, webUrls: [simulator.url] });
    expect(stopped).toMatchObject({ running: false });
    expect(simulator.listening).toBe(false);
  });

  it("has no model in memory after a restart, which interrupts a running load", async () => {
    const model = (id: string, loadMs: number) => ({ id, alias: id, loadMs });
    await using service = await startSimulator({
      models: [model("quick-generic-cpu:1", 0), model("slow-generic-cpu:1", 600)],
    });
    await using its = await startFoundryCli({ generation: "server", service });
    await get(service.url, "/models/load/quick-generic-cpu:1");
    const before = service.loaded;
    const interrupted = get(service.url, "/models/load/slow-generic-cpu:1");
    await service.waitFor(({ requests }) => requests.length === 2);
    await run(its, "server", "restart");
    await interrupted;
    const after = service.loaded;
    const again = await get(service.url, "/models/load/slow-generic-cpu:1");
    expect(before).toEqual(["quick-generic-cpu:1"]);
    expect(after).toEqual([]);
    expect(again.status).toBe(200);
    expect(service.loaded).toEqual(["slow-generic-cpu:1"]);
  });

  it("prints its commands with --help", async () => {
    const help = await run(cli, "--help");
    expect(help.code).toBe(0);
    expect(help.stdout).toContain("Usage: foundry <command>");
    expect(help.stdout).toContain("  model download\n");
  });

  it("reports the same state as text without JSON", async () => {
    const down = await run(cli, "server", "status");
    await run(cli, "server", "start");
    const up = await run(cli, "server", "status");
    expect(down.stdout).toBe("State    Not running\n");
    expect(up.stdout).toMatch(
      /^State {4}Ready\nPID {6}\d+\nStarted {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\nUptime {3}\d+s\nWeb URLs http:\/\/127\.0\.0\.1:\d+\n$/,
    );
  });

  it("is initializing while it starts", async () => {
    cli.set({ startMs: 600_000 });
    spawned(cli, ["server", "start"]);
    await cli.waitFor(({ calls }) => calls.length === 1);
    expect(await json("server", "status")).toEqual({ running: false, state: "initializing" });
  });

  it("continues a start whose command was killed", async () => {
    cli.set({ startMs: 300 });
    const starting = spawned(cli, ["server", "start"]);
    await cli.waitFor(({ calls }) => calls.length === 1);
    starting.kill("SIGKILL");
    await expect.poll(() => simulator.listening).toBe(true);
  });

  it("prints its address before it listens with startReturns: at_once", async () => {
    cli.set({ startMs: 600_000, startReturns: "at_once" });
    const started = await json("server", "start");
    const early = await get(simulator.url, "/v1/models");
    const status = await json("server", "status");
    await json("server", "stop");
    cli.set({ startMs: 1 });
    await json("server", "start");
    await expect.poll(() => simulator.listening).toBe(true);
    expect(started).toMatchObject({ running: true, webUrls: [expect.any(String)] });
    expect(early.connection).toBe("ECONNREFUSED");
    expect(status).toEqual({ running: false, state: "initializing" });
  });

  it("refuses unknown commands and options with exit code 2, in both wordings", async () => {
    const one = await run(cli, "service", "status");
    cli.set({ unknownCommand: "did_you_mean" });
    const other = await run(cli, "service", "status");
    const gone = await run(cli, "model", "run", "phi-4");
    expect(one).toMatchObject({
      code: 2,
      stderr:
        "● error: Unrecognized command or argument 'service'.\nHint: Run 'foundry --help' to see usage.\n",
    });
    expect(other).toMatchObject({
      code: 2,
      stderr: "Unknown command: 'service'\nDid you mean 'server'?\n",
    });
    expect(gone).toMatchObject({ code: 2, stderr: expect.stringContaining("'run'") });
  });

  it("writes daemon.json, which stays after a crash or with daemonFileAfterStop: stays", async () => {
    const file = join(home, ".foundry", "daemon.json");
    const content = async (): Promise<unknown> => JSON.parse(await readFile(file, "utf8"));
    await run(cli, "server", "start");
    const written = await content();
    const first = simulator.url;
    await simulator.stop();
    const crashed = await json("server", "status");
    const afterCrash = await content();
    await run(cli, "server", "start");
    await run(cli, "server", "stop");
    const afterStop = existsSync(file);
    cli.set({ daemonFileAfterStop: "stays", pid: 4_000_000 });
    await run(cli, "server", "start");
    await run(cli, "server", "stop");
    expect(written).toEqual({
      web_urls: [first],
      pid: process.pid,
      daemon_version: "0.10.3",
      ort_version: expect.any(String),
    });
    expect(crashed).toEqual({ running: false, state: "not_running" });
    expect(afterCrash).toEqual(written);
    expect(afterStop).toBe(false);
    expect(await content()).toMatchObject({ pid: 4_000_000, web_urls: [simulator.url] });
    expect((await run(cli, "server", "logs", "-n", "1")).stdout).toContain("stopping");
  });

  it("lists models, the cached and the loaded ones, and their variants", async () => {
    await run(cli, "model", "load", "qwen2.5-0.5b");
    const all = await json("model", "list");
    const loaded = await json("model", "list", "--loaded");
    const variants = await json("model", "list", "--variants", "--cached");
    const info = await json("model", "info", "qwen2.5-0.5b-instruct-generic-cpu:4");
    const id = "qwen2.5-0.5b-instruct-generic-cpu:4";
    expect(all).toMatchObject({
      models: expect.arrayContaining([expect.objectContaining({ id })]),
    });
    expect(loaded).toMatchObject({ models: [{ id, alias: "qwen2.5-0.5b", loaded: true }] });
    expect(variants).toMatchObject({
      variants: expect.arrayContaining([
        {
          alias: "qwen2.5-0.5b",
          variantId: id,
          type: "Chat",
          device: "CPU",
          executionProvider: "CPUExecutionProvider",
          fileSizeMb: 819,
          cached: true,
        },
      ]),
    });
    expect(info).toMatchObject({ model: { id, contextLength: 32_768, supportsToolCalling: true } });
    expect((await run(cli, "model", "list")).stdout).toMatch(/\nqwen2\.5-0\.5b +Chat +CPU/);
  });

  it("reports the cache's folder and the settings, and pins a port", async () => {
    await simulator.start(0);
    const { port } = simulator;
    await simulator.stop();
    await run(cli, "config", "set", "port", String(port));
    const config = await json("config", "show");
    const started = await json("server", "start");
    const overview = await json("status");
    expect(config).toEqual([
      { key: "port", value: String(port), userSet: true },
      { key: "cache-directory", value: simulator.modelCachePath, userSet: false },
    ]);
    expect(started).toMatchObject({ port });
    expect(await json("cache", "location")).toEqual({
      path: simulator.modelCachePath,
      userSet: false,
    });
    expect(overview).toMatchObject({
      models: { loaded: 0, cached: 4 },
      connectivity: { "Local service": "Reachable" },
    });
  });

  it("reports Ready for a dead listener, until it is restarted", async () => {
    await run(cli, "server", "start");
    await simulator.stop();
    cli.set({ status: "dead_listener" });
    const dead = await json("server", "status");
    const again = await json("server", "start");
    const restarted = await json("server", "restart");
    expect(dead).toMatchObject({ running: true, state: "ready", webUrls: [expect.any(String)] });
    expect(again).toMatchObject({ running: true });
    expect(simulator.listening).toBe(true);
    expect(restarted).toMatchObject({ webUrls: [simulator.url] });
    expect(await json("server", "status")).toMatchObject({ webUrls: [simulator.url] });
  });

  it("comes up without a listener with start: comes_up_dead", async () => {
    cli.set({ start: "comes_up_dead" });
    const started = await json("server", "start");
    const status = await json("server", "status");
    const listed = await run(cli, "model", "list");
    const url = String(Object(Object(status).webUrls)[0]);
    expect(started).toMatchObject({ running: true, webUrls: [url] });
    expect((await get(url, "/v1/models")).connection).toBe("ECONNREFUSED");
    expect(listed.code).toBe(1);
  });

  it("reports a running service as stopped, with its address", async () => {
    await run(cli, "server", "start");
    cli.set({ status: "says_stopped" });
    expect(await json("server", "status")).toEqual({
      running: false,
      state: "not_running",
      pid: process.pid,
      webUrls: [simulator.url],
    });
  });

  it("reports its service only after statusLagCalls calls", async () => {
    cli.set({ statusLagCalls: 2 });
    await run(cli, "server", "start");
    const answers = [];
    for (let call = 0; call < 3; call++) answers.push(await json("server", "status"));
    expect(answers).toMatchObject([{ running: false }, { running: false }, { running: true }]);
  });

  it("does not end after a load with loadHangsAfter, though the model is in memory", async () => {
    cli.set({ loadHangsAfter: true });
    const child = spawned(cli, ["model", "load", "qwen2.5-0.5b"]);
    await collected(child).until("is loaded");
    expect(simulator.loaded).toEqual(["qwen2.5-0.5b-instruct-generic-cpu:4"]);
    expect(child.exitCode).toBeNull();
  });

  it("creates its service when it is first needed, and closes it", async () => {
    let made: Simulator | null = null;
    const lazy = await startFoundryCli({
      generation: "server",
      service: async () => {
        made = await startSimulator();
        return made;
      },
    });
    await run(lazy, "server", "status");
    expect(made).toBeNull();
    await run(lazy, "server", "start");
    expect(made).toMatchObject({ listening: true });
    await lazy.close();
    expect(made).toMatchObject({ listening: false });
  });
});
