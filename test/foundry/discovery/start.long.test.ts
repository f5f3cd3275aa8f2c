import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { StatusUpdate } from "../../../src/foundry/calls.js";
import { deadUrl, simulate } from "../fixtures.js";
import { Installation, running, STOPPED } from "./installation.js";

describe("a service that does not run", () => {
  it("is started, with a status update, and used once it answers", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints: STOPPED },
      "server start": {
        prints: JSON.stringify({ running: true, webUrls: [url] }),
        afterwards: { "server status": { prints: running(url) } },
      },
    });
    const told: StatusUpdate[] = [];

    const { found, attempts } = await installation
      .discovery()
      .search({ onStatus: (update) => told.push(update) });

    expect(found).toEqual({ endpoint: url, foundBy: "started" });
    expect(told).toEqual([
      {
        step: "starting",
        message: "Starting Foundry Local with `foundry server start`",
        percent: null,
      },
    ]);
    expect(attempts.at(-1)).toMatchObject({ what: "`foundry server start`", ok: true });
  });

  it("is started by the older command where only that exists", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({
      "service status": { prints: "🔴 Model management service is not running!" },
      "service start": { prints: `🟢 Service is Started on ${url}/, PID 17000!` },
    });

    const { found } = await installation.discovery().search();

    expect(found).toEqual({ endpoint: url, foundBy: "started" });
  });

  it("is waited for while its status still reports that it does not run", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints: STOPPED },
      "server start": {
        afterwards: {
          "server status": { printsAtFirst: [STOPPED, STOPPED], prints: running(url) },
        },
      },
    });

    const { found } = await installation.discovery().search();

    expect(found).toEqual({ endpoint: url, foundBy: "started" });
  });

  it("is waited for while it is starting, for as long as that takes", async () => {
    const { url } = await simulate();
    const starting = JSON.stringify({ running: false, state: "initializing" });
    const installation = await Installation.make();
    // Not `afterwards`: a report from before the end of the start would still be "not running".
    await installation.install({
      "server status": {
        printsAtFirst: [STOPPED, starting, starting, starting, starting],
        prints: running(url),
      },
      "server start": {},
    });

    const { found } = await installation.discovery({ timing: { stoppedMs: 0 } }).search();

    expect(found).toEqual({ endpoint: url, foundBy: "started" });
  });

  it("is found by daemon.json while the command that starts it still runs", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints: STOPPED },
      "server start": { hangs: true, afterwards: { "server status": { hangs: true } } },
    });
    const search = installation.discovery().search({
      onStatus: () => installation.writeDaemonFile({ web_urls: [url], pid: process.pid }),
    });

    expect((await search).found).toEqual({ endpoint: url, foundBy: "started" });
  });

  it("is reported as starting where it may not be started from here", async () => {
    const installation = await Installation.make();
    const prints = JSON.stringify({ running: false, state: "initializing" });
    await installation.install({ "server status": { prints } });

    const { error } = await installation.discovery({ autostart: false }).search();

    expect(error).toMatchObject({
      message: "Foundry Local is starting, but does not answer yet.",
      action: expect.stringContaining("Try again in a minute"),
      retryable: true,
    });
  });

  it("is not taken for started where another user's service has its port", async () => {
    const { url } = await simulate();
    const prints = JSON.stringify({ running: false, state: "not_running", webUrls: [url] });
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints },
      "server start": { prints: "error: address already in use", exitCode: 1 },
    });
    const discovery = installation.discovery({
      ownerOf: async () => "other",
      timing: { afterFailureMs: 0 },
    });

    const { found, error } = await discovery.search();

    expect(found).toBeNull();
    expect(error?.message).toContain("could not be started");
  });

  it("is not started by a search without start", async () => {
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: STOPPED } });

    const { error } = await installation.discovery().search({ mayStart: false });

    expect(await installation.runsOf("server start")).toBe(0);
    expect(error?.message).not.toContain("could not be started");
    expect(error).toMatchObject({ code: "NO_ENDPOINT", retryable: true });
    expect(error?.action).toContain("the next call that needs it starts it");
  });

  it("that could not be started is an error with the command's message", async () => {
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints: STOPPED },
      "server start": { prints: "error: no", exitCode: 7 },
    });

    const discovery = installation.discovery({ timing: { afterFailureMs: 50 } });

    const { found, error } = await discovery.search();

    expect(found).toBeNull();
    expect(error).toMatchObject({ code: "NO_ENDPOINT", retryable: false });
    expect(error?.message).toMatch(/could not be started.*ended with exit code 7/);
    expect(error?.action).toContain("`foundry server start` in a terminal");
  });

  it("that does not start in time is a retryable error", async () => {
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints: STOPPED },
      "server start": { hangs: true },
    });

    const { error } = await installation.discovery({ startTimeoutMs: 4000 }).search();

    expect(error).toMatchObject({ code: "NO_ENDPOINT", retryable: true });
    expect(error?.message).toContain("was started, but does not answer yet");
  });
});

