import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";

const importing = (...paths: readonly string[]): string =>
  paths.map((path) => `export * from ${JSON.stringify(path)};\n`).join("");

/** Who must not import what: a file of that layer, and the path that it would import. */
const FORBIDDEN = [
  ["http", "foundry", "src/http/a.ts", "../foundry/index.js"],
  ["http", "the SDK", "src/http/b.ts", "@modelcontextprotocol/sdk/types.js"],
  ["foundry", "mcp", "src/foundry/a.ts", "../mcp/index.js"],
  ["foundry", "the simulator", "src/foundry/b.ts", "../simulator/index.js"],
  ["foundry", "http past its door", "src/foundry/c.ts", "../http/transport.js"],
  ["foundry", "its dialects past their door", "src/foundry/d.ts", "./dialects/core2.js"],
  ["a part of foundry", "mcp", "src/foundry/dialects/a.ts", "../../mcp/index.js"],
  ["a part of foundry", "http past its door", "src/foundry/dialects/b.ts", "../../http/body.js"],
  ["a part of foundry", "another's files", "src/foundry/completion/a.ts", "../models/resolve.js"],
  ["mcp", "http", "src/mcp/a.ts", "../http/index.js"],
  ["mcp", "foundry past its door", "src/mcp/b.ts", "../foundry/client.js"],
  ["a tool", "the SDK", "src/mcp/tools/a.ts", "@modelcontextprotocol/sdk/server/mcp.js"],
  ["a tool", "foundry past its door", "src/mcp/tools/b.ts", "../../foundry/service.js"],
  ["the simulator", "foundry", "src/simulator/a.ts", "../foundry/index.js"],
  ["the simulator", "http", "src/simulator/wire/a.ts", "../../http/index.js"],
  ["its depths", "foundry", "src/simulator/dialects/c2/a.ts", "../../../foundry/index.js"],
  ["a test of the simulator", "foundry", "test/simulator/a.test.ts", "../../src/foundry/index.js"],
  ["a command", "http", "src/commands/a.ts", "../http/index.js"],
  ["a command", "mcp past its door", "src/commands/b.ts", "../mcp/tool.js"],
  ["what all layers share", "http", "src/config.ts", "./http/index.js"],
  ["the library's face", "mcp", "src/index.ts", "./mcp/index.js"],
  ["the executable", "foundry", "src/main.ts", "./foundry/index.js"],
  ["what knows the system", "foundry", "src/platform/a.ts", "../foundry/index.js"],
] as const;

const ALLOWED = [
  ["http", "src/http/fine.ts", ["../errors.js", "./types.js"]],
  ["foundry", "src/foundry/fine.ts", ["../http/index.js", "./dialects/index.js"]],
  ["a dialect", "src/foundry/dialects/fine.ts", ["../../http/index.js", "./failures.js"]],
  ["mcp", "src/mcp/fine.ts", ["../foundry/index.js", "@modelcontextprotocol/sdk/types.js"]],
  ["a tool", "src/mcp/tools/fine.ts", ["../../foundry/index.js", "../tool.js"]],
  ["the simulator", "src/simulator/fine.ts", ["./wire/wire.js"]],
  ["a command", "src/commands/fine.ts", ["../mcp/index.js", "../simulator/index.js"]],
] as const;

const DEFECTS = [
  [
    "a promise that nobody waits for",
    "noFloatingPromises",
    'import { work } from "./work.js";\nexport function idle(): void {\n  work();\n}\n',
  ],
  ["console", "noConsole", "console.log(1);\n"],
  ["any", "noExplicitAny", "export const x: any = 1;\n"],
  ["an assertion against null", "noNonNullAssertion", "export const x = [1][0]!;\n"],
] as const;

/** What the linter says, in a project of its own, so that nothing is written into ours. */
let said: readonly string[];

beforeAll(async () => {
  const files = [
    ...FORBIDDEN.map(([, , file, path]) => [file, importing(path)] as const),
    ...ALLOWED.map(([, file, paths]) => [file, importing(...paths)] as const),
    ...DEFECTS.map(([, rule, text]) => [`src/http/${rule}.ts`, text] as const),
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
  await rm(project, { recursive: true });
}, 60_000);

/** The rules that a file breaks. */
const brokenBy = (file: string): string[] =>
  said
    .filter((line) => line.replaceAll("\\", "/").includes(`/${file},`))
    .map((line) => /title=lint\/\w+\/(\w+)/.exec(line)?.[1] ?? line);

describe("the linter", () => {
  it.each(FORBIDDEN)("forbids %s to import %s", (_who, _what, file) => {
    expect(brokenBy(file)).toEqual(["noRestrictedImports"]);
  });

  it.each(ALLOWED)("lets %s import what lies below, through its door", (_who, file) => {
    expect(brokenBy(file)).toEqual([]);
  });

  it.each(DEFECTS)("refuses %s", (_what, rule) => {
    expect(brokenBy(`src/http/${rule}.ts`)).toEqual([rule]);
  });
});
