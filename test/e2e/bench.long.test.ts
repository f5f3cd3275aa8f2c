import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Simulator, SimulatorOptions } from "foundry-local-simulator";
import { expect, onTestFinished, test } from "vitest";
import type { BenchReport } from "../../src/commands/bench/report.js";
import { jsonFrom } from "../../src/lib/index.js";
import { temporaryFolder } from "../temporary-folder.js";
import { Executable, run } from "./executable.js";
import { simulated } from "./simulated.js";

const isWindows = process.platform === "win32";
const MODEL = "bench-generic-cpu:1";

/** A service whose text says that it is simulated, with one model that is not loaded. */
const service = (options: SimulatorOptions = {}): Promise<Simulator> =>
  simulated({
    models: [{ id: MODEL, alias: "bench" }],
    tokensPerSecond: 400,
    firstTokenMs: 10,
    ...options,
  });

const QUICK = ["--rounds", "1", "--tokens", "32"];

async function reported(url: string, args: readonly string[] = ["bench"]) {
  const outcome = await run(["bench", ...args, ...QUICK, "--json", "--endpoint", url]);
  const report = jsonFrom(outcome.stdout) as BenchReport;
  return { ...outcome, report };
}

test.for(["S", "C1", "C2", "openai"] as const)(
  "bench measures a model on %s, and restores which models are loaded",
  async (dialect) => {
    const simulator = await service({ dialect });
    const name = dialect === "openai" ? MODEL : "bench";

    const { code, report, stderr } = await reported(simulator.url, [name]);

    expect(code, stderr).toBe(0);
    const [model] = report.models;
    expect(model?.model.startsWith("bench-generic-cpu")).toBe(true);
    expect(
      model?.cases.map((each) => [each.prompt, each.at_once, each.answers, each.failed]),
    ).toEqual(
      ["short", "long"].flatMap((prompt) => [1, 2, 4].map((atOnce) => [prompt, atOnce, atOnce, 0])),
    );
    for (const each of model?.cases ?? []) {
      expect(each.first_token_ms?.median).toBeGreaterThan(0);
      expect(each.total_tokens_per_second?.median).toBeGreaterThan(0);
    }
    expect(report.concurrency.value).toEqual(expect.any(Number));
    if (dialect === "openai") {
      expect(model?.load).toEqual({ ms: null, status: "by_service", unloaded: false });
      return;
    }
    expect(model?.load).toEqual({ ms: expect.any(Number), status: "measured", unloaded: true });
    expect(simulator.loaded).toEqual([]);
  },
);

test("bench requests as many concurrent answers as it reports", async () => {
  // Without it, the client would send requests to this service one after the other.
  const simulator = await service({ dialect: "C1" });
  const isChat = ({ path }: { readonly path: string }) => path.endsWith("/chat/completions");
  const four = simulator.waitFor(({ requests }) => {
    const running = requests.filter((each) => isChat(each) && each.endedBy === null);
    return running.length === 4 || undefined;
  }, 50_000);

  await reported(simulator.url);

  await four;
  expect(simulator.requests.filter(isChat)).toHaveLength(2 + 2 * (1 + 2 + 4));
});

test("bench says in every output that the service is simulated", async () => {
  const { url } = await service();
  const folder = await temporaryFolder("bench-");
  const file = join(folder, "report.html");

  const { report } = await reported(url);
  const { stdout, stderr, code } = await run([
    ...["bench", "bench", ...QUICK, "--html", file],
    ...["--endpoint", url],
  ]);

  expect(code, stderr).toBe(0);
  expect(report.simulated).toBe(true);
  expect(stdout).toContain("SIMULATED");
  expect(await readFile(file, "utf8")).toContain("SIMULATED");
});

test("bench leaves a model loaded that was loaded before", async () => {
  const simulator = await service({ models: [{ id: MODEL, alias: "bench", loaded: true }] });

  const { report } = await reported(simulator.url, []);

  expect(report.models[0]?.load).toEqual({ ms: null, status: "already_loaded", unloaded: false });
  expect(report.models[0]?.not_measured[0]).toContain("The load: ");
  expect(simulator.loaded).toEqual([MODEL]);
});

