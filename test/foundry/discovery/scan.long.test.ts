import { startSimulator } from "foundry-local-simulator";
import { describe, expect, it } from "vitest";
import type { ListenerOwner } from "../../../src/platform/listener-owner.js";
import { deadUrl, simulate } from "../fixtures.js";
import { DEAD_PID, Installation, running, STOPPED } from "./installation.js";

const portOf = (url: string): number => Number(new URL(url).port);

describe("the location of a service", () => {
  it("is taken from the newer command line, after a successful probe", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(url) } });

    const search = await installation.discovery().search();

    expect(search).toMatchObject({
      found: { endpoint: url, foundBy: "server_status" },
      error: null,
    });
    expect(search.attempts[0]).toEqual({
      what: "`foundry server status`",
      outcome: expect.stringContaining(`says that it runs at ${url}, and Foundry Local core`),
      ok: true,
    });
  });

  it("is taken from the older command line", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    const prints = `🟢 Model management service is running on ${url}/openai/status`;
    await installation.install({ "service status": { prints } });

    const { found, attempts } = await installation.discovery().search();

    expect(found).toEqual({ endpoint: url, foundBy: "service_status" });
    expect(attempts[0]?.what).toBe("`foundry service status`");
  });

  it("is found at an address in the output although the command line reports that the service does not run", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    const prints = JSON.stringify({ running: false, state: "not_running", webUrls: [url] });
    await installation.install({ "server status": { prints } });

    const { found } = await installation.discovery().search();

    expect(found).toEqual({ endpoint: url, foundBy: "server_status" });
  });

  it("is not used at an address of an earlier run where another user's program listens now", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    const prints = JSON.stringify({ running: false, state: "not_running", webUrls: [url] });
    await installation.install({ "server status": { prints } });
    await installation.writeDaemonFile({ web_urls: [url] });
    const discovery = installation.discovery({ ownerOf: async () => "other" });

    const { found, attempts } = await discovery.search({ mayStart: false });

    const outcome = `names ${url}, but what listens there is another user's, so it is not used`;
    expect(found).toBeNull();
    expect(attempts).toContainEqual({ what: "daemon.json", outcome, ok: false });
    expect(attempts).toContainEqual({
      what: "`foundry server status`",
      outcome: `says that it is not running, but still ${outcome}`,
      ok: false,
    });
  });

  it.each(["web_urls", "urls"])(
    "is found by `%s` of daemon.json without a command line",
    async (member) => {
      const { url } = await simulate();
      const installation = await Installation.make();
      await installation.writeDaemonFile({ [member]: [`${url}/v1/`], pid: process.pid });

      const { found } = await installation.discovery().search();

      expect(found).toEqual({ endpoint: url, foundBy: "daemon_file" });
    },
  );

  it("is found on a known port without any other source", async () => {
    const { url } = await simulate();
    const dead = await deadUrl();
    const installation = await Installation.make();
    const discovery = installation.discovery({ knownPorts: [portOf(dead), portOf(url)] });

    const { found } = await discovery.search();

    expect(found).toEqual({ endpoint: url, foundBy: "known_port" });
  });

  it("is not used on a known port when the program there belongs to another user", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    const discovery = installation.discovery({
      knownPorts: [portOf(url)],
      ownerOf: async () => "other",
    });

    const { found, attempts } = await discovery.search();

    expect(found).toBeNull();
    expect(attempts).toContainEqual({
      what: url,
      outcome: "what listens there is another user's, so it is not used",
      ok: false,
    });
  });

  it("is a guess on a known port when the system does not show the program's user", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    let owner: ListenerOwner = "unknown";
    const discovery = installation.discovery({
      knownPorts: [portOf(url)],
      ownerOf: async () => owner,
    });

    expect((await discovery.search()).found).toEqual({ endpoint: url, foundBy: "guess" });
    // It is still a guess when it is found at its last address.
    expect((await discovery.search()).found).toEqual({ endpoint: url, foundBy: "guess" });
    owner = "own";
    expect((await discovery.search()).found).toEqual({ endpoint: url, foundBy: "last_url" });
    owner = "other";
    expect((await discovery.search()).found).toBeNull();
  });

  it("is preferably this user's program on a known port, whatever the order", async () => {
    const guessed = await simulate();
    const own = await simulate();
    const installation = await Installation.make();
    const discovery = installation.discovery({
      knownPorts: [portOf(guessed.url), portOf(own.url)],
      ownerOf: async (port) => (port === portOf(own.url) ? "own" : "unknown"),
    });

    const { found } = await discovery.search();

    expect(found).toEqual({ endpoint: own.url, foundBy: "known_port" });
  });

  it("is not searched for on known ports with discovery `declared`", async () => {
    const guessed = await simulate();
    const installation = await Installation.make();
    const options = { discovery: "declared", knownPorts: [portOf(guessed.url)] } as const;
    const discovery = installation.discovery(options);
    expect((await discovery.search()).found).toBeNull();
    expect(guessed.requests).toEqual([]);

    const declared = await simulate();
    await installation.writeDaemonFile({ urls: [declared.url], pid: process.pid });
    expect((await discovery.search()).found).toEqual({
      endpoint: declared.url,
      foundBy: "daemon_file",
    });
  });

  it("is the command line's when two services answer, and the other one is named", async () => {
    const told = await simulate();
    const other = await simulate();
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(told.url) } });
    await installation.writeDaemonFile({ web_urls: [other.url], pid: process.pid });
    // The other is named only if its answer comes before that of the command line.
    const attempts = async () => {
      const search = await installation.discovery({ timing: { graceMs: 20_000 } }).search();
      expect(search.found?.endpoint).toBe(told.url);
      return search.attempts;
    };

    await expect.poll(attempts).toContainEqual({
      what: "daemon.json",
      outcome: expect.stringContaining(other.url),
      ok: true,
    });
  });

  it("is not searched for on guessed ports when the command line has an address", async () => {
    const told = await simulate();
    const guessed = await simulate();
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(told.url) } });
    const discovery = installation.discovery({
      knownPorts: [portOf(guessed.url)],
      timing: { graceMs: 20_000 },
    });

    await discovery.search();

    expect(guessed.requests).toEqual([]);
  });
});

