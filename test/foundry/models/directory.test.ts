import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  mergeModels,
  NO_DISK_FACTS,
  readDiskFacts,
  type Sources,
} from "../../../src/foundry/models/directory.js";
import { type ListedModel, modelKey } from "../../../src/foundry/models/index.js";
import { silentLogger } from "../../../src/log.js";
import { removeFolder } from "../../temporary-folder.js";

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "cache-"));
});
afterEach(() => removeFolder(cache));

async function write(path: string, content: unknown): Promise<void> {
  await mkdir(dirname(join(cache, path)), { recursive: true });
  await writeFile(join(cache, path), JSON.stringify(content));
}

/** A downloaded model with the two lengths of its genai_config.json. */
async function download(id: string, maxLength: number, contextLength: number): Promise<void> {
  const folder = `Microsoft/${id.replace(":", "-")}`;
  await write(`${folder}/inference_model.json`, { Name: id });
  await write(`${folder}/genai_config.json`, {
    model: { context_length: contextLength },
    search: { max_length: maxLength },
  });
}

const listed = (id: string, more: Partial<ListedModel> = {}): ListedModel => ({
  id,
  alias: null,
  family: "public",
  downloaded: null,
  contextLength: null,
  ...more,
});

/** As C2 2.1 gives them, nothing loaded, no disk. */
const sources = (more: Partial<Sources>): Sources => ({
  listed: [],
  loaded: [],
  disk: NO_DISK_FACTS,
  listsOnlyDownloaded: false,
  contextLimit: "context_length",
  learnedContext: new Map(),
  ...more,
});

