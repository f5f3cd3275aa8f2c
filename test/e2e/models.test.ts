import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { environmentWith, MAIN, run } from "./executable.js";
import { MODELS, simulated } from "./simulated.js";

const MISSING = { id: "missing-generic-cpu:1", downloaded: false, sizeMb: 500 };
/** The service of the old command line downloads by itself. */
const ABLE = { dialect: "S", downloadMs: 300 } as const;
const IDLE = { id: "idle-generic-cpu:1" };

test("models lists all models as a table, and as JSON", async () => {
  const { url } = await simulated({ models: [...MODELS, MISSING] });

  const table = await run(["models", "--endpoint", url]);
  const json = await run(["models", "--json", "--endpoint", url]);

  expect(table.code).toBe(0);
  expect(table.stdout).toMatch(/^ALIAS +NAME +SIZE +DISK +LOADED +DEVICE$/m);
  expect(table.stdout).toMatch(/^tiny +tiny-generic-cpu:1 +\S.* +yes +cpu$/m);
  expect(json.code).toBe(0);
  expect(JSON.parse(json.stdout)).toMatchObject({
    models: expect.arrayContaining([expect.objectContaining({ id: "tiny-generic-cpu:1" })]),
    default_model: expect.any(String),
  });
});

test("download shows its progress and loads nothing; load and unload change which models are loaded", async () => {
  const simulator = await simulated({ ...ABLE, models: [...MODELS, MISSING, IDLE] });
  const settings = { FOUNDRY_ENDPOINT: simulator.url };

  const downloaded = await run(["download", "missing"], settings);
  const again = await run(["download", "missing"], settings);
  const loaded = await run(["load", "idle"], settings);
  const loadedAgain = await run(["load", "idle"], settings);
  const unloaded = await run(["unload", "idle"], settings);

  expect(downloaded).toMatchObject({ code: 0, stdout: "Downloaded missing-generic-cpu:1\n" });
  expect(downloaded.stderr).toContain("Downloading missing-generic-cpu:1");
  expect(again.stdout).toBe("Downloaded already: missing-generic-cpu:1\n");
  expect(loaded.stdout).toMatch(/^Loaded idle-generic-cpu:1 in /);
  expect(loadedAgain.stdout).toBe("Loaded already: idle-generic-cpu:1\n");
  expect(unloaded).toMatchObject({ code: 0, stdout: "Unloaded idle-generic-cpu:1\n" });
  const loads = simulator.requests.filter(({ path }) => path.startsWith("/models/load/missing"));
  expect(loads).toEqual([]);
});

test.for([
  [["download"], 2, "takes the name of one model"],
  [["load", "a", "b"], 2, "takes the name of one model"],
  [["models", "x"], 2, "takes no argument"],
  [["load", "tiney"], 4, "main.js models`"],
  [["load", "missing"], 4, "main.js download missing`"],
  [["load", "idle", "--device", "tpu"], 2, "cpu, gpu or npu"],
] as const)("%j is refused with a message and exit code %i", async ([args, code, words]) => {
  const { url } = await simulated({ ...ABLE, models: [...MODELS, MISSING, IDLE] });

  const ended = await run(args, { FOUNDRY_ENDPOINT: url });

  expect(ended).toMatchObject({ code, stdout: "" });
  expect(ended.stderr).toContain(words);
});

test.for([
  ["modles", "Did you mean models?"],
  ["aks", "Did you mean ask?"],
  ["Why is the sky blue?", 'main.js ask "Why is the sky blue?"`'],
])("the unknown command %j gets the advice %j", async ([name = "", words]) => {
  const { code, stderr } = await run([name]);
  expect(code).toBe(2);
  expect(stderr).toContain(words);
});

/** A real terminal of 80 columns, where util-linux has one. */
const SCRIPT = "/usr/bin/script";
function onTerminal(command: string, settings: Record<string, string> = {}): string {
  return execFileSync(SCRIPT, ["-qec", `stty cols 80; ${command}`, "/dev/null"], {
    encoding: "utf8",
    env: { ...environmentWith(settings), TERM: "xterm" },
    input: "",
  });
}

test.skipIf(process.platform !== "linux" || !existsSync(SCRIPT))(
  "a call without arguments on a terminal prints what to type",
  () => {
    const output = onTerminal(`"${process.execPath}" "${MAIN}"`);

    expect(output.trim().split("\n")).toHaveLength(1);
    expect(output).toContain("main.js help`");
  },
);
