import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { type Simulator, startSimulator } from "foundry-local-simulator";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import manifest from "../../package.json" with { type: "json" };
import { TYPED_COMMANDS } from "../../src/commands/command-line.js";
import { typedCommand } from "../../src/commands/typed-command.js";
import { Executable, environmentWith, MAIN, run, type Settings } from "../e2e/executable.js";
import { temporaryFolder } from "../temporary-folder.js";
import {
  anchorsOf,
  blocksOf,
  commandsOf,
  linksOf,
  namedCommandsOf,
  PAGES,
  page,
  ROOT,
} from "./markdown.js";

const exec = promisify(execFile);
const isWindows = process.platform === "win32";

const README = page("README.md");
const INSTALL = page("docs/install.md");
const MOST_WORDS = 1500;

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ models: [{ id: "tiny:1", loaded: true }] });
});
afterAll(() => simulator?.close());

test(`README.md has at most ${MOST_WORDS} words`, () => {
  const words = README.text.split(/\s+/).filter((word) => word !== "");

  expect(words.length).toBeLessThanOrEqual(MOST_WORDS);
});

test("the demo and the tests are the first commands of README.md", () => {
  const first = commandsOf(README).slice(0, 2);

  expect(first).toEqual(["npm run demo", "npm cit"]);
});

test.each(PAGES)("each link of $path leads to a file and a heading", (from) => {
  const broken = linksOf(from).filter((target) => {
    if (/^https?:/.test(target)) return false;
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? from.path : normalize(join(dirname(from.path), path));
    if (!existsSync(join(ROOT, file))) return true;
    return anchor !== undefined && !anchorsOf(page(file)).includes(anchor);
  });

  expect(broken).toEqual([]);
});

/** Commands that no test can run here, and why. */
const NOT_RUN: readonly (readonly [RegExp, string])[] = [
  [/^winget /, "Windows has it, and it installs"],
  [/^brew /, "macOS has it, and it installs"],
  [/^foundry /, "the command line of Foundry Local"],
  [/^npm cit$/, "it installs, then runs this test"],
  [/^npm(\.cmd)? run build$/, "it writes the dist/ that the tests run"],
  [
    /^npm(\.cmd)? run bundle$/,
    "it downloads the packer; test/clients/bundle.test.ts does the same",
  ],
  [/^npm pack$/, "it writes into this folder; test/package/pack.long.test.ts packs elsewhere"],
  [
    /^npm install -g /,
    "it installs for the whole machine; test/package/pack.long.test.ts installs the file",
  ],
  [/^npm install .*foundry-local-sdk$/, "it downloads some hundred MB"],
  [/^npx(\.cmd)? .*foundry-local-mcp/, "the package is not published"],
];
const OWN = /^(?:.* \| )?(?:node dist\/main\.js|foundry-local-mcp) /;
const EXAMPLE = /^node (examples\/.*)$/;

const WITH_COMMANDS = [
  README,
  INSTALL,
  ...["docs/commands.md", "docs/simulator.md", "docs/troubleshooting.md"].map(page),
  ...["examples/README.md", "packages/simulator/README.md"].map(page),
];
const COMMANDS = [
  ...new Set([...WITH_COMMANDS.flatMap(commandsOf), ...namedCommandsOf(README)]),
].filter((line) => !NOT_RUN.some(([pattern]) => pattern.test(line)));

