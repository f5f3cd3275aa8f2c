import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SpeedMemory } from "../../../src/foundry/speed-memory.js";
import { jsonFrom, MOST_MODELS_REMEMBERED } from "../../../src/lib/index.js";
import { temporaryFolder } from "../../temporary-folder.js";

const isWindows = process.platform === "win32";
const PHI = { id: "phi-generic-cpu:1", device: "cpu" };
const QWEN = { id: "qwen-generic-gpu:2", device: "gpu" };
const speed = (tokensPerSecond: number | null, promptTokensPerSecond: number | null = null) => ({
  tokensPerSecond,
  promptTokensPerSecond,
});

/** Memories of several processes on one folder, with one clock. */
async function folderOf() {
  const directory = join(await temporaryFolder("speeds-"), "own");
  const clock = { now: 1_000_000 };
  const memory = (machine = "here") =>
    new SpeedMemory({ directory, machine, now: () => clock.now });
  const file = join(directory, "speeds.json");
  return { directory, file, clock, memory };
}

/** The memory of a newly started process. */
async function readBy(memory: SpeedMemory, model = PHI) {
  await memory.read();
  return memory.of(model);
}

describe("the memory of speeds", () => {
  it("contains the measurements of another process", async () => {
    const { memory } = await folderOf();

    await memory().learn(PHI, speed(20, 500));

    expect(await readBy(memory())).toEqual(speed(20, 500));
    expect(await readBy(memory(), QWEN)).toBeNull();
  });

  it("distinguishes the devices of a model, and the machines that share a home", async () => {
    const { memory } = await folderOf();
    const onGpu = { ...PHI, device: "gpu" };

    await memory().learn(PHI, speed(20));
    await memory().learn(onGpu, speed(80));
    await memory("elsewhere").learn(PHI, speed(3));

    expect(await readBy(memory())).toEqual(speed(20));
    expect(await readBy(memory(), onGpu)).toEqual(speed(80));
    expect(await readBy(memory("elsewhere"))).toEqual(speed(3));
  });

  it("returns the latest speed for a model without a device", async () => {
    const { memory, clock } = await folderOf();
    const here = memory();
    await here.learn({ ...PHI, device: "gpu" }, speed(80));
    clock.now += 1;
    await here.learn(PHI, speed(20));

    expect(here.ofId(PHI.id)).toEqual(speed(20));
    expect(here.ofId("other")).toBeNull();
  });

  it("changes gradually with ordinary completions, and at once with a measurement", async () => {
    const { memory } = await folderOf();
    const here = memory();
    await here.learn(PHI, speed(20, 500));

    await here.learn(PHI, speed(30));
    expect(here.of(PHI)).toEqual(speed(23, 500));

    await here.measured(PHI, speed(40));
    expect(await readBy(memory())).toEqual(speed(40, 500));
  });

  it("is written at most once a minute, and at the end", async () => {
    const { memory, clock } = await folderOf();
    const here = memory();
    await here.learn(PHI, speed(20));

    await here.learn(PHI, speed(60));
    expect(await readBy(memory())).toEqual(speed(20));

    clock.now += 61_000;
    await here.learn(PHI, speed(60));
    expect(await readBy(memory())).toEqual(speed(40.4));

    await here.learn(PHI, speed(100));
    await here.flush();
    expect(await readBy(memory())).toEqual(speed(58.3));
  });

  it("is not written for a small change", async () => {
    const { memory, file, clock } = await folderOf();
    const here = memory();
    await here.learn(PHI, speed(20));
    const before = await readFile(file, "utf8");

    clock.now += 61_000;
    await here.learn(PHI, speed(21));
    await here.flush();

    expect(await readFile(file, "utf8")).toBe(before);
  });

  it("keeps what another process wrote in between", async () => {
    const { memory } = await folderOf();
    const [one, other] = [memory(), memory()];
    await Promise.all([one.read(), other.read()]);

    await one.learn(PHI, speed(20));
    await other.learn(QWEN, speed(50));

    const later = memory();
    expect(await readBy(later)).toEqual(speed(20));
    expect(later.of(QWEN)).toEqual(speed(50));
  });

  it("is valid after many concurrent writes, and leaves no other file", async () => {
    const { memory, directory, file } = await folderOf();

    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        memory().learn({ id: `model-${index}`, device: null }, speed(index + 1)),
      ),
    );

    // On a busy machine, a write goes on when nothing waits for it any more.
    await expect.poll(() => readdir(directory)).toEqual(["speeds.json"]);
    expect(jsonFrom(await readFile(file, "utf8"))).toMatchObject({ format: 1 });
  });

  it("has a bounded number of models, those that were measured last", async () => {
    const { memory, clock, file } = await folderOf();
    const here = memory();
    for (let index = 0; index < MOST_MODELS_REMEMBERED + 10; index += 1) {
      clock.now += 1;
      await here.learn({ id: `model-${index}`, device: null }, speed(10));
    }
    await here.flush();

    const later = memory();
    expect(await readBy(later, { id: "model-0", device: "" })).toBeNull();
    expect(later.ofId("model-9")).toBeNull();
    expect(later.ofId("model-10")).toEqual(speed(10));
    expect((await stat(file)).size).toBeLessThan(MOST_MODELS_REMEMBERED * 300);
  });

  it.skipIf(isWindows)("is readable only for this user", async () => {
    const { memory, directory, file } = await folderOf();
    await mkdir(directory, { mode: 0o755 });
    await chmod(directory, 0o755);

    await memory().learn(PHI, speed(20));

    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["empty", ""],
    ["cut off", '{"format":1,"speeds":[{"model":"phi-gen'],
    ["no JSON", "\u0000\u0001 what"],
    ["another value", "[1,2,3]"],
    ["of wrong members", '{"speeds":[{"model":5},null,{"tokens_per_second":1e99}]}'],
    ["too large", " ".repeat(300_000)],
  ])("counts as empty where its file is %s, and replaces it", async (_what, text) => {
    const { memory, directory, file } = await folderOf();
    await mkdir(directory);
    await writeFile(file, text);

    const here = memory();
    expect(await readBy(here)).toBeNull();
    await here.learn(PHI, speed(20));

    expect(await readBy(memory())).toEqual(speed(20));
  });

  it("looks at no more entries of a damaged file than it keeps", async () => {
    const { memory, file } = await folderOf();
    await memory().learn(PHI, speed(20));
    const { speeds } = JSON.parse(await readFile(file, "utf8"));
    const behind = async (damaged: number) => {
      const text = JSON.stringify({ speeds: [...Array(damaged).fill(0), ...speeds] });
      await writeFile(file, text);
      return readBy(memory());
    };
    expect(await behind(MOST_MODELS_REMEMBERED - 1)).toEqual(speed(20));
    expect(await behind(MOST_MODELS_REMEMBERED)).toBeNull();
  });

  it.each([0, -5, 1e12, Number.NaN, Number.POSITIVE_INFINITY])(
    "ignores a speed of %s",
    async (value) => {
      const { memory } = await folderOf();
      const here = memory();

      await here.learn(PHI, speed(value, 500));

      expect(here.of(PHI)).toEqual(speed(null, 500));
    },
  );

  it.each(["file", "folder"])("has only its own data where its %s is unusable", async (which) => {
    const { memory, directory, file } = await folderOf();
    if (which === "file") await mkdir(file, { recursive: true });
    else await writeFile(directory, "not a folder");

    const here = memory();
    await here.learn(PHI, speed(20));
    await here.flush();

    expect(here.of(PHI)).toEqual(speed(20));
    expect(await readBy(memory())).toBeNull();
  });
});
