import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type FoundryCliStandIn,
  type Simulator,
  startFoundryCli,
  startSimulator,
} from "../../src/index.js";
import { collected, run, spawned } from "./run.js";

describe("a faulty command line", () => {
  let simulator: Simulator;
  let cli: FoundryCliStandIn;
  const status = () => run(cli, "server", "status", "-o", "json");

  beforeEach(async () => {
    simulator = await startSimulator();
    cli = await startFoundryCli({ generation: "server", service: simulator });
  });
  afterEach(async () => {
    await cli.close();
    await simulator.close();
  });

  it("prints noise around its JSON", async () => {
    cli.set({ noise: ["banner", "progress", "log_lines", "braces"] });
    const { stdout } = await status();
    const lines = stdout.split("\n").filter((line) => line.startsWith('{"'));
    expect(stdout).toContain("A newer version");
    expect(stdout).toContain("\r\u001b[2K");
    expect(stdout.trimEnd()).toMatch(/ERR\] .*\n.*\{reason: done\}$/);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ running: true }]);
  });

  it.each([
    ["cp1252_mojibake", "ðŸŸ¢ Model management"],
    ["cp850_mojibake", "­ƒƒó Model management"],
    ["question_marks", "?? Model management"],
    ["invalid_bytes", "\ufffd Model management"],
  ] as const)("writes its emoji as %s", async (encoding, begins) => {
    await using older = await startFoundryCli({ generation: "service", service: simulator });
    older.set({ encoding });
    const { stdout } = await run(older, "service", "status");
    expect(stdout.startsWith(begins)).toBe(true);
    expect(stdout).toContain(`${simulator.url}/openai/status`);
  });

  it("writes UTF-16 with a byte order mark", async () => {
    cli.set({ encoding: "utf16" });
    const { bytes } = await status();
    expect(JSON.parse(bytes.subarray(2).toString("utf16le"))).toMatchObject({ running: true });
    expect([...bytes.subarray(0, 2)]).toEqual([0xff, 0xfe]);
  });

  it("ends with another exit code", async () => {
    cli.set({ exitCode: 3 });
    expect(await status()).toMatchObject({ code: 3, stdout: expect.stringContaining("running") });
  });

  it("crashes with a stack trace before it does anything", async () => {
    cli.set({ ends: "crashes" });
    const { code, stdout, stderr } = await run(cli, "server", "stop");
    expect({ code, stdout }).toEqual({ code: 134, stdout: "" });
    expect(stderr).toContain("Unhandled exception. System.");
    expect(simulator.listening).toBe(true);
  });

  it.skipIf(process.platform === "win32")("is killed", async () => {
    cli.set({ ends: "killed" });
    expect(await status()).toMatchObject({ code: null, signal: "SIGKILL", stdout: "" });
  });

  it("hangs, with or without its answer, until it is killed", async () => {
    cli.set({ ends: "hangs_after_output" });
    const spoken = spawned(cli, ["server", "status"]);
    await collected(spoken).until("Web URLs");
    cli.set({ ends: "hangs_silently" });
    const silent = spawned(cli, ["server", "status"]);
    await cli.waitFor(({ calls }) => calls.length === 2);
    expect([spoken.exitCode, silent.exitCode]).toEqual([null, null]);
    spoken.kill();
    silent.kill();
    await Promise.all([once(spoken, "close"), once(silent, "close")]);
    await cli.waitFor(({ processes }) => processes === 0);
  });

  it("applies its faults only to the named commands", async () => {
    cli.set({ on: ["server status"], exitCode: 9 });
    expect((await status()).code).toBe(9);
    expect((await run(cli, "server", "start")).code).toBe(0);
    expect((await run(cli, "status")).code).toBe(0);
  });

  it("waits before it does anything", async () => {
    await simulator.stop();
    cli.set({ delayMs: 600_000 });
    const child = spawned(cli, ["server", "start"]);
    await cli.waitFor(({ calls }) => calls.length === 1);
    expect(simulator.listening).toBe(false);
    child.kill();
    await once(child, "close");
  });

  it.skipIf(process.platform === "win32")("ignores SIGTERM with ignoresTermination", async () => {
    cli.set({ ends: "hangs_after_output", ignoresTermination: true });
    const child = spawned(cli, ["server", "status"]);
    await collected(child).until("Web URLs");
    child.kill("SIGTERM");
    // Long enough for another run to begin and end.
    cli.set({ ends: "normally" });
    await status();
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
  });

  it("leaves its pipes open after its end", async () => {
    cli.set({ startHoldsPipesMs: 600_000 });
    const child = spawned(cli, ["server", "start", "-o", "json"]);
    const output = collected(child);
    const closed = once(child, "close");
    await once(child, "exit");
    const ended = child.stdout?.readableEnded;
    await cli.close();
    await closed;
    expect(ended).toBe(false);
    expect(JSON.parse(output.stdout())).toMatchObject({ running: true });
  });

  it("closes its pipes by itself after startHoldsPipesMs", async () => {
    cli.set({ startHoldsPipesMs: 50 });
    expect(await run(cli, "server", "start", "-o", "json")).toMatchObject({ code: 0 });
    await cli.waitFor(({ processes }) => processes === 0);
  });

  it("ends with all its processes when it is closed", async () => {
    cli.set({ startHoldsPipesMs: 600_000 });
    const left = spawned(cli, ["server", "start"]);
    await once(left, "exit");
    cli.set({ ends: "hangs_silently", ignoresTermination: true });
    const hanging = spawned(cli, ["server", "status"]);
    await cli.waitFor(({ calls }) => calls.length === 2);
    const closed = Promise.all([once(left, "close"), once(hanging, "close")]);
    await cli.close();
    await closed;
    expect(cli.processes).toBe(0);
  });

  it.skipIf(process.platform === "win32")("kills processes that do not exit", async () => {
    cli.set({ ends: "hangs_silently" });
    const child = spawned(cli, ["server", "status"]);
    await cli.waitFor(({ calls }) => calls.length === 1);
    child.kill("SIGSTOP");
    const closed = once(child, "close");
    await cli.close();
    await closed;
    expect(child.signalCode).toBe("SIGKILL");
  });
});
