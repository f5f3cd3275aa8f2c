import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mbOfFiles, stateOfFiles } from "../../../src/foundry/downloads/model-files.js";
import { simulate } from "../fixtures.js";
import { downloaderFor, known, MISSING, machine, standIn } from "./fixtures.js";

describe("the files of a model", () => {
  it("change their state only when something is written to them", async () => {
    const simulator = await simulate({ models: [MISSING] });
    const model = await known(await downloaderFor({ url: simulator.url }));
    const { home } = await machine();
    const folder = join(home, "Microsoft", "Walker-generic-cpu-1", "v1");
    await mkdir(folder, { recursive: true });
    await mkdir(join(home, "Microsoft", "other-1"));
    expect(await stateOfFiles(home, model)).toBe("");
    await writeFile(join(folder, "model.onnx.data"), "half");
    const before = await stateOfFiles(home, model);
    await writeFile(join(home, "Microsoft", "other-1", "model.onnx"), "another model");
    expect(await stateOfFiles(home, model)).toBe(before);
    await appendFile(join(folder, "model.onnx.data"), "and the rest");
    expect(await stateOfFiles(home, model)).not.toBe(before);
  });

  it("are those of the requested version when their size is measured", async () => {
    const simulator = await simulate({ models: [MISSING] });
    const model = await known(await downloaderFor({ url: simulator.url }));
    const { home } = await machine();
    for (const version of [1, 10, 3]) {
      const folder = join(home, "Microsoft", `Walker-generic-cpu-${version}`, `v${version}`);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, "model.onnx.data"), Buffer.alloc(version * 1024 * 1024, 1));
    }
    expect(model.version).toBe(1);
    expect(Math.round((await mbOfFiles(home, model)) ?? -1)).toBe(1);
  });

  it("are no error where there is no folder", async () => {
    const simulator = await simulate({ models: [MISSING] });
    const model = await known(await downloaderFor({ url: simulator.url }));
    expect(await stateOfFiles("/nonexistent/models", model)).toBe("");
  });
});

describe("a download without output", () => {
  it("is not aborted while its files grow", async () => {
    const modelCachePath = (await machine()).home;
    const simulator = await simulate({ models: [MISSING], modelCachePath });
    const cli = await standIn(simulator, { downloadStyle: "silent", downloadStall: { at: 20 } });
    const downloader = await downloaderFor({ url: simulator.url, cli, limits: { stallMs: 1500 } });
    const folder = join(modelCachePath, "Microsoft", "walker-generic-cpu-1", "v1");
    await mkdir(folder, { recursive: true });
    const begin = performance.now();
    const growing = setInterval(() => void appendFile(join(folder, "model.onnx.data"), "x"), 100);
    const end = setTimeout(() => clearInterval(growing), 3000);
    const failure = await downloader.download(await known(downloader)).catch((error) => error);
    clearInterval(growing);
    clearTimeout(end);
    expect(failure).toMatchObject({ code: "DOWNLOAD_FAILED" });
    expect(performance.now() - begin).toBeGreaterThan(4000);
  });
});