test("bench downloads nothing, and measures the other models", async () => {
  const simulator = await service({
    models: [
      { id: MODEL, alias: "bench" },
      { id: "absent-generic-cpu:1", alias: "absent", downloaded: false },
    ],
    dialect: "S",
  });

  const { code, report } = await reported(simulator.url, ["absent", "bench"]);

  expect(code).toBe(1);
  expect(report.models.map(({ error }) => error?.code ?? null)).toEqual(["MODEL_NOT_CACHED", null]);
  expect(report.models[1]?.cases).toHaveLength(6);
  expect(simulator.requests.some(({ path }) => path.includes("download"))).toBe(false);
});

test("bench keeps to its time limit, and names what was not measured", async () => {
  const { url } = await service({ tokensPerSecond: 10 });

  const { code, report } = await reported(url, ["bench", "--minutes", "0.02"]);

  expect(code).toBe(0);
  expect(report.models[0]?.cases.length).toBeLessThan(6);
  expect(report.models[0]?.not_measured.join(" ")).toContain("--minutes");
});

test("bench takes minutes that are no whole number of milliseconds", async () => {
  const { url } = await service();
  // 4.1 * 60000 is 245999.99999999997.
  const { code, report } = await reported(url, ["bench", "--minutes", "4.1"]);

  expect(code).toBe(0);
  expect(report.models[0]?.error).toBeNull();
  expect(report.models[0]?.cases).toHaveLength(6);
});

test.for([
  ["an unknown flag", ["--quick"], 2],
  ["too many rounds", ["--rounds", "1000"], 2],
  ["a folder that does not exist", ["--html", join("no", "such", "folder.html")], 2],
  ["a model that does not exist", ["nothing-like-it"], 4],
] as const)("bench ends at once with the exit code of %s", async ([, args, expected]) => {
  const simulator = await service();

  const { code, stderr } = await run(["bench", ...args, "--endpoint", simulator.url]);

  expect(code, stderr).toBe(expected);
  expect(stderr).not.toContain("    at ");
  expect(simulator.requests.some(({ path }) => path.endsWith("/chat/completions"))).toBe(false);
});

test("bench replaces a file only once it has a report", async () => {
  const simulator = await service();
  await simulator.stop();
  const file = join(await temporaryFolder("bench-"), "report.html");
  await writeFile(file, "before");

  const { code } = await run(["bench", "--html", file, "--endpoint", simulator.url]);

  expect(code).toBe(3);
  expect(await readFile(file, "utf8")).toBe("before");
});

test.skipIf(isWindows)(
  "bench ends with 130 at Ctrl+C, and unloads the model that it loaded",
  async () => {
    const simulator = await service({ tokensPerSecond: 5 });
    const bench = new Executable(["bench", "bench", "--endpoint", simulator.url]);
    onTestFinished(() => bench.destroy());
    await simulator.waitFor(
      ({ requests }) =>
        requests.find(
          ({ path, tokensSent }) => path.endsWith("/chat/completions") && tokensSent > 1,
        ),
      50_000,
    );

    bench.signal("SIGINT");
    const { code } = await bench.ended;

    expect({ code, stdout: bench.stdout }).toEqual({ code: 130, stdout: "" });
    expect(bench.stderr).not.toContain("    at ");
    expect(simulator.loaded).toEqual([]);
  },
);

test.skipIf(isWindows)(
  "bench ends with 130 at Ctrl+C while a model is loaded, and says how to unload it",
  async () => {
    const simulator = await service({ loadMs: 600_000 });
    const bench = new Executable(["bench", "bench", "--endpoint", simulator.url]);
    onTestFinished(() => bench.destroy());
    await simulator.waitFor(({ requests }) =>
      requests.find(({ path }) => path.startsWith("/models/load/")),
    );

    bench.signal("SIGINT");
    const { code } = await bench.ended;

    expect({ code, stdout: bench.stdout }).toEqual({ code: 130, stdout: "" });
    expect(bench.stderr).toMatch(/No service can stop a load.* unload bench/s);
  },
);
