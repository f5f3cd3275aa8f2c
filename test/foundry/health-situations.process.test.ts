import { startFoundryCli } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import type { FoundryClientOptions } from "../../src/foundry/index.js";
import { FoundryClient } from "../../src/jobs/index.js";
import { Installation, running, STOPPED } from "./discovery/installation.js";
import { clientOf, deadUrl, simulate } from "./fixtures.js";

/** A client on a machine of its own, with a scripted command line. */
function clientOn(installation: Installation, options: FoundryClientOptions = {}): FoundryClient {
  const { cliPath, machine } = installation;
  const client = new FoundryClient({ cliPath, embedded: false, ...options }, machine);
  onTestFinished(() => client.close());
  return client;
}

describe("a health check with no endpoint set", () => {
  it("of a stopped service does not start it, and says that the next call will", async () => {
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: STOPPED } });

    const health = await clientOn(installation).healthCheck();

    expect(health).toMatchObject({ status: "unavailable", endpoint: null, foundBy: null });
    expect(health.problems).toEqual([
      {
        what: "Foundry Local is installed, but not running.",
        fix: expect.stringMatching(/^Nothing to do: the next call .*`foundry server start`/),
      },
    ]);
    expect(await installation.runsOf("server start")).toBe(0);
  });

  it("of a dead listener does not restart it, and contains the address and the command (#13, #286)", async () => {
    const installation = await Installation.make();
    const dead = await deadUrl();
    await installation.install({ "server status": { prints: running(dead) } });
    const client = clientOn(installation, { autostart: false });

    const { problems } = await client.healthCheck();

    expect(problems).toEqual([
      {
        what: expect.stringContaining(dead),
        fix: expect.stringContaining("`foundry server restart`"),
      },
    ]);
    expect(await installation.runsOf("server restart")).toBe(0);
  });

  it("after a failed start reports the failure, not that there is nothing to do (#146)", async () => {
    const installation = await Installation.make();
    await installation.install({
      "server status": { prints: STOPPED },
      "server start": { exitCode: 1, prints: "address already in use" },
    });
    const client = clientOn(installation);
    const failed = await client.listModels().catch((error: unknown) => error);
    // The result of a search is reused for a second; this test is about a check after that.
    const asked = await installation.runsOf("server status");
    await expect
      .poll(
        async () => {
          await client.healthCheck();
          return installation.runsOf("server status");
        },
        { timeout: 20_000, interval: 200 },
      )
      .toBeGreaterThan(asked);

    const { problems } = await client.healthCheck();

    expect(failed).toMatchObject({ code: "NO_ENDPOINT" });
    expect(problems).toEqual([
      {
        what: expect.stringContaining("could not be started"),
        fix: expect.stringContaining("Inference.Service.Agent"),
      },
    ]);
    expect(await installation.runsOf("server start")).toBe(1);
  });

  it.each(["server", "service"] as const)(
    "of a %s that its command line cannot reach advises to restart it (#286, #405)",
    async (generation) => {
      const installation = await Installation.make();
      const cli = await startFoundryCli({
        generation,
        home: installation.home,
        service: () => simulate({ dialect: generation === "server" ? "C1" : "S" }),
        switches: { status: "broken_ipc" },
      });
      onTestFinished(() => cli.close());

      const health = await clientOn(installation, { cliPath: cli.script }).healthCheck();

      expect(health.problems).toEqual([
        {
          what: expect.stringContaining("does not say whether it runs"),
          fix: expect.stringContaining("restart Foundry Local"),
        },
      ]);
    },
  );

  it("finds a service that has moved, and contains its new address (#884, #933)", async () => {
    const [before, after] = [await simulate(), await simulate()];
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(before.url) } });
    const client = clientOn(installation);
    expect(await client.healthCheck()).toMatchObject({ endpoint: before.url });
    await before.stop();
    await installation.install({ "server status": { prints: running(after.url) } });

    const health = await client.healthCheck();

    expect(health).toMatchObject({ endpoint: after.url, foundBy: "server_status" });
  });
});

describe("a health check with a set endpoint", () => {
  it("where nothing listens contains one problem with the service's address (#884, #933)", async () => {
    const dead = await deadUrl();
    const simulator = await simulate();
    const installation = await Installation.make();
    // A command may take longer to start than the search for another service may take.
    await installation.writeDaemonFile({ web_urls: [simulator.url], pid: process.pid });

    const health = await clientOn(installation, { endpoint: dead }).healthCheck();

    expect(health).toMatchObject({ status: "unavailable", endpoint: dead, foundBy: "set" });
    expect(health.problems).toEqual([
      {
        what: expect.stringMatching(
          new RegExp(`^Nothing listens at ${dead}\\. .* ${simulator.url} now`),
        ),
        fix: expect.stringContaining("Leave out the option `endpoint`"),
      },
    ]);
  });

  it("does not start a service either", async () => {
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: STOPPED } });

    const { problems } = await clientOn(installation, { endpoint: await deadUrl() }).healthCheck();

    expect(problems).toHaveLength(1);
    expect(await installation.runsOf("server start")).toBe(0);
  });
});

it("a C1 with an unreachable catalog is degraded, not unavailable (#1024)", async () => {
  const simulator = await simulate({
    dialect: "C1",
    switches: { catalogAccess: "unreachable" },
  });

  const health = await clientOf(simulator.url).healthCheck();

  expect(health).toMatchObject({ status: "degraded", dialect: "C1" });
  expect(health.problems).toEqual([{ what: expect.any(String), fix: expect.stringMatching(/\S/) }]);
});

it("another engine that lists no models gets no advice to download with Foundry Local", async () => {
  const simulator = await simulate({ dialect: "openai", models: [] });

  const { problems } = await clientOf(simulator.url).healthCheck();

  expect(problems).toHaveLength(1);
  expect(problems[0]?.fix).not.toContain("foundry model");
});
