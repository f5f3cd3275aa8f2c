import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type FoundryCliStandIn,
  type Simulator,
  startFoundryCli,
  startSimulator,
} from "../../src/index.js";
import { get } from "../ask.js";
import { run } from "./run.js";

describe("the command line of 0.2 to 0.8", () => {
  let simulator: Simulator;
  let cli: FoundryCliStandIn;

  beforeEach(async () => {
    simulator = await startSimulator();
    await simulator.stop();
    cli = await startFoundryCli({ generation: "service", service: simulator });
  });
  afterEach(async () => {
    await cli.close();
    await simulator.close();
  });

  it("reports whether the service runs, starts it on a new port, and stops it", async () => {
    const down = await run(cli, "service", "status");
    const started = await run(cli, "service", "start");
    const again = await run(cli, "service", "start");
    const up = await run(cli, "service", "status");
    const answered = await get(simulator.url, "/v1/models");
    const stopped = await run(cli, "service", "stop");
    expect(down.stdout).toBe(
      "🔴 Model management service is not running!\nTo start the service, run the following command: foundry service start\n",
    );
    expect(started.stdout).toBe(
      `🟢 Service is Started on ${simulator.url}/, PID ${process.pid}!\n`,
    );
    expect(again.stdout).toBe(`🟢 Service is already running on ${simulator.url}/.\n`);
    expect(up.stdout).toMatch(
      /^🟢 Model management service is running on http:\/\/127\.0\.0\.1:\d+\/openai\/status\nEP autoregistration status: .*\nValid EPs: CPUExecutionProvider, .*\n$/,
    );
    expect(answered.status).toBe(200);
    expect(stopped.stdout).toBe("🔴 Service is stopped.\n");
    expect(simulator.listening).toBe(false);
  });

  it("has nothing in memory after a restart", async () => {
    await run(cli, "model", "load", "qwen2.5-0.5b");
    const before = simulator.loaded.length;
    await run(cli, "service", "restart");
    expect([before, simulator.loaded.length]).toEqual([1, 0]);
  });

  it("lists execution providers from 0.7 on only", async () => {
    await simulator.start();
    await using older = await startFoundryCli({
      generation: "service",
      version: "0.6.87+e69a6c3d2b",
      service: simulator,
    });
    expect((await run(older, "service", "status")).stdout).not.toContain("EP");
    expect((await run(older, "--version")).stdout).toBe("0.6.87+e69a6c3d2b\n");
  });

  it("pins a port and reports the settings", async () => {
    await simulator.start(0);
    const { port } = simulator;
    await simulator.stop();
    const pinned = await run(cli, "service", "set", "--port", String(port));
    const shown = await run(cli, "service", "set", "--show");
    expect(pinned.stdout).toBe(
      `Saving new settings\nRestarting service...\n🔴 Service is stopped.\n🟢 Service is Started on http://127.0.0.1:${port}/, PID ${process.pid}!\n`,
    );
    expect(shown.stdout).toMatch(/^No settings changed\n/);
    expect(JSON.parse(shown.stdout.slice(shown.stdout.indexOf("{")))).toMatchObject({
      serviceSettings: { port, schema: "http", cacheDirectoryPath: simulator.modelCachePath },
    });
  });

  it("loads, lists and unloads models, and reports that it starts the service for this", async () => {
    const empty = await run(cli, "service", "ps");
    const loaded = await run(cli, "model", "load", "qwen2.5-0.5b");
    const listed = await run(cli, "service", "list");
    await run(cli, "model", "unload", "qwen2.5-0.5b");
    expect(empty.stdout).toBe(
      `🟢 Service is Started on ${simulator.url}/, PID ${process.pid}!\nNo models are currently loaded in the service\n`,
    );
    expect(loaded.stdout).toBe("🕓 Loading model...\n🟢 Model qwen2.5-0.5b loaded successfully\n");
    expect(listed.stdout).toMatch(/\n🟢 {2}qwen2.5-0.5b +qwen2.5-0.5b-instruct-generic-cpu:4\n$/);
    expect(simulator.loaded).toEqual([]);
  });

  it("shows the catalog as a table, and the cache", async () => {
    await simulator.start();
    const catalog = await run(cli, "model", "list");
    const cache = await run(cli, "cache", "ls");
    const location = await run(cli, "cache", "location");
    expect(catalog.stdout).toMatch(/^Alias +Device +Task +File Size +License +Model ID\n-+\n/);
    expect(catalog.stdout).toMatch(
      /\nphi-4 +GPU +chat +8\.37 GB +MIT +Phi-4-cuda-gpu:1\n +GPU +chat +8\.37 GB/,
    );
    expect(cache.stdout).toMatch(/\n💾 phi-4-mini +Phi-4-mini-instruct-generic-cpu:5\n/);
    expect(location.stdout).toBe(`💾 Cache directory path: ${simulator.modelCachePath}\n`);
  });

  it("refuses an impossible load as the service does", async () => {
    const refused = await run(cli, "model", "load", "phi-4");
    expect(refused.code).toBe(1);
    expect(refused.stdout).toMatch(
      /Exception: Failed: Loading model Phi-4-\S+ from http:\S+\/openai\/load\/\S+\?ttl=600\nInternal Server Error\n/,
    );
  });

  it("does not know the commands and the options of its successor", async () => {
    const command = await run(cli, "server", "status");
    const option = await run(cli, "service", "status", "-o", "json");
    expect(command).toMatchObject({ code: 1, stderr: expect.stringContaining("'server'.") });
    expect(option).toMatchObject({ code: 1, stderr: expect.stringContaining("'-o'.") });
    expect(cli.calls).toEqual([
      ["server", "status"],
      ["service", "status", "-o", "json"],
    ]);
  });

  it("reports a start and then crashes when its port is in use", async () => {
    cli.set({ start: "port_in_use" });
    const { code, stdout, stderr } = await run(cli, "service", "start");
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("Started") });
    expect(stderr).toContain("address already in use");
    expect(simulator.listening).toBe(false);
  });

  it("leaves the service running with stop: leaves_service, and finds its own pinned port in use", async () => {
    await simulator.start();
    cli.set({ stop: "leaves_service" });
    await run(cli, "service", "stop");
    const status = await run(cli, "service", "status");
    const answered = await get(simulator.url, "/v1/models");
    const pinned = await run(cli, "service", "set", "--port", String(simulator.port));
    cli.set({ stop: "works" });
    await run(cli, "service", "stop");
    const freed = await run(cli, "service", "start");
    expect(status.stdout).toContain("not running");
    expect(answered.status).toBe(200);
    expect(pinned.stderr).toContain("address already in use");
    expect(freed.stderr).toBe("");
  });

  it("cannot reach its own service with status: broken_ipc, until it is restarted", async () => {
    cli.set({ status: "broken_ipc" });
    const broken = await run(cli, "model", "list");
    await run(cli, "service", "restart");
    const status = await run(cli, "service", "status");
    expect(broken).toMatchObject({ code: 1 });
    expect(broken.stdout).toContain(
      "Exception: Request to local service failed. Uri:http://127.0.0.1:0/foundry/list\n",
    );
    expect(status.stdout).toContain(`${simulator.url}/openai/status`);
  });
});
