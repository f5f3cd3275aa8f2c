import { type FoundryCliSwitches, startSimulator } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { FoundryMachine, INSTALLATIONS, type Installation } from "./foundry-machine.js";
import type { Host, ProgressNote } from "./host.js";
import { ANSWER, ENDLESS, MODELS, PROMPT_ANSWER } from "./simulated.js";

export const ask = (host: Host) => host.call("complete", { prompt: "Hello", model: PROMPT_ANSWER });

export const health = async (host: Host) => (await host.call("health_check")).result;

/** Tests that apply to every service with its command line, without any setting. */
export function describeDiscovery(installed: Installation): void {
  describe(`with nothing set, ${installed.dialect} and its command line`, () =>
    promises(installed));
}

function promises(installed: Installation): void {
  const { dialect, generation } = installed;
  const statusOf = generation === "service" ? "service_status" : "server_status";
  const startWords = `${generation} start`;

  it("finds the running service", async () => {
    const machine = await FoundryMachine.start(installed);
    const host = await machine.host();
    expect((await ask(host)).text).toBe(ANSWER);
    const found = await health(host);
    expect(found).toMatchObject({ status: "healthy", dialect, endpoint: machine.simulator.url });
    expect(machine.cli?.calls.map((argv) => argv.join(" "))).toContainEqual(
      expect.stringContaining(`${generation} status`),
    );
    // On a loaded machine the command may take longer than its limit; the file is read then.
    expect([statusOf, "daemon_file"]).toContain(Object(found).found_by);
  });

  it("starts a service that does not run, and reports it", async () => {
    const machine = await FoundryMachine.start({ ...installed, isRunning: false });
    const host = await machine.host();
    const before = await health(host);
    expect(before).toMatchObject({ status: "unavailable" });
    expect(before).not.toHaveProperty("endpoint");
    const notes: ProgressNote[] = [];
    const answer = await host.call(
      "complete",
      { prompt: "Hello", model: PROMPT_ANSWER },
      { onProgress: (note) => notes.push(note) },
    );
    expect(answer.text).toBe(ANSWER);
    expect(notes.map(({ message }) => message).join("\n")).toContain(`foundry ${startWords}`);
    expect(machine.cli?.calls.filter((argv) => argv.join(" ").startsWith(startWords))).toHaveLength(
      1,
    );
  });

  it("starts it once for concurrent calls", async () => {
    const machine = await FoundryMachine.start({
      ...installed,
      isRunning: false,
      switches: { startMs: 500 },
    });
    const host = await machine.host();
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(host)));
    expect(answers.map(({ text }) => text)).toEqual(Array.from({ length: 8 }, () => ANSWER));
    expect(machine.cli?.calls.filter((argv) => argv.join(" ").startsWith(startWords))).toHaveLength(
      1,
    );
  });

  it("waits for a service that its command line does not report right after the start", async () => {
    const machine = await FoundryMachine.start({
      ...installed,
      isRunning: false,
      switches: { startMs: 800, startReturns: "at_once", statusLagCalls: 2 },
    });
    expect((await ask(await machine.host())).text).toBe(ANSWER);
  });

  it("reports a stopped service without autostart, and finds it once the user has started it", async () => {
    const machine = await FoundryMachine.start({ ...installed, isRunning: false });
    const host = await machine.host({ FOUNDRY_AUTOSTART: "false" });
    const before = await ask(host);
    expect(before).toMatchObject({ isError: true, code: "NO_ENDPOINT" });
    expect(before.text).toContain(`foundry ${startWords}`);
    await machine.simulator.start(0);
    // A search that found nothing answers for a second.
    await expect.poll(async () => (await ask(host)).text).toBe(ANSWER);
    expect(machine.cli?.calls.filter((argv) => argv.join(" ").startsWith(startWords))).toEqual([]);
  });

  it("follows the service to another port while completions run", async () => {
    const machine = await FoundryMachine.start(installed);
    const { simulator } = machine;
    const host = await machine.host();
    const running = Array.from({ length: 3 }, () =>
      host.call("complete", { prompt: "Go on.", model: ENDLESS, max_tokens: 40 }),
    );
    await simulator.waitFor(
      ({ requests }) => requests.filter(({ tokensSent }) => tokensSent > 1).length >= 1,
    );
    const before = simulator.url;
    await machine.restartElsewhere();
    expect(simulator.url).not.toBe(before);
    expect((await ask(host)).text).toBe(ANSWER);
    // The completions that broke off are a problem for a minute.
    expect(await health(host)).toMatchObject({
      status: expect.stringMatching(/^(healthy|degraded)$/),
      endpoint: simulator.url,
    });
    for (const { isError, result } of await Promise.all(running)) {
      // A completion that had text keeps it and is not reported as whole; one that the service had
      // taken and had no token of yet fails; one that waited is sent to the new address.
      // A failure without a text so far is only text.
      const brokenOff = "text" in result ? "interrupted" : undefined;
      expect(result["status"]).toBe(isError ? brokenOff : "completed");
    }
  });

  it("detects another server in the place of the service", async () => {
    const machine = await FoundryMachine.start(installed);
    const host = await machine.host();
    expect((await ask(host)).text).toBe(ANSWER);
    const { port } = machine.simulator;
    await machine.simulator.stop();
    for (const other of INSTALLATIONS.filter((each) => each.dialect !== dialect)) {
      const simulator = await startSimulator({ dialect: other.dialect, models: MODELS, port });
      onTestFinished(() => simulator.close());
      expect((await ask(host)).text).toBe(ANSWER);
      expect(await health(host)).toMatchObject({ dialect: other.dialect });
      await simulator.close();
    }
  });

  const troubles: readonly [string, Partial<FoundryCliSwitches>][] = [
    ["noise around what it prints", { noise: ["banner", "progress", "log_lines"] }],
    ["mojibake", { encoding: "cp1252_mojibake" }],
    ["bytes that are no UTF-8", { encoding: "invalid_bytes" }],
    ["question marks for what the console lacks", { encoding: "question_marks" }],
  ];
  it.each(troubles)("understands the command line despite %s", async (_name, switches) => {
    const machine = await FoundryMachine.start({ ...installed, isRunning: false, switches });
    const host = await machine.host();
    expect((await ask(host)).text).toBe(ANSWER);
    await machine.restartElsewhere();
    expect((await ask(host)).text).toBe(ANSWER);
  });

  it("does not wait for pipes that the started service holds open", async () => {
    const machine = await FoundryMachine.start({
      ...installed,
      isRunning: false,
      switches: { startHoldsPipesMs: 60_000 },
    });
    expect((await ask(await machine.host())).text).toBe(ANSWER);
  });

  it("reports a crash of the command line, and works once it no longer crashes", async () => {
    const machine = await FoundryMachine.start({ ...installed, switches: { ends: "crashes" } });
    await machine.forgetDaemon();
    const host = await machine.host();
    const failed = await ask(host);
    expect(failed).toMatchObject({ isError: true, code: "NO_ENDPOINT" });
    expect(failed.text).toContain("exit code 134");
    expect(failed.text).not.toContain("InvalidOperationException");
    machine.cli?.set({ ends: "normally" });
    await expect.poll(async () => (await ask(host)).text).toBe(ANSWER);
  });

  it("reports a hanging command line within its time limit", async () => {
    const machine = await FoundryMachine.start({
      ...installed,
      switches: { ends: "hangs_silently" },
    });
    await machine.forgetDaemon();
    const host = await machine.host();
    const failed = await ask(host);
    expect(failed).toMatchObject({ isError: true, code: "NO_ENDPOINT" });
    expect(failed.text).toMatch(/did not answer|had not answered/);
    machine.cli?.set({ ends: "normally" });
    await expect.poll(async () => (await ask(host)).text).toBe(ANSWER);
  });

  it("reports why a start failed", async () => {
    const machine = await FoundryMachine.start({
      ...installed,
      isRunning: false,
      switches: { start: "port_in_use" },
    });
    const failed = await ask(await machine.host());
    expect(failed).toMatchObject({ isError: true, code: "NO_ENDPOINT" });
    expect(failed.text).toContain("Inference.Service.Agent");
  });
}
