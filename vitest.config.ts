import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Which project a test file belongs to is seen from its path. CONTRIBUTING.md says it in words. */
const PROCESSES = ["test/e2e/**", "test/package/**", "{test,packages/*/test}/**/*.process.test.ts"];
/** What takes long or repeats across services; beside what it tests, or in a folder of its own. */
const LONG = ["test/long/**", "{test,packages/*/test}/**/*.long.test.ts"];
const REAL = "test/real/**";
const CLIENTS = "test/clients/**";
const HOSTS = "test/hosts/**";
const FAULTS = "test/faults/matrix.test.ts";

/** For projects whose workers are used for several files. */
const SETTLED = "test/settled-imports.ts";

/**
 * These take longest. Without durations of an earlier run vitest starts the largest files first, and some of
 * these are small: the last of them would run alone.
 */
const LONGEST = [
  "packages/simulator/test/replay.test.ts",
  "test/e2e/download-c2.long.test.ts",
  "test/e2e/download-question.long.test.ts",
  "test/e2e/host-limits.long.test.ts",
  "test/e2e/keeper.long.test.ts",
  "test/e2e/main-job.long.test.ts",
  "test/e2e/main-job.test.ts",
  "test/e2e/streamable-http.test.ts",
  "test/foundry/completion/while-loading.test.ts",
  "test/foundry/downloads/download-lock.long.test.ts",
  "test/foundry/downloads/download-method.process.test.ts",
  "test/foundry/loading/serial-loads.test.ts",
  "test/http/limits.test.ts",
  "test/keeper/keeper.test.ts",
  "test/long/download-s.test.ts",
  "test/long/fuzz/replies.test.ts",
  "test/long/fuzz/stdin.test.ts",
];
for (const path of LONGEST) {
  if (!existsSync(new URL(path, import.meta.url))) throw new Error(`No test file ${path}.`);
}

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLongest = ({ moduleId }: TestSpecification): boolean =>
      LONGEST.some((path) => moduleId.endsWith(`/${path}`));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLongest), ...sorted.filter((file) => !isLongest(file))];
  }
}

/**
 * On two cores: most of these tests wait for sockets and processes rather than compute. On Windows a process
 * takes longer to start.
 */
const WORKERS = process.platform === "win32" ? 5 : 9;

/** A limit that is generous on a loaded machine: only a test that hangs meets it. */
const GENEROUS = {
  testTimeout: 180_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 60_000 } },
};

export default defineConfig({
  resolve: {
    alias: {
      // Where the link in node_modules leads; wine does not know that it is a link.
      "foundry-local-simulator": fileURLToPath(
        new URL("packages/simulator/src/index.ts", import.meta.url),
      ),
    },
  },
  test: {
    // What was transformed is kept between runs, a tenth of the CPU time of "npm test". Two workers that write
    // the same file at once fail on Windows.
    experimental: { fsModuleCache: process.platform !== "win32" },
    globalSetup: "test/homes.ts",
    sequence: { sequencer: LongestFirst },
    // `npm run test:coverage` turns it on. Child processes are not measured.
    coverage: { provider: "v8", include: ["src/**"], reporter: ["text", "html"] },
    projects: [
      {
        extends: true,
        test: {
          ...GENEROUS,
          name: "unit",
          include: ["{test,packages/*/test}/**/*.test.ts"],
          exclude: [...PROCESSES, ...LONG, REAL, CLIENTS, HOSTS, FAULTS],
          setupFiles: ["test/no-processes.ts", SETTLED],
          // The modules are evaluated once for a worker: that is most of what these tests cost. A
          // test keeps its state in what it makes, and changes no global without putting it back.
          isolate: false,
          maxWorkers: WORKERS,
        },
      },
      {
        extends: true,
        test: {
          ...GENEROUS,
          name: "e2e",
          include: PROCESSES.map((path) => path.replace(/\*\*$/, "**/*.test.ts")),
          exclude: [...LONG, REAL, CLIENTS, HOSTS],
          isolate: false,
          setupFiles: [SETTLED],
          maxWorkers: WORKERS,
        },
      },
      {
        extends: true,
        test: {
          ...GENEROUS,
          name: "long",
          include: LONG.map((path) => path.replace(/\*\*$/, "**/*.test.ts")),
          testTimeout: 240_000,
          // Under wine a worker that is used again may die.
          isolate: process.platform === "win32",
          setupFiles: [SETTLED],
          maxWorkers: process.platform === "win32" ? 4 : 6,
          // By itself: vitest runs projects of different numbers of workers one after the other.
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        // All faults of all operations; a fixed sample of it is in "long".
        test: {
          name: "faults",
          include: [FAULTS],
          testTimeout: 300_000,
        },
      },
      {
        extends: true,
        // Real MCP clients. The first run installs them, which takes minutes.
        test: {
          name: "clients",
          include: ["test/clients/**/*.test.ts"],
          testTimeout: 900_000,
          maxConcurrency: 3,
          fileParallelism: false,
          // Programs of others, with time limits of their own that a loaded machine may pass.
          retry: 1,
        },
      },
      {
        extends: true,
        // Real command lines. The first run installs them, which takes minutes.
        test: {
          name: "hosts",
          include: ["test/hosts/**/*.test.ts"],
          testTimeout: 900_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        // The end-to-end suite against the real services, one after the other on two cores.
        test: {
          name: "real",
          include: ["test/real/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