describe("the last address of the service", () => {
  it("is tried first, without the command line", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(url) } });
    const discovery = installation.discovery();
    await discovery.search();
    const runs = await installation.runsOf("server status");

    const { found } = await discovery.search();

    expect(found).toEqual({ endpoint: url, foundBy: "last_url" });
    expect(await installation.runsOf("server status")).toBe(runs);
  });

  it("is abandoned when the service has moved", async () => {
    const before = await startSimulator();
    const after = await simulate();
    const installation = await Installation.make();
    await installation.install({
      "server status": { printsAtFirst: [running(before.url)], prints: running(after.url) },
    });
    const discovery = installation.discovery();
    await discovery.search();
    await before.close();

    const { found, attempts } = await discovery.search();

    expect(found).toEqual({ endpoint: after.url, foundBy: "server_status" });
    expect(attempts[0]).toEqual({
      what: `${before.url} (used before)`,
      outcome: "nothing listens there",
      ok: false,
    });
  });
});

describe("an unreliable source", () => {
  it("such as another engine on a known port is not used as Foundry Local", async () => {
    const { url } = await simulate({ dialect: "openai" });
    const installation = await Installation.make();

    const { found, attempts } = await installation
      .discovery({ knownPorts: [portOf(url)] })
      .search();

    expect(found).toBeNull();
    expect(attempts).toContainEqual({
      what: url,
      outcome: "what answers there is not Foundry Local",
      ok: false,
    });
  });

  it("such as the file of an ended daemon causes no probe", async () => {
    const simulator = await simulate();
    const installation = await Installation.make();
    await installation.writeDaemonFile({ web_urls: [simulator.url], pid: DEAD_PID });

    const { found, attempts } = await installation.discovery().search();

    expect(found).toBeNull();
    expect(simulator.requests).toEqual([]);
    expect(attempts).toContainEqual({
      what: "daemon.json",
      outcome: "is stale: the process that it names has ended",
      ok: false,
    });
  });

  it("such as an address of another machine in a file gets no prompts", async () => {
    const installation = await Installation.make();
    await installation.writeDaemonFile({ web_urls: ["http://192.0.2.1:5273"] });

    const { found, attempts } = await installation.discovery().search();

    expect(found).toBeNull();
    expect(attempts.find(({ what }) => what === "daemon.json")?.outcome).toMatch(
      /192\.0\.2\.1:5273, which is not this machine/,
    );
  });
});

