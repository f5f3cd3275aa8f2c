import {
  type FoundryCliOptions,
  type FoundryCliStandIn,
  type FoundryCliSwitches,
  type OutputEncoding,
  startFoundryCli,
  startSimulator,
} from "foundry-local-simulator";
import { afterEach, describe, expect, it } from "vitest";
import { type FoundryCli, findFoundryCli } from "../../../src/foundry/cli/index.js";
import { thisMachine } from "../../../src/platform/machine.js";

type Generation = FoundryCliOptions["generation"];
const GENERATIONS: readonly Generation[] = ["service", "server"];

let standIns: FoundryCliStandIn[] = [];
afterEach(async () => {
  await Promise.all(standIns.map((standIn) => standIn.close()));
  standIns = [];
});

async function installed(
  generation: Generation,
  switches: Partial<FoundryCliSwitches> = {},
): Promise<{ cli: FoundryCli; standIn: FoundryCliStandIn }> {
  const standIn = await startFoundryCli({ generation, service: () => startSimulator(), switches });
  standIns.push(standIn);
  const cli = await findFoundryCli(thisMachine(), standIn.script);
  if (cli === null) throw new Error("a path that is set is always taken");
  return { cli, standIn };
}

const urlsOf = async (cli: FoundryCli) => {
  const report = await cli.status();
  return report.kind === "running" ? report.urls : report;
};

describe.each(GENERATIONS)("the simulated command line foundry %s", (generation) => {
  it("reports that the service does not run, starts it, and reports its address", async () => {
    const { cli } = await installed(generation);

    const before = await cli.status();
    const started = await cli.start();
    const after = await urlsOf(cli);

    expect(before).toEqual({ kind: "stopped", urls: [] });
    expect(started).toMatchObject({ kind: "running", urls: after });
    expect(after).toEqual([expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/)]);
    expect(cli.generation).toBe(generation);
  });

  it("reports the address when a running service is started again", async () => {
    const { cli } = await installed(generation);
    const first = await cli.start();
    const again = await cli.start();
    expect(again).toMatchObject({ kind: "running", urls: first.kind === "running" && first.urls });
  });

  it("prints its version", async () => {
    const { cli } = await installed(generation);
    expect(await cli.version()).toBe(generation === "service" ? "0.8.113" : "0.10.3");
  });

  it.each<OutputEncoding>([
    "utf8",
    "cp1252_mojibake",
    "cp850_mojibake",
    "question_marks",
    "invalid_bytes",
    "utf16",
  ])("is understood through noise in %s", async (encoding) => {
    const { cli } = await installed(generation, {
      encoding,
      noise: ["banner", "progress", "log_lines", "braces"],
    });
    expect(await cli.status()).toEqual({ kind: "stopped", urls: [] });
    expect((await cli.start()).kind).toBe("running");
    expect(await cli.version()).toMatch(/^0\.(?:8\.113|10\.3)$/);
  });

  it("starts the service although a child process holds the command's pipes open", async () => {
    const { cli, standIn } = await installed(generation, { startHoldsPipesMs: 600_000 });
    expect((await cli.start()).kind).toBe("running");
    expect(standIn.processes).toBeGreaterThan(0);
  });

  it("starts the service although the command does not end", async () => {
    const { cli, standIn } = await installed(generation, {
      on: [`${generation} start`],
      ends: "hangs_after_output",
    });
    expect((await cli.start()).kind).toBe("running");
    expect(standIn.processes).toBe(1);
  });

  it.each<[FoundryCliSwitches["ends"], number, RegExp]>([
    ["crashes", 20_000, /^ended with exit code 134$/],
    ["hangs_silently", 1000, /^did not answer within 1 s$/],
  ])("says that it %s", async (ends, timeoutMs, what) => {
    const { cli, standIn } = await installed(generation, { ends, ignoresTermination: true });
    const report = await cli.status({ timeoutMs });
    expect(report).toEqual({ kind: "failed", what: expect.stringMatching(what) });
    await standIn.waitFor(({ processes }) => processes === 0);
  });

  it("reports that it cannot reach the service", async () => {
    const { cli } = await installed(generation, { status: "broken_ipc" });
    // The newer command line's message is not known, so it is passed on.
    const what =
      generation === "service"
        ? "says that it cannot reach its own service"
        : 'ended with exit code 1 and said "The daemon could not be reached"';
    expect(await cli.status()).toEqual({ kind: "failed", what });
  });

  it("reports that it failed to start the service", async () => {
    const { cli } = await installed(generation, { start: "fails" });
    const said = generation === "service" ? "Failed to start service" : "The server did not start";
    const what = `ended with exit code 1 and said "${said}"`;
    expect(await cli.start()).toEqual({ kind: "failed", what });
  });

  it("reports the address that a stopped service had", async () => {
    const { cli, standIn } = await installed(generation);
    const started = await cli.start();
    standIn.set({ status: "says_stopped" });
    const report = await cli.status();
    expect(report.kind).toBe("stopped");
    // The older command line prints no address.
    const urls = started.kind === "running" && generation === "server" ? started.urls : [];
    expect(report).toMatchObject({ urls });
  });

  it("passes on the output of a download while it runs", async () => {
    const { cli } = await installed(generation);
    await cli.start();
    const heard: string[] = [];
    const run = await cli.run(["model", "download", "phi-4-mini"], {
      timeoutMs: 20_000,
      onOutput: (text) => heard.push(text),
    });
    expect(run.end).toEqual({ kind: "exited", code: 0, signal: null });
    expect(heard.join("")).toBe(run.stdout + run.stderr);
  });
});

describe("a simulated command line of the newer generation", () => {
  it.each(["unrecognized", "did_you_mean"] as const)(
    "is not mistaken for the older one when it reports %s",
    async (unknownCommand) => {
      const { cli, standIn } = await installed("server", { unknownCommand, on: [] });
      standIn.set({ on: ["server status"], ends: "crashes" });
      expect(await cli.status()).toEqual({ kind: "failed", what: "ended with exit code 134" });
      expect(standIn.calls).toEqual([
        ["server", "status", "-o", "json"],
        ["service", "status"],
      ]);
      expect(cli.generation).toBe("server");
    },
  );
});