describe("a service reported as running where nothing listens", () => {
  it("is restarted once, with a status update", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints: running(await deadUrl()) },
      "server restart": { afterwards: { "server status": { prints: running(url) } } },
    });
    const told: string[] = [];

    const { found } = await installation
      .discovery()
      .search({ onStatus: ({ message }) => told.push(message) });

    expect(found).toEqual({ endpoint: url, foundBy: "started" });
    expect(told).toEqual(["Restarting Foundry Local with `foundry server restart`"]);
    expect(await installation.runsOf("server restart")).toBe(1);
    expect(await installation.runsOf("server start")).toBe(0);
  });

  it("is not restarted when it was still starting", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    const dead = running(await deadUrl());
    await installation.install({
      "server status": { printsAtFirst: [dead, dead], prints: running(url) },
    });
    const discovery = installation.discovery({ timing: { deadMs: 120_000 } });

    const { found } = await discovery.search();

    expect(found).toEqual({ endpoint: url, foundBy: "server_status" });
    expect(await installation.runsOf("server restart")).toBe(0);
  });

  it("is not restarted before its status was reported again, however long that takes", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    const dead = running(await deadUrl());
    await installation.install({
      "server status": { printsAtFirst: [dead], prints: running(url), delayMs: 500 },
    });
    const discovery = installation.discovery({ timing: { deadMs: 50 } });

    const { found } = await discovery.search();

    expect(found).toEqual({ endpoint: url, foundBy: "server_status" });
    expect(await installation.runsOf("server restart")).toBe(0);
  });

  it("is not restarted when it listens later and answers slowly", async () => {
    const url = await deadUrl();
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(url) } });
    const server = createServer(() => {});
    onTestFinished(() => {
      server.close();
    });
    const asked = once(server, "connection");
    const [pollMs, deadMs] = [21, 4000];
    const pause = async (ms: number, signal: AbortSignal) => {
      if (ms === deadMs) {
        await asked;
        return;
      }
      await setTimeout(ms, undefined, { signal });
      if (ms === pollMs && !server.listening) server.listen(Number(new URL(url).port), "127.0.0.1");
    };
    const discovery = installation.discovery({
      timing: { pause, pollMs, deadMs, probeMs: 1500 },
    });

    const { found, error } = await discovery.search();

    expect(found).toBeNull();
    expect(error?.message).toContain("a moment later what listens there did not answer");
    expect(error?.retryable).toBe(true);
    expect(await installation.runsOf("server restart")).toBe(0);
  });

  it("is not restarted without autostart, but the error advises it", async () => {
    const dead = await deadUrl();
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(dead) } });

    const { found, error } = await installation.discovery({ autostart: false }).search();

    expect(found).toBeNull();
    expect(error?.message).toContain(`says that it runs at ${dead}, but nothing listens there`);
    expect(error?.action).toContain("`foundry server restart`");
    expect(await installation.runsOf("server restart")).toBe(0);
  });

  it("right after its start is a retryable error", async () => {
    const dead = await deadUrl();
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints: STOPPED },
      "server start": {
        prints: running(dead),
        afterwards: { "server status": { prints: running(dead) } },
      },
    });

    const startTimeoutMs = 61_000;
    const pause = async (ms: number, signal: AbortSignal) => {
      // Not before the status was reported after the start, and the address was probed.
      if (ms === startTimeoutMs) await expect.poll(statuses).toBeGreaterThan(4);
      else await setTimeout(ms, undefined, { signal });
    };
    const statuses = () => installation.runsOf("server status");

    const { error } = await installation.discovery({ startTimeoutMs, timing: { pause } }).search();

    expect(error?.message).toContain("says that it runs, but nothing listens where it says");
    expect(error?.retryable).toBe(true);
  });
});
