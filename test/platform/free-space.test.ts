import { tmpdir } from "node:os";
import { describe, expect, it, vi } from "vitest";
import {
  freeDiskMb,
  isDiskExact,
  machineMemory,
  memoryFigures,
  memoryFiguresFrom,
} from "../../src/platform/free-space.js";

const GB = 1024 ** 3;
/** Without a container, Node reports an unreachable limit, or none. */
const told = { total: 16 * GB, free: 3 * GB, limit: 2 ** 64, available: 3 * GB };

describe("the memory of a machine", () => {
  it.each([
    ["linux", true],
    ["win32", true],
    ["darwin", false],
    ["freebsd", false],
  ] as const)("is the system's value on %s, exact: %s", (platform, isExact) => {
    const figures = { totalMb: 16 * 1024, freeMb: 3 * 1024, isExact };
    expect(memoryFiguresFrom(platform, told)).toEqual(figures);
    expect(memoryFiguresFrom(platform, { ...told, limit: 0 })).toEqual(figures);
  });

  it("is the container's, which counts the file cache as used", () => {
    const inContainer = { ...told, limit: 4 * GB, available: 1 * GB };
    const figures = { totalMb: 4096, freeMb: 1024, isExact: false };
    expect(memoryFiguresFrom("linux", inContainer)).toEqual(figures);
    // Usage above the limit, as is possible for a moment.
    const over = memoryFiguresFrom("linux", { ...inContainer, available: -5 });
    expect(over.freeMb).toBe(0);
  });

  it("is shown as the container's, too", () => {
    const limit = vi.spyOn(process, "constrainedMemory").mockReturnValue(64 * 1024 ** 2);
    try {
      expect(machineMemory().totalMb).toBe(64);
    } finally {
      limit.mockRestore();
    }
  });

  it("is known for this machine", () => {
    const { totalMb, freeMb } = memoryFigures();
    expect(totalMb).toBeGreaterThan(0);
    expect(freeMb).toBeLessThanOrEqual(totalMb);
  });
});

describe("the free disk space", () => {
  it("is known for an existing folder, and unknown for a missing one", async () => {
    expect(await freeDiskMb(tmpdir())).toBeGreaterThanOrEqual(0);
    expect(await freeDiskMb("/nonexistent/folder")).toBeNull();
  });

  it("may be more than reported on macOS, which frees space when needed", () => {
    expect([isDiskExact("linux"), isDiskExact("win32")]).toEqual([true, true]);
    expect(isDiskExact("darwin")).toBe(false);
  });
});
