import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startSimulator } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { ask, health } from "./discovery.js";
import { FoundryMachine } from "./foundry-machine.js";
import { ANSWER, MODELS } from "./simulated.js";

describe("with nothing set", () => {
  it("says how to install Foundry Local where there is none", async () => {
    const machine = await FoundryMachine.start({ dialect: "C2", generation: null });
    const host = await machine.host();
    const failed = await ask(host);
    expect(failed).toMatchObject({ isError: true, code: "NO_ENDPOINT" });
    expect(failed.text).toContain("foundry-local-sdk");
    expect(failed.text).toContain("FOUNDRY_ENDPOINT");
    const checked = await health(host);
    expect(checked).toMatchObject({
      status: "unavailable",
      problems: [{ what: expect.stringContaining("not installed") }],
    });
    for (const unknown of ["endpoint", "found_by"]) expect(checked).not.toHaveProperty(unknown);
  });

  it("uses the daemon's file where there is no command line, but not a stale file", async () => {
    const machine = await FoundryMachine.start({ dialect: "C1", generation: null });
    const folder = join(machine.home, ".foundry");
    await mkdir(folder, { recursive: true });
    const tell = (urls: readonly string[], pid: number) =>
      writeFile(
        join(folder, "daemon.json"),
        JSON.stringify({ web_urls: urls, pid, daemon_version: "0.10.3" }),
      );
    await tell(["http://127.0.0.1:9"], process.pid);
    const host = await machine.host();
    const failed = await ask(host);
    expect(failed).toMatchObject({ isError: true, code: "NO_ENDPOINT" });
    expect(failed.text).toContain("daemon.json");
    await tell([machine.simulator.url], process.pid);
    await expect.poll(async () => (await ask(host)).text).toBe(ANSWER);
    expect(await health(host)).toMatchObject({ found_by: "daemon_file" });
  });

  it("uses the daemon's file while the command line hangs", async () => {
    const machine = await FoundryMachine.start({
      dialect: "C1",
      generation: "server",
      switches: { ends: "hangs_silently" },
    });
    const host = await machine.host();
    expect((await ask(host)).text).toBe(ANSWER);
    expect(await health(host)).toMatchObject({ found_by: "daemon_file" });
  });

  it("uses the one of two services that the command line names, for all calls", async () => {
    const machine = await FoundryMachine.start({ dialect: "C2", generation: "server" });
    const other = await startSimulator({ dialect: "C1", models: MODELS });
    onTestFinished(() => other.close());
    const folder = join(machine.home, ".foundry");
    // Without a process that is known to live, the file does not outrun a slow command line.
    await writeFile(join(folder, "daemon.json"), JSON.stringify({ web_urls: [other.url] }));
    const host = await machine.host();
    expect((await ask(host)).text).toBe(ANSWER);
    expect(await health(host)).toMatchObject({ endpoint: machine.simulator.url, dialect: "C2" });
    expect(other.requests.filter(({ path }) => path.includes("chat"))).toEqual([]);
    await machine.simulator.stop();
    machine.cli?.set({ start: "fails" });
    expect((await ask(host)).text).toBe(ANSWER);
    expect(await health(host)).toMatchObject({ endpoint: other.url, dialect: "C1" });
  });

  it("restarts a service whose listener is dead", async () => {
    const machine = await FoundryMachine.start({
      dialect: "C1",
      generation: "server",
      isRunning: false,
      switches: { status: "dead_listener" },
    });
    const host = await machine.host();
    expect(await health(host)).toMatchObject({
      status: "unavailable",
      problems: [{ what: expect.stringContaining("nothing listens where it says") }],
    });
    expect((await ask(host)).text).toBe(ANSWER);
    expect(machine.cli?.calls.map((argv) => argv.join(" "))).toContainEqual(
      expect.stringMatching(/^server restart/),
    );
  });

  it("uses only the address that is set, and reports where the service really is", async () => {
    const machine = await FoundryMachine.start({ dialect: "C2", generation: "server" });
    const host = await machine.host({ FOUNDRY_ENDPOINT: "http://127.0.0.1:9" });
    expect(await ask(host)).toMatchObject({ isError: true, code: "SERVICE_UNREACHABLE" });
    expect(await health(host)).toMatchObject({
      status: "unavailable",
      found_by: "set",
      problems: [{ what: expect.stringContaining(machine.simulator.url) }],
    });
  });
});