describe("a command of the pages", () => {
  test.each(COMMANDS)("%s runs", async (line) => {
    if (/^npm(\.cmd)? ci$/.test(line)) {
      // Check only the lock file, as the packages are in use.
      await exec("npm", ["ci", "--dry-run", "--offline"], { cwd: ROOT, shell: isWindows });
    } else if (line.startsWith("npm ")) {
      const script: string = Reflect.get(manifest.scripts, line.replace(/^npm run /, "")) ?? "";
      const [build, own = ""] = script.split(" && ");
      expect(build).toBe("npm run build");
      await expectToRun(argumentsIn(own));
    } else if (line.startsWith("claude mcp add")) {
      const [, started = ""] = line.split(" -- ");
      const [command = "", ...args] = started.split(" ");
      expect(await toolsOf({ command, args })).toContain("complete");
    } else if (EXAMPLE.test(line)) {
      const [, file = ""] = /^node (\S+)/.exec(line) ?? [];
      await exec(process.execPath, [file, simulator.url], { cwd: ROOT });
    } else {
      expect(line).toMatch(OWN);
      await expectToRun(argumentsIn(line.replace(/^.* \| /, "")));
    }
  });

  test.each(NOT_RUN)("%s is still in a page (not run: %s)", (pattern) => {
    const all = [...WITH_COMMANDS.flatMap(commandsOf), ...namedCommandsOf(README)];

    expect(all.filter((line) => pattern.test(line))).not.toEqual([]);
  });

  test("works in PowerShell 5.1, which has no && and may refuse npm.ps1", () => {
    const windows = [README, INSTALL].flatMap(({ path, text }) => {
      const section = /^### Windows$[\s\S]*?(?=^### )/m.exec(text)?.[0] ?? "";
      return commandsOf({ path, text: section });
    });

    expect(windows.length).toBeGreaterThan(6);
    expect(windows.filter((line) => /^(npm|npx) |&&|\|\|| 2>|export |\$\(/.test(line))).toEqual([]);
    expect(COMMANDS.filter((line) => line.includes("&&"))).toEqual([]);
  });
});

/** The arguments behind the program. */
const argumentsIn = (command: string): string[] =>
  [...command.replace(OWN, "").matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);

/** Runs this executable as a page says, with the folder and the port of this test. */
async function expectToRun(given: readonly string[]): Promise<void> {
  const home = await temporaryFolder("foundry-local-mcp-readme-");
  const settings = { ...homeSettings(home), FOUNDRY_ENDPOINT: simulator.url };
  if (given[0] === "simulate") {
    const places = new Map([
      ["5273", "0"],
      ["./simulated", join(home, "simulated")],
      ["answers.json", join(ROOT, "examples", "answers.json")],
    ]);
    const simulating = new Executable(
      given.map((arg) => places.get(arg) ?? arg),
      settings,
    );
    onTestFinished(() => simulating.destroy());
    await simulating.when(
      "its URL",
      () => /^http:.*\n/.exec(simulating.stdout) ?? undefined,
      30_000,
    );
    return;
  }
  // Without a terminal there is no question, and there is only one model to measure.
  const args =
    given[0] === "setup"
      ? [...given, "--dry-run"]
      : given[0] === "bench"
        ? ["bench", "tiny", "--rounds", "1", "--tokens", "16"]
        : given;

  const { code, stdout, stderr } = await run(args, settings);

  expect({ code, hasOutput: stdout !== "" }, stderr).toEqual({ code: 0, hasOutput: true });
}

const homeSettings = (home: string): Settings => ({
  HOME: home,
  USERPROFILE: home,
  APPDATA: join(home, "AppData", "Roaming"),
  XDG_CONFIG_HOME: join(home, ".config"),
  CLAUDE_CONFIG_DIR: "",
  CODEX_HOME: "",
  COPILOT_HOME: "",
});

const hostFile = z.object({ mcpServers: z.record(z.string(), z.unknown()) });
const codeFile = z.object({ servers: z.record(z.string(), z.unknown()) });
const entry = z.object({ command: z.string(), args: z.array(z.string()) });
type Entry = z.output<typeof entry>;

const configurations = [README, INSTALL, page("docs/settings.md")].flatMap((of) =>
  blocksOf(of)
    .filter(({ language }) => language === "json")
    .map(({ text }, index) => ({ name: `${of.path}, ${index + 1}`, text })),
);

test.each(configurations)(
  "the configuration of a host in $name starts the server",
  async ({ text }) => {
    const parsed = z.union([hostFile, codeFile]).parse(JSON.parse(text));
    const servers = "servers" in parsed ? parsed.servers : parsed.mcpServers;

    expect(Object.keys(servers)).toEqual(["foundry-local"]);
    expect(await toolsOf(entry.parse(servers["foundry-local"]))).toContain("complete");
  },
);

test.each(PAGES)(
  "each npx line of $path says that the package is not published yet",
  ({ text }) => {
    const paragraphs = text.split(/\n\s*\n|\n(?=- )/);
    const unmarked = paragraphs.filter(
      (paragraph) =>
        /npx (--yes |-y )?foundry-local-mcp/.test(paragraph) && !/publish/.test(paragraph),
    );

    expect(unmarked).toEqual([]);
  },
);

test.each(WITH_COMMANDS)("$path names commands as they are typed in this folder", ({ text }) => {
  const names = TYPED_COMMANDS.join("|");
  const installed = new RegExp(`foundry-local-mcp (?:${names}|help|version)\\b`);
  const paragraphs = text.split(/\n\s*\n|\n(?=- )/);

  for (const platform of ["win32", "darwin", "linux"] as const) {
    const cwd = platform === "win32" ? "C:\\package" : "/package";
    expect(typedCommand({ packageFolder: cwd, cwd, platform })).toBe("node dist/main.js");
  }
  expect(
    paragraphs.filter((each) => installed.test(each) && !/publish|installed globally/.test(each)),
  ).toEqual([]);
});

test("the recorded demo shows this version", () => {
  expect(page("docs/demo.svg").text).toContain(`foundry-local-mcp ${manifest.version} started`);
});

/** The tools of a server that is started as a page says, with the paths and addresses of this test. */
async function toolsOf({ command, args }: Entry): Promise<string[]> {
  expect(command).toBe("node");
  const client = new Client({ name: "e2e", version: "1" });
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: args.map((arg) =>
        arg.endsWith("/dist/main.js") ? MAIN : arg.startsWith("http") ? simulator.url : arg,
      ),
      env: environmentWith({ FOUNDRY_ENDPOINT: simulator.url }),
      stderr: "inherit",
    }),
  );
  try {
    return (await client.listTools()).tools.map(({ name }) => name);
  } finally {
    await client.close();
  }
}