describe("mergeModels", () => {
  it("keeps the service's order and has null for unknown values", () => {
    const models = mergeModels(
      sources({ listed: [listed("b-generic-gpu:2"), listed("My_Own.Talker:7")], loaded: null }),
    );
    expect(models).toEqual([
      {
        id: "b-generic-gpu:2",
        family: "public",
        name: "b-generic-gpu",
        version: 2,
        alias: null,
        downloaded: null,
        loaded: null,
        sizeMb: null,
        device: "gpu",
        executionProvider: null,
        task: null,
        contextLength: null,
        maxOutputTokens: null,
        toolCalling: null,
        vision: null,
        license: null,
      },
      expect.objectContaining({ id: "My_Own.Talker:7", device: null, downloaded: null }),
    ]);
  });

  it("puts downloaded models first where the service lists its whole catalog", () => {
    const models = mergeModels(
      sources({
        listed: [
          listed("a:1", { downloaded: false }),
          listed("b:1", { downloaded: true }),
          listed("c:1", { downloaded: false }),
          listed("d:1", { downloaded: true }),
        ],
      }),
    );
    expect(models.map(({ id }) => id)).toEqual(["b:1", "d:1", "a:1", "c:1"]);
  });

  it("marks loaded models, and counts them as downloaded", () => {
    const models = mergeModels(
      sources({
        listed: [listed("a:1"), listed("b:1")],
        loaded: [{ id: "b:1", family: "public" }],
      }),
    );
    expect(models).toMatchObject([
      { id: "a:1", loaded: false, downloaded: null },
      { id: "b:1", loaded: true, downloaded: true },
    ]);
  });

  it("includes a loaded model that is not listed", () => {
    const models = mergeModels(
      sources({ listed: [listed("a:1")], loaded: [{ id: "gone:3", family: "public" }] }),
    );
    expect(models.map(({ id, loaded }) => [id, loaded])).toEqual([
      ["a:1", false],
      ["gone:3", true],
    ]);
  });

  it("distinguishes the same id in both families, each with its own state", () => {
    const models = mergeModels(
      sources({
        listed: [listed("a:1"), listed("a:1", { family: "local", downloaded: true })],
        loaded: [{ id: "a:1", family: "local" }],
      }),
    );
    expect(models.map(({ family, loaded }) => [family, loaded])).toEqual([
      ["public", false],
      ["local", true],
    ]);
  });

  it("uses the catalog file and the folders", async () => {
    await write("foundry.modelinfo.json", {
      models: [{ id: "a-generic-cpu:1", alias: "a", task: "chat-completion", fileSizeMb: 800 }],
    });
    await download("a-generic-cpu:1", 4096, 32_768);
    const disk = await readDiskFacts(cache, silentLogger);
    const models = mergeModels(
      sources({ listed: [listed("a-generic-cpu:1"), listed("b-generic-cpu:1")], disk }),
    );
    expect(models).toMatchObject([
      { alias: "a", task: "chat-completion", sizeMb: 800, downloaded: true },
      { alias: null, task: null, sizeMb: null, downloaded: false },
    ]);
  });

  it.each([
    ["context_length", { maxLength: 4096, contextLength: 32_768 }, 32_768],
    ["context_length", { maxLength: 4096, contextLength: 512 }, 512],
    ["max_length", { maxLength: 4096, contextLength: 32_768 }, 4096],
    ["max_length", { maxLength: 4096, contextLength: 512 }, 512],
  ] as const)(
    "returns the context limit of a service that enforces %s, of %o",
    async (contextLimit, { maxLength, contextLength }, enforced) => {
      await write("foundry.modelinfo.json", { models: [{ id: "a:1", contextLength: 131_072 }] });
      await download("a:1", maxLength, contextLength);
      const disk = await readDiskFacts(cache, silentLogger);
      const [model] = mergeModels(sources({ listed: [listed("a:1")], disk, contextLimit }));
      expect(model?.contextLength).toBe(enforced);
    },
  );

  it("prefers the learned context to the listed one, and that to the advertised one", async () => {
    await write("foundry.modelinfo.json", { models: [{ id: "a:1", contextLength: 131_072 }] });
    const disk = await readDiskFacts(cache, silentLogger);
    const contextOf = (more: Partial<Sources>, contextLength: number | null = null) =>
      mergeModels(sources({ listed: [listed("a:1", { contextLength })], disk, ...more }))[0]
        ?.contextLength;
    expect(contextOf({})).toBe(131_072);
    expect(contextOf({}, 8192)).toBe(8192);
    expect(
      contextOf(
        { learnedContext: new Map([[modelKey({ family: "public", id: "a:1" }), { value: 4096 }]]) },
        8192,
      ),
    ).toBe(4096);
  });

  it("trusts the service that a model is not downloaded, whatever its folders contain", async () => {
    await download("a:1", 4096, 4096);
    const disk = await readDiskFacts(cache, silentLogger);
    const downloadedOf = (downloaded: boolean | null, loaded: readonly string[] = []) =>
      mergeModels(
        sources({
          listed: [listed("a:1", { downloaded })],
          loaded: loaded.map((id) => ({ id, family: "public" })),
          disk,
        }),
      )[0]?.downloaded;
    expect(downloadedOf(false)).toBe(false);
    expect(downloadedOf(null)).toBe(true);
    expect(downloadedOf(false, ["a:1"])).toBe(true);
  });

  it("prefers the service's details of a model to those of the catalog file", async () => {
    await write("foundry.modelinfo.json", {
      models: [{ id: "a-generic-gpu:1", task: "old", fileSizeMb: 1, license: "MIT" }],
    });
    const disk = await readDiskFacts(cache, silentLogger);
    const details = {
      sizeMb: 2,
      device: "npu",
      executionProvider: "QNNExecutionProvider",
      task: "chat-completion",
      maxOutputTokens: 8,
      toolCalling: false,
      vision: true,
      license: null,
    } as const;
    const [model] = mergeModels(
      sources({ listed: [listed("a-generic-gpu:1", { details })], disk }),
    );
    expect(model).toMatchObject({ ...details, license: "MIT" });
  });

  it("reads the limits of a registered model from the folder of its registration", async () => {
    await write("elsewhere/genai_config.json", { model: { context_length: 512 } });
    await write("cache/foundry.local.modelinfo.json", {
      models: [{ model_info: { id: "mine-generic-cpu:1" }, model_path: join(cache, "elsewhere") }],
    });
    const disk = await readDiskFacts(join(cache, "cache"), silentLogger);
    const models = mergeModels(
      sources({
        listed: [listed("mine-generic-cpu:1", { family: "local", downloaded: true })],
        disk,
      }),
    );
    expect(models).toMatchObject([{ alias: "mine", downloaded: true, contextLength: 512 }]);
  });

  describe("for C1, which lists downloaded models by name, once per version,", () => {
    const ofCore1 = (more: Partial<Sources>) => sources({ listsOnlyDownloaded: true, ...more });
    const twice = [
      listed("two-generic-cpu", { alias: "two", downloaded: true }),
      listed("two-generic-cpu", { alias: "two", downloaded: true }),
    ];

    it("reads the versions from the folders, the newest first", async () => {
      await download("two-generic-cpu:2", 512, 512);
      await download("two-generic-cpu:3", 512, 512);
      const disk = await readDiskFacts(cache, silentLogger);
      const models = mergeModels(ofCore1({ listed: twice, disk }));
      expect(models.map(({ id, alias }) => [id, alias])).toEqual([
        ["two-generic-cpu:3", "two"],
        ["two-generic-cpu:2", "two"],
      ]);
    });

    it("reads the versions from the loaded list without a disk", () => {
      const loaded = [{ id: "two-generic-cpu:2", family: "public" as const }];
      const models = mergeModels(ofCore1({ listed: twice, loaded }));
      expect(models.map(({ id }) => id)).toEqual(["two-generic-cpu:2"]);
    });

    it("keeps the name where no source contains the version", () => {
      const models = mergeModels(ofCore1({ listed: twice }));
      expect(models).toMatchObject([{ id: "two-generic-cpu", version: null, downloaded: true }]);
    });

    it("adds the rest of the catalog behind these models, as not downloaded", async () => {
      await write("foundry.modelinfo.json", {
        models: [{ id: "two-generic-cpu:2" }, { id: "cloud-generic-cpu:1", alias: "cloud" }],
      });
      await download("two-generic-cpu:2", 512, 512);
      const disk = await readDiskFacts(cache, silentLogger);
      const models = mergeModels(ofCore1({ listed: twice, disk }));
      expect(models.map(({ id, downloaded }) => [id, downloaded])).toEqual([
        ["two-generic-cpu:2", true],
        ["cloud-generic-cpu:1", false],
      ]);
    });
  });

  it("takes a folder whose name has no version for version 0, as the services do", async () => {
    await download("own-talker", 512, 512);
    const disk = await readDiskFacts(cache, silentLogger);
    const own = { id: "own-talker:0", downloaded: true, contextLength: 512 };
    const core1 = {
      listed: [listed("own-talker", { downloaded: true })],
      listsOnlyDownloaded: true,
    };
    expect(mergeModels(sources({ ...core1, disk }))).toMatchObject([own]);
    expect(mergeModels(sources({ listed: [listed("own-talker:0")], disk }))).toMatchObject([own]);
    const bare = listed("own-talker", { downloaded: true });
    expect(mergeModels(sources({ listed: [bare], disk }))).toMatchObject([
      { ...own, id: "own-talker" },
    ]);
  });

  it("keeps the names of S before 0.7, which have no version", async () => {
    await download("two-generic-cpu:2", 512, 512);
    const disk = await readDiskFacts(cache, silentLogger);
    const loaded = [{ id: "two-generic-cpu", family: "public" as const }];
    const models = mergeModels(
      sources({ listed: [listed("two-generic-cpu", { downloaded: true })], loaded, disk }),
    );
    expect(models).toMatchObject([{ id: "two-generic-cpu", downloaded: true, loaded: true }]);
  });

  it("does not add the catalog file to a list that is already the catalog", async () => {
    await write("foundry.modelinfo.json", { models: [{ id: "old-generic-cpu:1" }] });
    const disk = await readDiskFacts(cache, silentLogger);
    const idsOf = (...ids: string[]): string[] =>
      mergeModels(sources({ listed: ids.map((id) => listed(id)), disk })).map(({ id }) => id);
    expect(idsOf("a:1")).toEqual(["a:1"]);
    expect(idsOf()).toEqual([]);
  });
});

describe("readDiskFacts", () => {
  it("returns nothing for a cache that is not on this machine", async () => {
    expect(await readDiskFacts(join(cache, "nowhere"), silentLogger)).toEqual(NO_DISK_FACTS);
  });
});
