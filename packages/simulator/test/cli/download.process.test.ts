import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type FoundryCliStandIn,
  type Simulator,
  startFoundryCli,
  startSimulator,
} from "../../src/index.js";
import { collected, run, spawned } from "./run.js";

const ID = "qwen2.5-0.5b-instruct-cuda-gpu:4";

describe.each(["service", "server"] as const)("a download by the `%s` generation", (generation) => {
  let simulator: Simulator;
  let cli: FoundryCliStandIn;
  const downloaded = () => simulator.models.find(({ id }) => id === ID)?.downloaded;
  const download = (id = ID) => run(cli, "model", "download", id);

  beforeEach(async () => {
    simulator = await startSimulator();
    cli = await startFoundryCli({ generation, service: simulator });
  });
  afterEach(async () => {
    await cli.close();
    await simulator.close();
  });

  it("redraws its progress in place, and ends with the model downloaded", async () => {
    const { code, stdout } = await download();
    const drawn = [...stdout.matchAll(/\r[^\r]*?(\d+)(?:\.00)? ?%/g)].map(([, n]) => Number(n));
    expect(code).toBe(0);
    expect(drawn.at(0)).toBe(0);
    expect(drawn.at(-1)).toBe(100);
    expect(drawn).toEqual([...drawn].sort((a, b) => a - b));
    expect(downloaded()).toBe(true);
  });

  it("does nothing for a model that is already downloaded", async () => {
    const { code, stdout } = await download("qwen2.5-0.5b-instruct-generic-cpu:4");
    expect(code).toBe(0);
    expect(stdout).toMatch(/was found in the local cache|already cached/);
  });

  it("does not know a model that is not in the catalog", async () => {
    const { code, stdout, stderr } = await download("gpt-9");
    expect(code).toBe(1);
    expect(stdout + stderr).toContain("gpt-9");
  });

  it("fails half-way with a message, and the next download resumes there", async () => {
    cli.set({ downloadFailure: { at: 40, text: "No space left." }, downloadStyle: "lines" });
    const failed = await download();
    const before = downloaded();
    cli.set({ downloadFailure: null });
    const resumed = await download();
    expect(failed.code).toBe(1);
    expect(failed.stdout + failed.stderr).toContain("No space left.");
    expect(before).toBe(false);
    expect(resumed.stdout).toMatch(new RegExp(`^${ID}: 40%\n`));
    expect(downloaded()).toBe(true);
  });

  it("is incomplete when the command is killed half-way, and the next download resumes it", async () => {
    cli.set({ downloadStall: { at: 60 }, downloadStyle: "lines" });
    const child = spawned(cli, ["model", "download", ID]);
    await collected(child).until("60%");
    child.kill("SIGKILL");
    await cli.waitFor(({ processes }) => processes === 0);
    const before = downloaded();
    cli.set({ downloadStall: null });
    const resumed = await download();
    expect(before).toBe(false);
    expect(resumed.stdout).toMatch(new RegExp(`^${ID}: 60%\n`));
  });

  it("still redraws its spinner while it stalls with `spins`", async () => {
    cli.set({ downloadStall: { at: 20, spins: true }, downloadStyle: "spinner" });
    const child = spawned(cli, ["model", "download", ID]);
    const output = collected(child);
    await output.until("20%");
    const length = output.stdout().length;
    await expect.poll(() => output.stdout().length).toBeGreaterThan(length);
    expect(output.stdout()).not.toContain(" 24%");
    child.kill("SIGKILL");
  });

  it("downloads the model and then hangs with downloadHangsAfter", async () => {
    cli.set({ downloadHangsAfter: true, downloadStyle: "lines" });
    const child = spawned(cli, ["model", "download", ID]);
    await collected(child).until("100%");
    expect(downloaded()).toBe(true);
    expect(child.exitCode).toBeNull();
    child.kill("SIGKILL");
    await once(child, "exit");
  });

  it("continues in the service after the command is killed, with downloadOutlivesCommand", async () => {
    cli.set({ downloadOutlivesCommand: true, downloadMs: 500, downloadStyle: "lines" });
    const child = spawned(cli, ["model", "download", ID]);
    await collected(child).until(" 4%");
    child.kill("SIGKILL");
    await expect.poll(downloaded).toBe(true);
  });
});
