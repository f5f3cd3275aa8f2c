import { describe, expect, it } from "vitest";
import { windowsProgram } from "../../src/platform/paths.js";
import {
  figuresFromPowerShell,
  figuresFromProc,
  figuresFromPs,
  processFigures,
} from "../../src/platform/processes.js";

describe("memory and age of a process", () => {
  it.skipIf(process.platform === "win32")("are those of this process", async () => {
    const figures = await processFigures(process.pid);
    expect(figures?.memoryMb).toBeGreaterThan(10);
    expect(figures?.uptimeSeconds).toBeGreaterThanOrEqual(0);
    expect(figures?.uptimeSeconds).toBeLessThanOrEqual(process.uptime() + 60);
  });

  it("are unknown for a process that has ended", async () => {
    expect(await processFigures(2 ** 22 + 1)).toBeNull();
  });

  it("are read from /proc, whatever the program's name", () => {
    const words = ["S", ...Array.from({ length: 18 }, () => "0"), "123456", "0"];
    const stat = `42 (a) b (c d) ${words.join(" ")}`;
    const status = "Name:\ta\nVmHWM:\t  999999 kB\nVmRSS:\t  204800 kB\n";
    expect(figuresFromProc(stat, status, 2000)).toEqual({ memoryMb: 200, uptimeSeconds: 765 });
    // A container whose times count from its own start.
    expect(figuresFromProc(stat, status, 10)).toBeNull();
    // A process of the kernel has no memory of its own.
    expect(figuresFromProc(stat, "Name:\ta\n", 2000)).toBeNull();
    expect(figuresFromProc("", "", 2000)).toBeNull();
  });

  it.each([
    ["   00:07  10240\n", { memoryMb: 10, uptimeSeconds: 7 }],
    ["01:02:03 2048\n", { memoryMb: 2, uptimeSeconds: 3723 }],
    ["2-03:04:05 1048576", { memoryMb: 1024, uptimeSeconds: 183_845 }],
    ["", null],
    ["ELAPSED RSS\n", null],
  ])("are read from ps: %j", (output, figures) => {
    expect(figuresFromPs(output)).toEqual(figures);
  });

  it.each([
    ["104857600\r\n61\r\n", { memoryMb: 100, uptimeSeconds: 61 }],
    ["", null],
    ["104857600\r\n", null],
    ["Get-Process : Cannot find a process\r\n", null],
  ])("are read from PowerShell: %j", (output, figures) => {
    expect(figuresFromPowerShell(output)).toEqual(figures);
  });
});

describe("a program of Windows", () => {
  it.each([
    [{ SystemRoot: "D:\\WINNT" }, "D:\\WINNT\\System32\\cmd.exe"],
    [{ SYSTEMROOT: "d:/Windows" }, "d:\\Windows\\System32\\cmd.exe"],
    [{}, "C:\\Windows\\System32\\cmd.exe"],
    [{ SystemRoot: "." }, "C:\\Windows\\System32\\cmd.exe"],
    [{ SystemRoot: "" }, "C:\\Windows\\System32\\cmd.exe"],
  ])("has a full path with %j", (environment, path) => {
    expect(windowsProgram("cmd.exe", environment)).toBe(path);
  });
});
