import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { type Simulator, startSimulator } from "foundry-local-simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import manifest from "../../package.json" with { type: "json" };
import { environmentWith, MAIN, run, type Settings } from "../e2e/executable.js";
import { temporaryFolder } from "../temporary-folder.js";
import { anchorsOf, blocksOf, commandsOf, linksOf, PAGES, page, ROOT } from "./markdown.js";

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
  const first = commandsOf(README).slice(0, 3);

  expect(first).toEqual(["npm ci", "npm run demo", "npm test"]);
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

describe("a command of README.md or docs/install.md", () => {
  const commands = [...new Set([README, INSTALL].flatMap(commandsOf))];

  test.each(commands.filter((line) => /^npm(\.cmd)? run /.test(line)))("%s exists", (line) => {
    expect(Object.keys(manifest.scripts)).toContain(line.split(" ")[2]);
  });

  test.each(commands.filter((line) => line.startsWith("node dist/main.js")))(
    "%s runs",
    async (line) => {
      const words = [...line.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
      const args = words.slice(2);
      const home = await temporaryFolder("foundry-local-mcp-readme-");

      const { code, stdout, stderr } = await run(
        // There is no terminal to ask on.
        args[0] === "setup" ? [...args, "--dry-run"] : args,
        { ...homeSettings(home), FOUNDRY_ENDPOINT: simulator.url },
      );

      expect({ code, hasOutput: stdout !== "" }, stderr).toEqual({ code: 0, hasOutput: true });
    },
  );

  test.each(commands.filter((line) => line.startsWith("claude mcp add")))(
    "%s names a server that starts",
    async (line) => {
      const [, started = ""] = line.split(" -- ");
      const [command = "", ...args] = started.split(" ");

      expect(await toolsOf({ command, args })).toContain("complete");
    },
  );

  test("works in PowerShell 5.1, which has no && and may refuse npm.ps1", () => {
    const windows = [README, INSTALL].flatMap(({ path, text }) => {
      const section = /^### Windows$[\s\S]*?(?=^### )/m.exec(text)?.[0] ?? "";
      return commandsOf({ path, text: section });
    });

    expect(windows.length).toBeGreaterThan(6);
    expect(windows.filter((line) => /^(npm|npx) |&&|\|\|| 2>|export |\$\(/.test(line))).toEqual([]);
    expect(commands.filter((line) => line.includes("&&"))).toEqual([]);
  });
});

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

test("the recorded demo is of this version", () => {
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
