import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EmbeddedService } from "../../../src/foundry/embedded/index.js";
import { simulate } from "../fixtures.js";
import { Installation, running, STOPPED } from "./installation.js";

/** An embedded service whose SDK cannot start: enough to see when it would be started. */
async function unableService(installation: Installation): Promise<EmbeddedService> {
  const sdk = join(installation.home, "node_modules", "foundry-local-sdk");
  await mkdir(sdk, { recursive: true });
  await writeFile(
    join(sdk, "package.json"),
    JSON.stringify({ name: "foundry-local-sdk", version: "1.2.3", main: "index.js" }),
  );
  const childFile = join(installation.home, "child.mjs");
  await writeFile(childFile, "process.exit(3);\n");
  const { machine, home } = installation;
  return new EmbeddedService({ machine, directories: [home], childFile });
}

describe("the embedded service", () => {
  it("replaces all others when the option `embedded` is true", async () => {
    const other = await simulate();
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(other.url) } });
    const embeddedService = await unableService(installation);
    const discovery = installation.discovery({ embedded: true, embeddedService });

    const { found, error, attempts } = await discovery.search();

    expect(found).toBeNull();
    expect(error?.code).toBe("NO_ENDPOINT");
    expect(error?.message).toContain("could not be run in a child process");
    expect(error?.cause).toMatchObject({ code: "EMBEDDED_FAILED" });
    expect(attempts).toHaveLength(1);
    expect(await installation.runsOf("server status")).toBe(0);
    expect(other.requests).toEqual([]);
  });

  it("is not tried where another service answers", async () => {
    const { url } = await simulate();
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: running(url) } });
    const embeddedService = await unableService(installation);
    const discovery = installation.discovery({ embedded: "auto", embeddedService });

    expect((await discovery.search()).found?.endpoint).toBe(url);
  });

  it("is tried last, with a status update", async () => {
    const installation = await Installation.make();
    await installation.install({ "server status": { prints: STOPPED } });
    const embeddedService = await unableService(installation);
    const discovery = installation.discovery({
      autostart: false,
      embedded: "auto",
      embeddedService,
    });
    const told: string[] = [];

    const { attempts } = await discovery.search({ onStatus: ({ message }) => told.push(message) });

    expect(told).toEqual(["Starting Foundry Local in a child process, with foundry-local-sdk"]);
    expect(attempts.at(-1)).toMatchObject({
      what: "foundry-local-sdk",
      outcome: expect.stringContaining("could not be run: "),
    });
  });

  it("is not started beside a service that is starting", async () => {
    const installation = await Installation.make();
    const prints = JSON.stringify({ running: false, state: "initializing" });
    await installation.install({ "server status": { prints } });
    const embeddedService = await unableService(installation);
    const options = { autostart: false, embedded: "auto", embeddedService } as const;

    const { error } = await installation.discovery(options).search();

    expect(error?.message).toBe("Foundry Local is starting, but does not answer yet.");
  });

  it("is not started by a search without start, which reports that a call would start it", async () => {
    const installation = await Installation.make();
    const embeddedService = await unableService(installation);
    const discovery = installation.discovery({
      cliPath: undefined,
      embedded: "auto",
      embeddedService,
    });

    const { error, attempts } = await discovery.search({ mayStart: false });

    expect(error).toMatchObject({ code: "NO_ENDPOINT", retryable: true });
    expect(error?.action).toContain("the next call that needs it will try to start it");
    expect(attempts.at(-1)?.outcome).toContain("is installed beside foundry-local-mcp");
  });

  it("is reported as missing where it is required and not installed", async () => {
    const installation = await Installation.make();

    const { error } = await installation.discovery({ embedded: true }).search();

    expect(error?.message).toContain("foundry-local-sdk is not installed");
    expect(error?.action).toContain("npm install");
    expect(error?.retryable).toBe(false);
  });
});
