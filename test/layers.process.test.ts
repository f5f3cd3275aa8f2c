import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { removeFolder } from "./temporary-folder.js";

const importing = (...paths: readonly string[]): string =>
  paths.map((path) => `export * from ${JSON.stringify(path)};\n`).join("");

/** An importing layer, what it must not import, a file of the layer, and the path that it would import. */
const FORBIDDEN = [
  ["lib", "the platform", "src/lib/a.ts", "../platform/index.js"],
  ["the platform", "foundry", "src/platform/a.ts", "../foundry/index.js"],
  ["the platform", "files", "src/platform/b.ts", "../files/index.js"],
  ["files", "http", "src/files/a.ts", "../http/index.js"],
  ["foundry", "files", "src/foundry/b.ts", "../files/index.js"],
  ["http", "foundry", "src/http/a.ts", "../foundry/index.js"],
  ["foundry", "jobs", "src/foundry/dialects/legacy/a.ts", "../../../jobs/index.js"],
  ["jobs", "mcp", "src/jobs/queue/a.ts", "../../mcp/index.js"],
  ["jobs", "the keeper", "src/jobs/b.ts", "../keeper/index.js"],
  ["jobs", "documents", "src/jobs/c.ts", "../documents/index.js"],
  ["documents", "mcp", "src/documents/a.ts", "../mcp/index.js"],
  ["the keeper", "documents", "src/keeper/b.ts", "../documents/index.js"],
  ["the keeper", "mcp", "src/keeper/a.ts", "../mcp/index.js"],
  ["mcp", "http", "src/mcp/a.ts", "../http/index.js"],
  ["a tool", "the SDK", "src/mcp/tools/a.ts", "@modelcontextprotocol/sdk/server/mcp.js"],
  ["foundry", "the simulator", "src/foundry/a.ts", "foundry-local-simulator"],
  ["the simulator", "the client", "packages/simulator/src/a.ts", "../../../src/foundry/index.js"],
  ["the executable", "foundry", "src/main.ts", "./foundry/index.js"],
] as const;

const ALLOWED = [
  ["files", "src/files/fine.ts", ["../lib/index.js", "../platform/index.js"]],
  ["http", "src/http/fine.ts", ["../lib/index.js", "./types.js"]],
  ["foundry", "src/foundry/fine.ts", ["../http/index.js", "./dialects/index.js"]],
  ["the keeper", "src/keeper/fine.ts", ["../jobs/index.js", "../foundry/index.js"]],
  ["documents", "src/documents/fine.ts", ["../jobs/index.js", "../foundry/index.js"]],
  ["mcp", "src/mcp/fine.ts", ["../jobs/index.js", "@modelcontextprotocol/sdk/types.js"]],
  ["a command", "src/commands/fine.ts", ["../mcp/index.js", "foundry-local-simulator"]],
] as const;

/** Files of an invented layer, imported past its index and in a cycle. */
const ROOM = [
  ["src/foundry/room/index.ts", 'export { inner } from "./inner.js";\n'],
  ["src/foundry/room/inner.ts", "export const inner = 1;\n"],
  ["src/foundry/past.ts", 'import { inner } from "./room/inner.js";\nexport const past = inner;\n'],
  [
    "src/foundry/first.ts",
    'import type { Second } from "./second.js";\nexport type First = Second[];\n',
  ],
  [
    "src/foundry/second.ts",
    'import type { First } from "./first.js";\nexport type Second = First[];\n',
  ],
] as const;

const DEFECTS = [
  [
    "a promise that is not awaited",
    "noFloatingPromises",
    'import { work } from "./work.js";\nexport function idle(): void {\n  work();\n}\n',
  ],
  ["console", "noConsole", "console.log(1);\n"],
  ["any", "noExplicitAny", "export const x: any = 1;\n"],
  ["an assertion against null", "noNonNullAssertion", "export const x = [1][0]!;\n"],
] as const;

/** The output of the linter, in a temporary project, so that nothing is written into this one. */
let said: readonly string[];

beforeAll(async () => {
  const files = [
    ...FORBIDDEN.map(([, , file, path]) => [file, importing(path)] as const),
    ...ALLOWED.map(([, file, paths]) => [file, importing(...paths)] as const),
    ...DEFECTS.map(([, rule, text]) => [`src/http/${rule}.ts`, text] as const),
    ...ROOM,
    ["src/http/work.ts", "export async function work(): Promise<void> {}\n"] as const,
  ];
  const project = await mkdtemp(join(tmpdir(), "layers-"));
  for (const file of ["biome.json", ".gitignore"]) {
    await copyFile(fileURLToPath(new URL(`../${file}`, import.meta.url)), join(project, file));
  }
  for (const [file, text] of files) {
    await mkdir(dirname(join(project, file)), { recursive: true });
    await writeFile(join(project, file), text);
  }
  const biome = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome");
  const flags = ["lint", "--reporter=github", "--colors=off", "--max-diagnostics=none", "."];
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [biome, ...flags], { cwd: project }, (_error, stdout) =>
      resolve(stdout),
    );
  });
  said = output.split("\n").filter((line) => line.startsWith("::error "));
  await removeFolder(project);
}, 60_000);

/** The rules that a file breaks. */
const brokenBy = (file: string): string[] =>
  said
    .filter((line) => line.replaceAll("\\", "/").includes(`/${file},`))
    .map((line) => /title=lint\/\w+\/(\w+)/.exec(line)?.[1] ?? line);

describe("the linter", () => {
  it.each(FORBIDDEN)("forbids %s to import %s", (_layer, _other, file) => {
    expect(brokenBy(file)).toEqual(["noRestrictedImports"]);
  });

  it.each(ALLOWED)("lets %s import a lower layer through its index", (_layer, file) => {
    expect(brokenBy(file)).toEqual([]);
  });

  it("forbids an import past the index of a folder", () => {
    expect(brokenBy("src/foundry/past.ts")).toEqual(["noPrivateImports"]);
  });

  it("forbids import cycles, types included", () => {
    expect(brokenBy("src/foundry/first.ts")).toEqual(["noImportCycles"]);
  });

  it.each(DEFECTS)("refuses %s", (_what, rule) => {
    expect(brokenBy(`src/http/${rule}.ts`)).toEqual([rule]);
  });
});
