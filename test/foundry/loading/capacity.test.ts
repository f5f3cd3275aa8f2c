import { describe, expect, it } from "vitest";
import {
  diskCapacity,
  foldersFrom,
  memoryCapacity,
} from "../../../src/foundry/loading/capacity.js";
import { pathsOf } from "../../../src/platform/paths.js";

const model = { id: "walker-generic-cpu:1", sizeMb: 4096, device: "cpu" } as const;
const memory = (freeMb: number) => ({ totalMb: 16_384, freeMb, isExact: true });

describe("memory for a model", () => {
  it("that is more than enough causes no message", () => {
    expect(memoryCapacity(model, memory(5120))).toBeNull();
  });

  it("that is less than the model's size refuses it, with the sizes and what to do", () => {
    expect(memoryCapacity(model, memory(4000))).toMatchObject({
      code: "INSUFFICIENT_MEMORY",
      message:
        "walker-generic-cpu:1 takes 4.0 GB of memory at least, and 3.9 GB of 16.0 GB are free.",
      action: expect.stringContaining("`loadModel` with force: true"),
      retryable: false,
    });
  });

  it.each([
    ["less than 1 GB to spare", 4096, 5119],
    ["less than a fifth of a large model to spare", 10_240, 12_287],
  ])("with %s is tight", (_what, sizeMb, freeMb) => {
    expect(memoryCapacity({ ...model, sizeMb }, memory(freeMb))).toMatch(
      /^Memory is tight: walker-generic-cpu:1 takes /,
    );
  });

  it("is unknown on another machine and for a model of unknown size", () => {
    expect(memoryCapacity(model, null)).toBeNull();
    expect(memoryCapacity({ ...model, sizeMb: null }, memory(1))).toBeNull();
    expect(memoryCapacity({ ...model, sizeMb: 0 }, memory(1))).toBeNull();
  });

  it.each(["gpu", "npu", null] as const)(
    "is no reason to refuse a model for device %s",
    (device) => {
      const other = { ...model, device };
      expect(memoryCapacity(other, memory(4096))).toBeNull();
      expect(memoryCapacity({ ...other, sizeMb: 32_768 }, memory(4000))).toBe(
        "The model may not fit: walker-generic-cpu:1 takes 32.0 GB of memory at least, and 3.9 GB of 16.0 GB are free; whether its device has a memory of its own is not known from here.",
      );
    },
  );

  describe("where the system counts files that it keeps ready as used", () => {
    const rough = (freeMb: number) => ({ totalMb: 16_384, freeMb, isExact: false });

    it("refuses only a model larger than the whole memory", () => {
      expect(memoryCapacity({ ...model, sizeMb: 16_385 }, rough(100))).toMatchObject({
        code: "INSUFFICIENT_MEMORY",
        message:
          "walker-generic-cpu:1 takes 16.0 GB of memory at least, and there are 16.0 GB in all.",
      });
    });

    it("warns of a model larger than the free memory and half of the whole", () => {
      expect(memoryCapacity({ ...model, sizeMb: 9000 }, rough(100))).toBe(
        "The model may not fit: walker-generic-cpu:1 takes 8.8 GB of memory at least, and 100 MB of 16.0 GB are free, though the system may be able to free more.",
      );
    });

    it("gives no other warning, since little memory is ever free there", () => {
      expect(memoryCapacity(model, rough(100))).toBeNull();
      expect(memoryCapacity({ ...model, sizeMb: 9000 }, rough(9001))).toBeNull();
    });
  });
});

describe("disk space for a download", () => {
  it("that is more than enough, or unknown, causes no message", () => {
    expect(diskCapacity(model, { freeMb: 5120, presentMb: 0, isExact: true })).toBeNull();
    expect(diskCapacity(model, null)).toBeNull();
    const uncounted = diskCapacity(model, { freeMb: 700, presentMb: null, isExact: true });
    expect(uncounted).toContain("a part of it may be there already");
    expect(
      diskCapacity({ ...model, sizeMb: null }, { freeMb: 0, presentMb: 0, isExact: true }),
    ).toBeNull();
  });

  it("that is too little refuses the download, with the sizes and what to do", () => {
    expect(diskCapacity(model, { freeMb: 700, presentMb: 0, isExact: true })).toMatchObject({
      code: "INSUFFICIENT_DISK",
      message:
        "walker-generic-cpu:1 needs 4.0 GB of disk, and 700 MB are free where the models are stored.",
      action: expect.stringContaining("`loadModel` with force: true"),
    });
  });

  it("that is too little is a warning where the system may free more", () => {
    expect(diskCapacity(model, { freeMb: 700, presentMb: 0, isExact: false })).toBe(
      "The download may not fit: walker-generic-cpu:1 needs 4.0 GB of disk, and 700 MB are free where the models are stored, though the system may free more.",
    );
  });

  it("with little to spare is tight", () => {
    expect(diskCapacity(model, { freeMb: 5000, presentMb: 0, isExact: true })).toBe(
      "Disk space is tight: walker-generic-cpu:1 needs 4.0 GB of disk, and 4.9 GB are free where the models are stored.",
    );
  });

  it("is needed only for the missing part of an interrupted download", () => {
    expect(diskCapacity(model, { freeMb: 2048, presentMb: 3072, isExact: true })).toBeNull();
    expect(diskCapacity(model, { freeMb: 0, presentMb: 4100, isExact: true })).toBeNull();
    expect(diskCapacity(model, { freeMb: 500, presentMb: 3072, isExact: true })).toMatchObject({
      message:
        "The rest of walker-generic-cpu:1 needs 1.0 GB of disk, and 500 MB are free where the models are stored.",
    });
    expect(diskCapacity(model, { freeMb: 1500, presentMb: 3072, isExact: true })).toBe(
      "Disk space is tight: the rest of walker-generic-cpu:1 needs 1.0 GB of disk, and 1.5 GB are free where the models are stored.",
    );
  });
});

describe("the folder whose disk is measured", () => {
  it.each<[string, NodeJS.Platform, string, readonly string[]]>([
    ["/home/me/a/b", "linux", "/home/me", ["/home/me/a/b", "/home/me/a", "/home/me"]],
    ["/srv/models", "darwin", "/Users/me", ["/srv/models"]],
    ["models", "linux", "/home/me", []],
    ["H:\\a\\b", "win32", "H:\\", ["H:\\a\\b", "H:\\a", "H:\\"]],
    ["E:\\", "win32", "C:\\Users\\me", ["E:\\"]],
    ["\\\\srv\\share\\", "win32", "C:\\Users\\me", ["\\\\srv\\share\\"]],
  ])("is %s on %s, or a parent within %s", (path, platform, home, folders) => {
    expect([...foldersFrom(path, home, pathsOf(platform))]).toEqual(folders);
  });
});
