import { mkdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startSimulator } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Machine } from "../../../src/platform/machine.js";
import { removeFolder, temporaryFolder } from "../../temporary-folder.js";
import { machine } from "../downloads/fixtures.js";
import { askedOf, clientOf, roomyMachine, simulate } from "../fixtures.js";

const LOADS = "/models/load/";
const large = { id: "large-generic-cpu:1", alias: "large", sizeMb: 4096 };

/** With its own home, so that its downloads wait for no other test. */
const roomy = async (): Promise<Machine> => ({ ...roomyMachine(), home: (await machine()).home });
const withMemory = async (freeMb: number): Promise<Machine> => ({
  ...(await roomy()),
  memory: () => ({ totalMb: 8192, freeMb, isExact: true }),
});
const withDisk = async (freeMb: number): Promise<Machine> => ({
  ...(await roomy()),
  freeDiskMb: async () => freeMb,
});

describe("a model that does not fit into memory", () => {
  it("is not loaded: the service gets no request", async () => {
    const simulator = await simulate({ models: [large] });
    const client = clientOf(simulator.url, {}, await withMemory(1024));
    await expect(client.loadModel("large")).rejects.toMatchObject({
      code: "INSUFFICIENT_MEMORY",
      message:
        "large-generic-cpu:1 takes 4.0 GB of memory at least, and 1.0 GB of 8.0 GB are free.",
    });
    expect(askedOf(simulator, LOADS)).toEqual([]);
  });

  it("is not loaded for a completion either, whose error says how to force it", async () => {
    const simulator = await simulate({ models: [large] });
    const client = clientOf(simulator.url, {}, await withMemory(1024));
    await expect(client.complete({ prompt: "Hi", model: "large" })).rejects.toMatchObject({
      code: "INSUFFICIENT_MEMORY",
      action: expect.stringContaining("`loadModel` with force: true"),
    });
    expect(askedOf(simulator, LOADS)).toEqual([]);
  });

  it("is loaded when it is forced, with a warning", async () => {
    const simulator = await simulate({ models: [large] });
    const client = clientOf(simulator.url, {}, await withMemory(1024));
    expect(await client.loadModel("large", { force: true })).toMatchObject({
      status: "loaded",
      warnings: [expect.stringContaining("1.0 GB of 8.0 GB are free")],
    });
  });

  it("is not refused when another client has loaded it", async () => {
    const simulator = await simulate({ models: [large] });
    const client = clientOf(simulator.url, {}, await withMemory(1024));
    await client.listModels();
    simulator.setLoaded(large.id, true);
    expect(await client.loadModel("large")).toMatchObject({
      status: "already_loaded",
      warnings: [],
    });
  });

  it("is loaded where the service is on another machine, whose memory is unknown", async () => {
    const simulator = await startSimulator({ dialect: "S", models: [large] });
    onTestFinished(() => simulator.close());
    const client = clientOf(simulator.url, {}, await withMemory(1024));
    expect(await client.loadModel("large")).toMatchObject({ status: "loaded" });
  });
});

describe("a model that barely fits", () => {
  it("is loaded with a warning, also for a completion", async () => {
    const simulator = await simulate({ models: [large] });
    const client = clientOf(simulator.url, {}, await withMemory(4200));
    const { warnings } = await client.complete({ prompt: "Hi", model: "large" });
    expect(warnings).toEqual([expect.stringMatching(/^Memory is tight: large-generic-cpu:1 /)]);
  });
});

describe("a download that does not fit onto the disk", () => {
  const missing = { ...large, downloaded: false };

  it("is refused before it begins", async () => {
    const simulator = await simulate({ dialect: "S", models: [missing] });
    const client = clientOf(simulator.url, {}, await withDisk(1024));
    await expect(client.loadModel("large", { download: true })).rejects.toMatchObject({
      code: "INSUFFICIENT_DISK",
    });
    expect(askedOf(simulator, "/openai/download")).toEqual([]);
  });

  it("continues when it is forced, with a warning", async () => {
    const simulator = await simulate({ dialect: "S", models: [missing] });
    const client = clientOf(simulator.url, {}, await withDisk(1024));
    const options = { download: true, force: true };
    expect(await client.loadModel("large", options)).toMatchObject({
      status: "loaded",
      warnings: [expect.stringContaining("needs 4.0 GB of disk")],
    });
  });

  it("is refused also when the model would not fit into memory", async () => {
    const simulator = await simulate({ dialect: "S", models: [missing] });
    const client = clientOf(simulator.url, {}, await withMemory(1024));
    await expect(client.loadModel("large", { download: true })).rejects.toMatchObject({
      code: "INSUFFICIENT_MEMORY",
    });
    expect(askedOf(simulator, "/openai/download")).toEqual([]);
  });

  it("needs no space for the part that is already downloaded", async () => {
    const folder = await temporaryFolder("cache-");
    const small = { ...missing, sizeMb: 4 };
    const simulator = await simulate({ dialect: "S", models: [small], modelCachePath: folder });
    const client = clientOf(simulator.url, {}, await withDisk(2));
    const ours = join(folder, "Microsoft", "large-generic-cpu-1");
    await mkdir(ours, { recursive: true });
    const data = join(ours, "model.onnx.data");
    // A file can have its full size before anything is in it.
    await writeFile(data, "");
    await truncate(data, 4 * 1024 * 1024);
    await expect(client.loadModel("large", { download: true })).rejects.toMatchObject({
      code: "INSUFFICIENT_DISK",
    });
    await writeFile(data, Buffer.alloc(3 * 1024 * 1024, "x"));
    expect(await client.loadModel("large", { download: true })).toMatchObject({
      warnings: [expect.stringMatching(/^Disk space is tight: the rest of large-generic-cpu:1 /)],
    });
  });

  it("is not refused when another program has downloaded it", async () => {
    const simulator = await simulate({ models: [missing] });
    const client = clientOf(simulator.url, {}, await withDisk(1024));
    await client.listModels();
    simulator.setDownloaded(missing.id, true);
    expect(await client.loadModel("large", { download: true })).toMatchObject({
      status: "loaded",
      warnings: [],
    });
  });

  it("checks the nearest existing folder of this user's home before the first download", async () => {
    const home = await temporaryFolder("home-");
    const cache = join(home, ".foundry", "cache", "models");
    const simulator = await simulate({ dialect: "S", models: [missing], modelCachePath: cache });
    await removeFolder(join(home, ".foundry"));
    const asked: string[] = [];
    const freeDiskMb = async (folder: string): Promise<number> => {
      asked.push(folder);
      return 10;
    };
    const client = clientOf(simulator.url, {}, { ...roomyMachine(), home, freeDiskMb });
    await expect(client.loadModel("large", { download: true })).rejects.toMatchObject({
      code: "INSUFFICIENT_DISK",
    });
    expect(asked).toEqual([home]);
  });
});
