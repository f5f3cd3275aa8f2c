import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Search } from "../../../src/foundry/discovery/search.js";
import { ownPort } from "../../ports.js";
import { simulate } from "../fixtures.js";
import { Installation, running, STOPPED } from "./installation.js";

const never = new Promise<never>(() => {});

describe("concurrent searches", () => {
  it("share one execution", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(url) } });
    const discovery = installation.discovery();

    const searches = await Promise.all(Array.from({ length: 20 }, () => discovery.search()));

    expect(new Set(searches).size).toBe(1);
    expect(await installation.runsOf("server status")).toBe(1);
  });

  it("continue when one caller aborts", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(url) } });
    const discovery = installation.discovery();
    const leaving = new AbortController();

    const left = discovery.search({ signal: leaving.signal });
    const stayed = discovery.search();
    leaving.abort();

    await expect(left).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await stayed).found?.endpoint).toBe(url);
  });

  it("send updates to all callers, also to later ones", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints: STOPPED },
      "server start": { afterwards: { "server status": { prints: running(url) } } },
    });
    const discovery = installation.discovery();
    const told: string[] = [];
    let late: Promise<unknown> | null = null;

    await discovery.search({
      onStatus: () => {
        told.push("first");
        late ??= discovery.search({ onStatus: () => told.push("late") });
      },
    });
    await late;

    expect(told).toEqual(["first", "late"]);
    expect(await installation.runsOf("server start")).toBe(1);
  });

  it("do not make a search without start wait for a start", async () => {
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints: STOPPED },
      "server start": { hangs: true },
    });
    const scanMs = 500;
    // The scan before the start may take as long as the command does.
    const pause = (ms: number, signal: AbortSignal) =>
      ms === scanMs ? never : setTimeout(ms, undefined, { signal });
    const discovery = installation.discovery({ timing: { scanMs, pause } });
    let look: Promise<Search> | null = null;
    const start = discovery.search({
      onStatus: () => {
        look ??= discovery.search({ mayStart: false });
      },
    });
    await expect.poll(() => look).not.toBeNull();

    const { found, error } = await (look ?? start);

    expect(found).toBeNull();
    expect(error).toMatchObject({ code: "NO_ENDPOINT", retryable: true });
    expect(error?.message).toContain("Under way: Starting Foundry Local");
    expect(discovery.whyNothing?.message).toBe(error?.message);
    await discovery.close();
    await expect(start).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  });

  it("with permission to start do not share a search without it", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints: STOPPED },
      "server start": { afterwards: { "server status": { prints: running(url) } } },
    });
    const discovery = installation.discovery();

    const [looked, started] = await Promise.all([
      discovery.search({ mayStart: false }),
      discovery.search(),
    ]);

    expect(looked.found).toBeNull();
    expect(started.found).toEqual({ endpoint: url, foundBy: "started" });
  });
});

describe("a search that found nothing", () => {
  it("is reused for a second", async () => {
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: STOPPED } });
    let now = 1000;
    const discovery = installation.discovery({
      autostart: false,
      timing: { now: () => now, failureKeptMs: 1000 },
    });

    const first = await discovery.search();
    now += 999;
    const second = await discovery.search();
    now += 1;
    const third = await discovery.search();

    expect(second).toBe(first);
    expect(third).not.toBe(first);
    expect(await installation.runsOf("server status")).toBe(2);
  });

  it("is not reused once the service was found", async () => {
    const port = await ownPort();
    let now = 0;
    const installation = await Installation.make();
    const discovery = installation.discovery({
      cliPath: undefined,
      knownPorts: [port],
      ownerOf: async () => "own",
      timing: { now: () => now, failureKeptMs: 1000 },
    });
    const before = await discovery.search();
    const { url } = await simulate({ port });
    now = 1000;

    await discovery.search();

    expect(before.found).toBeNull();
    expect((await discovery.search()).found).toEqual({ endpoint: url, foundBy: "last_url" });
  });
});

describe("the command line", () => {
  it("is searched for again when it was missing", async () => {
    const installation = await Installation.make();
    const discovery = installation.discovery({ cliPath: undefined });

    expect(await discovery.cli()).toBeNull();
    expect(await discovery.cli()).toBeNull();
  });

  it("is searched for only once when it was found", async () => {
    const installation = await Installation.make();
    await installation.install({});
    const discovery = installation.discovery();

    expect(await discovery.cli()).toBe(await discovery.cli());
  });
});

describe("closing", () => {
  it("ends a running search, and refuses further ones", async () => {
    const installation = await Installation.make();
    await installation.install({ "server status": { hangs: true } });
    const discovery = installation.discovery();
    const search = discovery.search();

    await discovery.close();

    await expect(search).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    await expect(discovery.search()).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  });

  it("prevents a start of the service", async () => {
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: STOPPED } });
    // The ports are probed after the command line has reported that the service does not run.
    const silent = createServer();
    const asked = once(silent, "connection");
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const address = silent.address();
    const port = address === null || typeof address === "string" ? 0 : address.port;
    const discovery = installation.discovery({
      knownPorts: [port],
      timing: { graceMs: 20_000, portMs: 20_000 },
    });
    const search = discovery.search();
    search.catch(() => {});
    const [socket] = await asked;
    onTestFinished(() => {
      socket.destroy();
      silent.close();
    });

    await discovery.close();

    await expect(search).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    expect(await installation.runsOf("server start")).toBe(0);
  });
});
