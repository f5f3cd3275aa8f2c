import {
  type FoundryCliOptions,
  type FoundryCliStandIn,
  type SimulatorOptions,
  startFoundryCli,
  startSimulator,
} from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { Discovery } from "../../../src/foundry/discovery/index.js";
import { Installation } from "./installation.js";

type Generation = FoundryCliOptions["generation"];

const GENERATIONS: readonly Generation[] = ["server", "service"];

/** A machine with the command line of a generation, whose service does not run. */
async function machineWith(
  generation: Generation,
  switches: FoundryCliOptions["switches"] = {},
  startTimeoutMs = 10_000,
): Promise<{ cli: FoundryCliStandIn; discovery: Discovery }> {
  const installation = await Installation.make();
  const behind: SimulatorOptions = { dialect: generation === "server" ? "C1" : "S" };
  const cli = await startFoundryCli({
    generation,
    home: installation.home,
    service: () => startSimulator(behind),
    switches,
  });
  onTestFinished(() => cli.close());
  const discovery = installation.discovery({
    cliPath: cli.script,
    startTimeoutMs,
    timing: { afterFailureMs: 50 },
  });
  return { cli, discovery };
}

const callsOf = (cli: FoundryCliStandIn, verb: string): number =>
  cli.calls.filter((call) => call[1] === verb).length;

describe.each(GENERATIONS)("with the command line of generation %s", (generation) => {
  it("the service is started and found", async () => {
    const { cli, discovery } = await machineWith(generation);

    const { found } = await discovery.search();

    expect(found?.foundBy).toBe("started");
    expect(callsOf(cli, "start")).toBeGreaterThan(0);
  });

  it("the service is waited for when the command returns before it is up (#13, #286)", async () => {
    const { discovery } = await machineWith(generation, {
      startReturns: "at_once",
      startMs: 300,
      statusLagCalls: 1,
    });

    expect((await discovery.search()).found?.foundBy).toBe("started");
  });

  it("a service that cannot be started is reported with what can be done", async () => {
    const { discovery } = await machineWith(generation, { start: "port_in_use" }, 5000);

    const { found, error } = await discovery.search();

    expect(found).toBeNull();
    expect(error?.message).toContain("could not be started");
    expect(error?.action).toContain(`\`foundry ${generation} start\``);
    expect(error?.action).toContain("Inference.Service.Agent");
  });

  it("a command line that cannot reach its service is reported, and nothing is started (#405)", async () => {
    const { cli, discovery } = await machineWith(generation, { status: "broken_ipc" });

    const { error } = await discovery.search();

    expect(error?.message).toContain("does not say whether it runs");
    expect(error?.retryable).toBe(true);
    expect(callsOf(cli, "start")).toBe(0);
  });

  it("a dead listener is restarted", async () => {
    const { cli, discovery } = await machineWith(generation);
    await discovery.search();
    cli.set({ status: "dead_listener" });
    const again = new Discovery(discovery.options);
    onTestFinished(() => again.close());

    const { found } = await again.search();

    expect(found?.foundBy).toBe(generation === "server" ? "daemon_file" : "started");
    expect(callsOf(cli, "restart")).toBe(generation === "server" ? 0 : 1);
  });
});

it("an agent of the old command line on a known port is found and named beside the new one", async () => {
  const agent = await startSimulator({ dialect: "S" });
  onTestFinished(() => agent.close());
  const { discovery: plain } = await machineWith("server");
  const discovery = new Discovery({
    ...plain.options,
    knownPorts: [Number(new URL(agent.url).port)],
    ownerOf: async () => "own",
  });
  onTestFinished(() => discovery.close());

  const { found, attempts } = await discovery.search();

  expect(found).toEqual({ endpoint: agent.url, foundBy: "known_port" });
  expect(attempts.at(-1)?.outcome).toContain("left over from the old command line");
});
