import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { asTyped, type StartedFrom, typedCommand } from "../../../src/commands/typed-command.js";
import { temporaryFolder } from "../../temporary-folder.js";

const from = (
  platform: StartedFrom["platform"],
  packageFolder: string,
  cwd: string,
): StartedFrom => ({ platform, packageFolder, cwd });

it.each([
  [from("linux", "/usr/lib/node_modules/foundry-local-mcp/", "/"), "foundry-local-mcp"],
  [
    from("win32", "C:\\Users\\J\\AppData\\Roaming\\npm\\node_modules\\foundry-local-mcp\\", "C:\\"),
    "foundry-local-mcp",
  ],
  [
    from("linux", "/home/j/.npm/_npx/a1/node_modules/foundry-local-mcp/", "/"),
    "npx --yes foundry-local-mcp",
  ],
  [from("linux", "/src/foundry-local-mcp/", "/src/foundry-local-mcp"), "node dist/main.js"],
  [from("linux", "/src/foundry-local-mcp/", "/home/j"), "node /src/foundry-local-mcp/dist/main.js"],
  [from("darwin", "/Users/j/my code/", "/"), 'node "Users/j/my code/dist/main.js"'],
  [from("win32", "C:\\src\\pkg\\", "C:\\src\\pkg"), "node dist/main.js"],
  [from("win32", "C:\\my src\\pkg\\", "D:\\"), 'node "C:\\my src\\pkg\\dist\\main.js"'],
])("the executable of %o is typed as %j", (started, typed) => {
  expect(typedCommand(started)).toBe(typed);
});

it("is typed behind npx in the project that it is installed in", async () => {
  const project = await temporaryFolder("project-");
  await writeFile(join(project, "package.json"), "{}");
  const packageFolder = join(project, "node_modules", "foundry-local-mcp");
  const typedIn = (cwd: string): string =>
    typedCommand({ packageFolder, cwd, platform: process.platform });
  expect(typedIn(project)).toBe("npx foundry-local-mcp");
  expect(typedIn(join(project, "src"))).toBe("npx foundry-local-mcp");
  // Some package managers keep what is installed globally in a project of their own.
  expect(typedIn(join(project, ".."))).toBe("foundry-local-mcp");
});

it.each([
  ["Run `foundry-local-mcp models`.", "Run `node dist/main.js models`."],
  ["Usage: foundry-local-mcp [command] [flags]", "Usage: node dist/main.js [command] [flags]"],
  ["see foundry-local-mcp --help.", "see node dist/main.js --help."],
  ["foundry-local-mcp serves MCP at http://127.0.0.1", null],
  ["foundry-local-mcp 0.1.0 started", null],
  ["foundry-local-mcp failed: x", null],
])("the commands in %j are shown as a user types them", (text, wanted) => {
  expect(asTyped(text)).toBe(wanted ?? text);
});
