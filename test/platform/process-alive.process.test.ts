import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { isProcessAlive } from "../../src/platform/processes.js";

describe("the check for a running process", () => {
  it("is true for a running one", () => {
    expect(isProcessAlive(process.pid)).toBe(true);
    expect(isProcessAlive(process.ppid)).toBe(true);
  });

  it("is false for one that has ended", async () => {
    const child = spawn(process.execPath, ["--eval", ""], { stdio: "ignore" });
    const pid = child.pid ?? 0;
    await once(child, "exit");

    expect(isProcessAlive(pid)).toBe(false);
  });

  it("is false for an impossible id", () => {
    expect(isProcessAlive(2 ** 30)).toBe(false);
  });
});
