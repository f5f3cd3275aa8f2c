import { mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, parse } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  FolderWalk,
  readContextLimits,
  readModelFolders,
} from "../../../src/foundry/models/model-folders.js";
import { removeFolder } from "../../temporary-folder.js";

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "folders-"));
});
afterEach(() => removeFolder(cache));

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(cache, path)), { recursive: true });
  await writeFile(join(cache, path), content);
}

const LIMITS = '{"model":{"context_length":32768},"search":{"max_length":4096}}';

/** The models in a completely scanned cache. */
async function foldersOf(directory: string) {
  const read = await readModelFolders(directory);
  expect(read?.isComplete).toBe(true);
  return read?.folders;
}

describe("readModelFolders", () => {
  it("finds a downloaded model with both of its limits", async () => {
    await write("Microsoft/qwen-4/v4/inference_model.json", '{"Name":"qwen-generic-cpu:4"}');
    await write("Microsoft/qwen-4/v4/genai_config.json", LIMITS);
    expect(await foldersOf(cache)).toEqual([
      { id: "qwen-generic-cpu:4", maxLength: 4096, contextLength: 32768 },
    ]);
  });

  it("finds genai_config.json a level below inference_model.json", async () => {
    await write("Microsoft/qwen-4/inference_model.json", '{"Name":"qwen-generic-cpu:4"}');
    await write("Microsoft/qwen-4/v4/genai_config.json", LIMITS);
    expect(await foldersOf(cache)).toEqual([
      { id: "qwen-generic-cpu:4", maxLength: 4096, contextLength: 32768 },
    ]);
  });

  it("follows a link to a model in another folder", async () => {
    await write("elsewhere/inference_model.json", '{"Name":"linked:1"}');
    await write("elsewhere/genai_config.json", LIMITS);
    await mkdir(join(cache, "models"));
    await symlink(join(cache, "elsewhere"), join(cache, "models", "linked"), "junction");
    expect(await foldersOf(join(cache, "models"))).toMatchObject([{ id: "linked:1" }]);
  });

  it.each([
    ["beside the model's files", "Microsoft/half-1/v1/download.tmp"],
    ["above them", "Microsoft/half-1/download.tmp"],
  ])("ignores a model with an incomplete download, marked %s", async (_where, mark) => {
    await write("Microsoft/half-1/v1/inference_model.json", '{"Name":"half:1"}');
    await write("Microsoft/half-1/v1/genai_config.json", LIMITS);
    await write(mark, "");
    expect(await foldersOf(cache)).toEqual([]);
  });

  it.each([
    ["genai_config.json is missing", '{"Name":"a:1"}', null],
    ["inference_model.json is broken", '{"Name":', LIMITS],
    ["inference_model.json gives no name", '{"PromptTemplate":null}', LIMITS],
    ["the name is empty", '{"Name":""}', LIMITS],
  ])("ignores a folder where %s", async (_what, inferenceModel, config) => {
    await write("p/a-1/v1/inference_model.json", inferenceModel);
    if (config !== null) await write("p/a-1/v1/genai_config.json", config);
    expect(await foldersOf(cache)).toEqual([]);
  });

  it("returns an empty list for an empty cache, and null for a cache on another machine", async () => {
    expect(await foldersOf(cache)).toEqual([]);
    expect(await readModelFolders(join(cache, "nowhere"))).toBeNull();
  });
});

describe("a wrong folder of models", () => {
  const model = async (path: string, id: string): Promise<void> => {
    await write(`${path}/inference_model.json`, JSON.stringify({ Name: id }));
    await write(`${path}/genai_config.json`, LIMITS);
  };

  it.skipIf(process.platform !== "linux").each(["/proc", "/sys", "/dev", "/etc"])(
    "is read only within the bounds: %s",
    async (directory) => {
      const walk = new FolderWalk({ entries: 2000 });
      expect((await readModelFolders(directory, walk))?.folders).toEqual([]);
    },
  );

  it("may be the root of a disk", async () => {
    expect(await readModelFolders(parse(cache).root)).toBeNull();
  });

  it("gives the models found within the bounds, with a warning", async () => {
    await model("a/first", "first:1");
    await Promise.all(Array.from({ length: 40 }, (_, index) => write(`a/first/more/${index}`, "")));
    await model("b/second", "second:1");
    const walk = new FolderWalk({ entries: 7 });
    const read = await readModelFolders(cache, walk);
    expect(read?.isComplete).toBe(false);
    expect(read?.folders.length).toBeLessThan(2);
  });

  it("is abandoned at its time limit", async () => {
    await model("a/first", "first:1");
    let now = 0;
    const walk = new FolderWalk({ ms: 10, now: () => now++ * 4 });
    expect(await readModelFolders(cache, walk)).toMatchObject({ isComplete: false });
  });

  it.skipIf(process.platform === "win32")("may contain circular links", async () => {
    await model("a/real", "real:1");
    await symlink(cache, join(cache, "a", "up"));
    await symlink(join(cache, "a"), join(cache, "a", "self"));
    const read = await readModelFolders(cache);
    expect(read?.isComplete).toBe(true);
    expect(new Set(read?.folders.map(({ id }) => id))).toEqual(new Set(["real:1"]));
    // Each link is followed once.
    expect(read?.folders.length).toBeLessThanOrEqual(5);
  });

  it("may have models whose files begin with a byte order mark", async () => {
    await write("p/m/inference_model.json", '\uFEFF{"Name":"marked:1"}');
    await write("p/m/genai_config.json", `\uFEFF${LIMITS}`);
    expect(await foldersOf(cache)).toEqual([
      { id: "marked:1", maxLength: 4096, contextLength: 32768 },
    ]);
  });

  it("may have models whose files are too large to be read", async () => {
    await write("p/m/inference_model.json", `{"Name":"large:1"}${" ".repeat(1024 * 1024)}`);
    await write("p/m/genai_config.json", LIMITS);
    expect(await foldersOf(cache)).toEqual([]);
  });
});

describe("readContextLimits", () => {
  it.each([
    ["both", LIMITS, { maxLength: 4096, contextLength: 32768 }],
    [
      "only the search limit",
      '{"search":{"max_length":512}}',
      { maxLength: 512, contextLength: null },
    ],
    [
      "only the model's",
      '{"model":{"context_length":512}}',
      { maxLength: null, contextLength: 512 },
    ],
    [
      "values that are no lengths",
      '{"model":{"context_length":0},"search":{"max_length":"4096"}}',
      { maxLength: null, contextLength: null },
    ],
    ["half a JSON", '{"model":{"context_le', { maxLength: null, contextLength: null }],
    ["another JSON", "[]", { maxLength: null, contextLength: null }],
  ])("reads %s", async (_what, content, limits) => {
    await write("genai_config.json", content);
    expect(await readContextLimits(cache)).toEqual(limits);
  });

  it("returns nothing for a missing folder", async () => {
    const limits = await readContextLimits(join(cache, "nowhere"));
    expect(limits).toEqual({ maxLength: null, contextLength: null });
  });
});