describe("a running service that cannot be used", () => {
  it("is not restarted when its address is another machine's", async () => {
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running("http://192.0.2.1:5273") } });

    const { found, error } = await installation.discovery().search();

    expect(found).toBeNull();
    expect(error?.message).toContain("http://192.0.2.1:5273, which is not this machine");
    expect(await installation.runsOf("server restart")).toBe(0);
  });

  it("is not restarted when another program has taken its port", async () => {
    const { url } = await simulate({ dialect: "openai" });
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(url) } });

    const { found, error } = await installation.discovery().search();

    expect(found).toBeNull();
    expect(error?.message).toContain(
      `says that it runs at ${url}, but what answers there is not Foundry Local`,
    );
    expect(error).toMatchObject({ retryable: true });
    expect(await installation.runsOf("server restart")).toBe(0);
  });
});

describe("a command line that hangs", () => {
  it("does not delay the use of a live daemon that daemon.json names", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({ "server status": { hangs: true } });
    await installation.writeDaemonFile({ web_urls: [url], pid: process.pid });
    const discovery = installation.discovery({ timing: { graceMs: 50 } });

    const { found, attempts } = await discovery.search();

    expect(found).toEqual({ endpoint: url, foundBy: "daemon_file" });
    expect(attempts[0]).toMatchObject({ outcome: "had not answered by then", ok: false });
  });

  it("is abandoned within its time limit, and named as the cause", async () => {
    const installation = await Installation.make();
    await installation.install({ "server status": { hangs: true } });
    const discovery = installation.discovery({ timing: { graceMs: 20, scanMs: 300 } });

    const { found, error } = await discovery.search();

    expect(found).toBeNull();
    expect(error).toMatchObject({ code: "NO_ENDPOINT", retryable: true });
    expect(error?.message).toMatch(/does not say whether it runs.*had not answered by then/);
    expect(await installation.runsOf("server start")).toBe(0);
  });
});

describe("the error without any service", () => {
  it("contains one sentence and how to install it; the attempts are listed apart", async () => {
    const dead = portOf(await deadUrl());
    const installation = await Installation.make();
    const machine = { ...installation.machine, platform: "linux" as const };
    const discovery = installation.discovery({ machine, cliPath: undefined, knownPorts: [dead] });

    const { found, error } = await discovery.search();

    expect(found).toBeNull();
    expect(error).toMatchObject({ code: "NO_ENDPOINT", retryable: false });
    expect(error?.message).toBe(
      "No Foundry Local was found, and its command line is not installed.",
    );
    expect(discovery.lastSearch?.attempts).toEqual([
      {
        what: "`foundry`",
        outcome: "is not installed, or not where it could be found",
        ok: false,
      },
      { what: "daemon.json", outcome: "is not there", ok: false },
      { what: `the known port ${dead}`, outcome: "nothing listens there", ok: false },
    ]);
    expect(error?.action).toContain("npm install --no-save --save-dev");
    expect(discovery.lastSearch?.error).toBe(error);
  });

  it("warns that a program of the same name may be another one", async () => {
    const installation = await Installation.make();
    await installation.install({});

    const { error } = await installation.discovery().search();

    expect(error?.action).toContain("The program may not be Foundry Local's. ");
  });

  it("names a wrong path of the command line", async () => {
    const installation = await Installation.make();

    const { error } = await installation.discovery({ cliPath: "/nowhere/foundry" }).search();

    expect(error?.action).toContain("the option `cliPath`");
    expect(error?.message).not.toContain("/nowhere");
  });

  it("reports that the service is installed and not running when it may not be started", async () => {
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: STOPPED } });

    const { error } = await installation.discovery({ autostart: false }).search();

    expect(error).toMatchObject({ code: "NO_ENDPOINT", retryable: false });
    expect(error?.message).toContain("installed, but not running");
    expect(error?.action).toContain("`foundry server start`");
    expect(error?.action).toContain("the option `autostart`");
    expect(await installation.runsOf("server start")).toBe(0);
  });

  it("names the older command where the older command line is installed", async () => {
    const installation = await Installation.make();
    const prints = "🔴 Model management service is not running!";
    await installation.install({ "service status": { prints } });

    const { error } = await installation.discovery({ autostart: false }).search();

    expect(error?.action).toContain("`foundry service start`");
  });
});
