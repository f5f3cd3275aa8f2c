import { expect, it } from "vitest";
import { asTyped, type StartedFrom, typedCommand } from "../../../src/commands/typed-command.js";

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
