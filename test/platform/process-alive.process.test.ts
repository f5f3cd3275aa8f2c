import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { isProcessAlive } from "../../src/platform/processes.js";

describe("whether a process is there", () => {
  it("is told of one that runs", () => {
    expect(isProcessAlive(process.pid)).toBe(true);
    expect(isProcessAlive(process.ppid)).toBe(true);
  });

  it("is told of one that has ended", async () => {
    const child = spawn(process.execPath, ["--eval", ""], { stdio: "ignore" });
    const pid = child.pid ?? 0;
    await once(child, "exit");

    expect(isProcessAlive(pid)).toBe(false);
  });

  it("is told of an id that no system gives out", () => {
    expect(isProcessAlive(2 ** 30)).toBe(false);
  });
});
