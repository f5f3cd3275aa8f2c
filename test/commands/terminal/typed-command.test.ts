import { expect, it } from "vitest";
import { type StartedFrom, typedCommand } from "../../../src/commands/terminal/typed-command.js";

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
    "npx -y foundry-local-mcp",
  ],
  [from("linux", "/src/foundry-local-mcp/", "/src/foundry-local-mcp"), "node dist/main.js"],
  [from("linux", "/src/foundry-local-mcp/", "/home/j"), "node /src/foundry-local-mcp/dist/main.js"],
  [from("darwin", "/Users/j/my code/", "/"), 'node "Users/j/my code/dist/main.js"'],
  [from("win32", "C:\\src\\pkg\\", "C:\\src\\pkg"), "node dist\\main.js"],
  [from("win32", "C:\\my src\\pkg\\", "D:\\"), 'node "C:\\my src\\pkg\\dist\\main.js"'],
])("the executable of %o is typed as %j", (started, typed) => {
  expect(typedCommand(started)).toBe(typed);
});
