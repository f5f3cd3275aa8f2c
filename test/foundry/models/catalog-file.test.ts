import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  aliasOfRegistered,
  readLocalCatalog,
  readPublicCatalog,
} from "../../../src/foundry/models/catalog-file.js";
import { silentLogger } from "../../../src/log.js";
import { removeFolder } from "../../temporary-folder.js";

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "catalog-"));
});
afterEach(() => removeFolder(cache));

const writePublic = (text: string): Promise<void> =>
  writeFile(join(cache, "foundry.modelinfo.json"), text);
const writeLocal = (text: string): Promise<void> =>
  writeFile(join(cache, "foundry.local.modelinfo.json"), text);

/** The facts that are known. */
const known = (models: readonly object[]) =>
  models.map((facts) =>
    Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== null)),
  );

describe("readPublicCatalog", () => {
  it("reads the file of core 1.x", async () => {
    await writePublic(`{"version":1,"savedAt":"2026-11-20T20:12:55+00:00","detectedRegion":"test","models":[
      {"task":"chat-completion","testModel":false,"runtime":{"deviceType":"GPU","executionProvider":"CUDAExecutionProvider"},
       "fileSizeMb":3686,"supportsToolCalling":true,"supportsReasoning":false,"maxOutputTokens":2048,"createdAt":1780272000,
       "id":"Phi-4-mini-instruct-cuda-gpu:5","name":"Phi-4-mini-instruct-cuda-gpu","version":5,"alias":"phi-4-mini",
       "promptTemplate":{"prompt":"{Content}"},"modelSettings":{"parameters":[]},"license":"MIT","cached":true}]}`);
    expect(known(await readPublicCatalog(cache, silentLogger))).toEqual([
      {
        id: "Phi-4-mini-instruct-cuda-gpu:5",
        alias: "phi-4-mini",
        task: "chat-completion",
        license: "MIT",
        sizeMb: 3686,
        device: "gpu",
        executionProvider: "CUDAExecutionProvider",
        maxOutputTokens: 2048,
        toolCalling: true,
      },
    ]);
  });

  it("reads the file of core 2.0", async () => {
    await writePublic(`{"version":1,"savedAtUnix":1795205634,"models":[
      {"alias":"gemma-4-e2b-it","contextLength":131072,"createdAt":1780272000,"detectedRegion":"centralus","fileSizeMb":2150,
       "id":"gemma-4-e2b-it-generic-gpu:2","inputModalities":"text,image","license":"gemma","maxOutputTokens":2048,
       "name":"gemma-4-e2b-it-generic-gpu","runtime":{"deviceType":"GPU","executionProvider":"WebGpuExecutionProvider"},
       "supportsToolCalling":false,"task":"vision-language-chat","version":2}]}`);
    expect(known(await readPublicCatalog(cache, silentLogger))).toEqual([
      {
        id: "gemma-4-e2b-it-generic-gpu:2",
        alias: "gemma-4-e2b-it",
        task: "vision-language-chat",
        license: "gemma",
        sizeMb: 2150,
        device: "gpu",
        executionProvider: "WebGpuExecutionProvider",
        contextLength: 131072,
        maxOutputTokens: 2048,
        toolCalling: false,
        vision: true,
      },
    ]);
  });

  it("reads the additional properties of core 2.2", async () => {
    await writePublic(`{"savedAtUnix":1795205695,"version":1,"models":[
      {"alias":"tiny-talk","id":"tiny-talk-generic-cpu:1",
       "intProperties":{"context_length":4096,"filesize_mb":12,"max_output_tokens":512,"supports_tool_calling":1},
       "stringProperties":{"license":"MIT","task":"chat-completion","input_modalities":"text","device_type":"CPU",
                           "execution_provider":"CPUExecutionProvider"}}]}`);
    expect(known(await readPublicCatalog(cache, silentLogger))).toEqual([
      {
        id: "tiny-talk-generic-cpu:1",
        alias: "tiny-talk",
        task: "chat-completion",
        license: "MIT",
        sizeMb: 12,
        device: "cpu",
        executionProvider: "CPUExecutionProvider",
        contextLength: 4096,
        maxOutputTokens: 512,
        toolCalling: true,
        vision: false,
      },
    ]);
  });

  it("treats a size of 0 as unknown, as the services write it", async () => {
    await writePublic('{"models":[{"id":"a:1","fileSizeMb":0,"intProperties":{"filesize_mb":0}}]}');
    expect(known(await readPublicCatalog(cache, silentLogger))).toEqual([{ id: "a:1" }]);
  });

  it("ignores invalid values and entries, and keeps the rest", async () => {
    await writePublic(`{"models":[
      {"id":"a:1","alias":7,"fileSizeMb":"big","contextLength":-1,"supportsToolCalling":"yes","runtime":"cpu",
       "stringProperties":{"task":1,"license":""},"intProperties":{"context_length":"4096","max_output_tokens":1.5}},
      {"alias":"without-id"}, null, "text", {"id":""},
      {"id":"b:1","alias":"b"}]}`);
    expect(known(await readPublicCatalog(cache, silentLogger))).toEqual([
      { id: "a:1" },
      { id: "b:1", alias: "b" },
    ]);
  });

  it.each([
    ["half a JSON", '{"version":1,"models":[{"id":"a:1"'],
    ["an empty file", ""],
    ["another JSON", "[1,2]"],
    ["models that are no list", '{"models":{}}'],
  ])("returns nothing for %s", async (_what, text) => {
    await writePublic(text);
    expect(known(await readPublicCatalog(cache, silentLogger))).toEqual([]);
  });

  it("returns nothing where there is no file", async () => {
    expect(await readPublicCatalog(join(cache, "nowhere"), silentLogger)).toEqual([]);
  });
});

describe("readLocalCatalog", () => {
  it("reads the registered models, each with its folder", async () => {
    await writeLocal(`{"version":2,"catalog_name":"local","models":[
      {"model_info":{"alias":"fails-midway","createdAt":1795205690,"id":"fails-midway-generic-cpu:1",
        "intProperties":{"context_length":4096},"providerType":"LocalRegistration",
        "stringProperties":{"input_modalities":"text","task":"chat-completion"},"task":"chat-completion"},
       "model_path":"/models/fails-midway"}]}`);
    expect(known(await readLocalCatalog(cache, silentLogger))).toEqual([
      {
        id: "fails-midway-generic-cpu:1",
        alias: "fails-midway",
        task: "chat-completion",
        contextLength: 4096,
        vision: false,
        modelPath: "/models/fails-midway",
      },
    ]);
  });

  it("keeps a model without a folder", async () => {
    await writeLocal('{"models":[{"model_info":{"id":"mine:1"}}]}');
    expect(known(await readLocalCatalog(cache, silentLogger))).toEqual([{ id: "mine:1" }]);
  });

  it("returns nothing for a broken file", async () => {
    await writeLocal('{"models":[{"model_info":');
    expect(known(await readLocalCatalog(cache, silentLogger))).toEqual([]);
  });
});

describe("aliasOfRegistered", () => {
  it.each([
    ["talker-generic-cpu:3", "talker"],
    ["Talker-Generic-GPU:3", "Talker"],
    ["talker-cuda-gpu:1", "talker-cuda-gpu"],
    ["My_Own.Talker:7", "My_Own.Talker"],
  ])("of %s is %s", (id, alias) => {
    expect(aliasOfRegistered(id)).toBe(alias);
  });
});
