import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { describe, expect, it } from "vitest";
import { evidenceOf, HOSTS, hostsFor } from "../../../src/commands/setup/hosts.js";
import {
  ENTRY_NAME,
  flagsIn,
  isOurs,
  mainFileIn,
  mergedEntry,
  programOf,
} from "../../../src/commands/setup/server-command.js";
import { typedCommand } from "../../../src/commands/typed-command.js";
import type { Machine } from "../../../src/platform/index.js";
import { temporaryFolder } from "../../temporary-folder.js";

const machine = (
  platform: Machine["platform"],
  environment: Machine["environment"] = {},
): Machine => ({
  platform,
  arch: "x64",
  environment,
  home: platform === "win32" ? "D:\\Profile\\Jürgen M" : "/home/jürgen m",
});

const filesOn = (platform: Machine["platform"], environment: Machine["environment"] = {}) =>
  Object.fromEntries(
    hostsFor({ platform }).map((host) => [
      host.platform === undefined
        ? `${host.id}${host.title.includes(".cache") ? " in .cache" : ""}`
        : `${host.id} of ${host.platform}`,
      host.file(machine(platform, environment)),
    ]),
  );

describe("the files of the hosts", () => {
  it("are known on Windows, with a profile on another drive", () => {
    expect(filesOn("win32", { APPDATA: "E:\\Roaming", LOCALAPPDATA: "E:\\Local" })).toEqual({
      "claude-desktop of win32":
        "E:\\Local\\Packages\\Claude_pzs8sxrjxfjjc\\LocalCache\\Roaming\\Claude\\claude_desktop_config.json",
      "claude-desktop": "E:\\Roaming\\Claude\\claude_desktop_config.json",
      "claude-code": "D:\\Profile\\Jürgen M\\.claude.json",
      vscode: "E:\\Roaming\\Code\\User\\mcp.json",
      "vscode-insiders": "E:\\Roaming\\Code - Insiders\\User\\mcp.json",
      cursor: "D:\\Profile\\Jürgen M\\.cursor\\mcp.json",
      devin: "E:\\Roaming\\devin\\mcp_config.json",
      windsurf: "D:\\Profile\\Jürgen M\\.codeium\\windsurf\\mcp_config.json",
      zed: "E:\\Roaming\\Zed\\settings.json",
      "lm-studio in .cache": "D:\\Profile\\Jürgen M\\.cache\\lm-studio\\mcp.json",
      "lm-studio": "D:\\Profile\\Jürgen M\\.lmstudio\\mcp.json",
      goose: "E:\\Roaming\\Block\\goose\\config\\config.yaml",
      codex: "D:\\Profile\\Jürgen M\\.codex\\config.toml",
      "gemini-cli": "D:\\Profile\\Jürgen M\\.gemini\\settings.json",
      antigravity: "D:\\Profile\\Jürgen M\\.gemini\\config\\mcp_config.json",
      "copilot-cli": "D:\\Profile\\Jürgen M\\.copilot\\mcp-config.json",
      opencode: "D:\\Profile\\Jürgen M\\.config\\opencode\\opencode.json",
    });
    expect(filesOn("win32")["claude-desktop"]).toBe(
      "D:\\Profile\\Jürgen M\\AppData\\Roaming\\Claude\\claude_desktop_config.json",
    );
  });

  it("are known on macOS", () => {
    const support = "/home/jürgen m/Library/Application Support";
    expect(filesOn("darwin")).toEqual({
      "claude-desktop": `${support}/Claude/claude_desktop_config.json`,
      "claude-code": "/home/jürgen m/.claude.json",
      vscode: `${support}/Code/User/mcp.json`,
      "vscode-insiders": `${support}/Code - Insiders/User/mcp.json`,
      cursor: "/home/jürgen m/.cursor/mcp.json",
      devin: "/home/jürgen m/.config/devin/mcp_config.json",
      windsurf: "/home/jürgen m/.codeium/windsurf/mcp_config.json",
      zed: "/home/jürgen m/.config/zed/settings.json",
      "lm-studio in .cache": "/home/jürgen m/.cache/lm-studio/mcp.json",
      "lm-studio": "/home/jürgen m/.lmstudio/mcp.json",
      goose: "/home/jürgen m/.config/goose/config.yaml",
      codex: "/home/jürgen m/.codex/config.toml",
      "gemini-cli": "/home/jürgen m/.gemini/settings.json",
      antigravity: "/home/jürgen m/.gemini/config/mcp_config.json",
      "copilot-cli": "/home/jürgen m/.copilot/mcp-config.json",
      opencode: "/home/jürgen m/.config/opencode/opencode.json",
    });
  });

  it("are known on Linux, where the user has moved folders, too", () => {
    const moved = {
      XDG_CONFIG_HOME: "/cfg",
      CLAUDE_CONFIG_DIR: "/claude",
      CODEX_HOME: "/codex",
      COPILOT_HOME: "/copilot",
      GEMINI_CLI_HOME: "/gemini",
    };
    expect(filesOn("linux")).toMatchObject({
      "claude-desktop": "/home/jürgen m/.config/Claude/claude_desktop_config.json",
      vscode: "/home/jürgen m/.config/Code/User/mcp.json",
      zed: "/home/jürgen m/.config/zed/settings.json",
    });
    expect(filesOn("linux", moved)).toMatchObject({
      "claude-code": "/claude/.claude.json",
      vscode: "/cfg/Code/User/mcp.json",
      devin: "/cfg/devin/mcp_config.json",
      zed: "/cfg/zed/settings.json",
      goose: "/cfg/goose/config.yaml",
      codex: "/codex/config.toml",
      "copilot-cli": "/copilot/mcp-config.json",
      "gemini-cli": "/gemini/.gemini/settings.json",
      opencode: "/cfg/opencode/opencode.json",
    });
  });

  it("name the entry of Goose as its key, under which Goose writes changes", () => {
    const goose = HOSTS.find(({ id }) => id === "goose");
    const entry = goose?.entry({ command: "node", args: [], env: {} });
    expect(entry?.["name"]).toBe(ENTRY_NAME);
  });

  it("mark a host as installed by their folder", () => {
    const evidence = Object.fromEntries(
      HOSTS.map((host) => [host.id, evidenceOf(host, machine("linux"))]),
    );
    expect(evidence["cursor"]).toBe("/home/jürgen m/.cursor");
    // Its file lies in the home, which is always there.
    expect(evidence["claude-code"]).toBe("/home/jürgen m/.claude");
  });
});

describe("the command that a host starts", () => {
  it.each([
    ["linux", "/opt/foundry-local-mcp/", "/usr/bin/node", ["/opt/foundry-local-mcp/dist/main.js"]],
    [
      "win32",
      "C:\\a b\\pkg\\",
      "C:\\Program Files\\nodejs\\node.exe",
      ["C:\\a b\\pkg\\dist\\main.js"],
    ],
  ] as const)(
    "is Node with the file of an installation on %s",
    (platform, packageFolder, node, args) => {
      expect(programOf({ platform }, { packageFolder, node })).toEqual({ command: node, args });
    },
  );

  it.each([
    [
      "linux",
      "/home/j/.npm/_npx/1a/node_modules/foundry-local-mcp/",
      "npx",
      ["-y", "foundry-local-mcp"],
    ],
    [
      "win32",
      "C:\\npm-cache\\_npx\\1a\\node_modules\\foundry-local-mcp\\",
      "cmd",
      ["/c", "npx", "-y", "foundry-local-mcp"],
    ],
  ] as const)(
    "is npx where setup was started by npx on %s",
    (platform, packageFolder, command, args) => {
      expect(programOf({ platform }, { packageFolder, node: "node" })).toEqual({ command, args });
    },
  );

  it("is the Node of Homebrew by the link that an upgrade leaves in place", async () => {
    const prefix = await temporaryFolder("homebrew ");
    const node = join(prefix, "Cellar", "node@22", "22.1.0_1", "bin", "node");
    const link = join(prefix, "opt", "node@22", "bin", "node");
    await mkdir(dirname(link), { recursive: true });
    const commandNow = () =>
      programOf({ platform: "darwin" }, { packageFolder: "/opt/foundry-local-mcp/", node }).command;

    const before = commandNow();
    await writeFile(link, "");

    expect(before).toBe(node);
    expect(commandNow()).toBe(sep === "/" ? link : node);
  });

  it("is npx with the file that npx was given", async () => {
    const folder = await temporaryFolder("npx cache ");
    const installation = join(folder, "_npx", "1a");
    const packageFolder = join(installation, "node_modules", "foundry-local-mcp");
    await mkdir(packageFolder, { recursive: true });
    const dependencies = { "foundry-local-mcp": "file:../../f.tgz" };
    await writeFile(join(installation, "package.json"), JSON.stringify({ dependencies }));
    const { platform } = process;

    const { args } = programOf({ platform }, { packageFolder, node: "node" });

    const given = `--package=${join(folder, "f.tgz")}`;
    expect(args.slice(-3)).toEqual(["-y", given, "foundry-local-mcp"]);
    expect(isOurs({ command: "npx", args }, "another")).toBe(true);
    expect(typedCommand({ packageFolder, cwd: folder, platform })).toBe(
      `npx --yes "${given}" foundry-local-mcp`,
    );
  });

  it.each([
    [{ command: "node", args: ["/x/foundry-local-mcp/dist/main.js"] }, true, []],
    [{ command: "npx", args: ["-y", "foundry-local-mcp", "--model", "m"] }, true, ["--model", "m"]],
    [{ command: "npx", args: ["-y", "foundry-local-mcp@0.1.0"] }, true, []],
    [{ command: ["node", "C:\\foundry-local-mcp\\dist\\main.js", "--a", "m"] }, true, ["--a", "m"]],
    [{ command: "cmd", args: ["/c", "npx", "-y", "foundry-local-mcp", "--a"] }, true, ["--a"]],
    [{ command: "/opt/node22", args: ["/x/foundry-local-mcp-main/dist/main.js"] }, true, []],
    [
      {
        command: "node",
        args: ["/x/foundry-local-mcp/dist/main.js", "--cache-dir", "/c/foundry-local-mcp", "--a"],
      },
      true,
      ["--cache-dir", "/c/foundry-local-mcp", "--a"],
    ],
    [{ cmd: "foundry-local-mcp", args: [] }, true, []],
    [{ command: "C:\\n\\foundry-local-mcp.cmd" }, true, []],
    [{ command: "npx", args: ["-y", "another-server"] }, false, []],
    [{ command: "npx", args: ["-y", "@another/foundry-local-mcp"] }, false, []],
    [{ command: "npx", args: ["-y", "npm:@another/foundry-local-mcp"] }, false, []],
    [
      { command: "npx", args: ["--package=@another/foundry-local-mcp", "foundry-local-mcp"] },
      false,
      [],
    ],
    [
      { command: "node", args: ["/n/node_modules/@another/foundry-local-mcp/dist/main.js"] },
      false,
      [],
    ],
    [
      { command: "npx", args: ["-y", "server-filesystem", "/home/me/foundry-local-mcp"] },
      false,
      [],
    ],
    [{ command: "/bin/files", args: ["/home/me/foundry-local-mcp"] }, false, []],
    [{ url: "http://127.0.0.1:8765/mcp" }, false, []],
    ["text", false, []],
    [undefined, false, []],
  ])("is recognised in %j", (entry, ours, flags) => {
    expect(isOurs(entry, "mine")).toBe(ours);
    expect(flagsIn(entry)).toEqual(flags);
  });

  it.each([
    [["node", "/x/foundry-local-mcp/dist/main.js"], "/x/foundry-local-mcp/dist/main.js"],
    [["cmd", "/c", "node", "C:\\f\\dist\\main.js", "--a"], "C:\\f\\dist\\main.js"],
    [["node", "--max-old-space-size=512", "/x/dist/main.js"], "/x/dist/main.js"],
    [["npx", "-y", "foundry-local-mcp"], null],
  ])("in the command line %j has the file %j", ([command, ...args], file) => {
    expect(mainFileIn({ command, args })).toBe(file);
  });

  it("is recognised by its file name in any folder, and by no other name", () => {
    const entry = { command: "node", args: ["/opt/github-mcp/dist/main.js", "--token-file", "/x"] };
    expect(isOurs(entry, "foundry-local")).toBe(true);
    expect(isOurs(entry, "github")).toBe(false);
  });

  it("keeps what a user added to the entry, unless setup gets a new value", () => {
    const [host] = HOSTS;
    if (host === undefined) throw new Error("no host");
    const before = {
      command: "old",
      args: ["/old/dist/main.js", "--model", "mine"],
      env: { A: "1" },
      disabled: true,
    };
    const program = { command: "node", args: ["/new/dist/main.js"] };

    expect(mergedEntry(host, before, program, { flags: [], env: {}, names: [] })).toEqual({
      command: "node",
      args: ["/new/dist/main.js", "--model", "mine"],
      env: { A: "1" },
      disabled: true,
    });
    expect(
      mergedEntry(host, before, program, {
        flags: ["--model", "x"],
        env: { K: "2" },
        names: ["--model"],
      }),
    ).toMatchObject({ args: ["/new/dist/main.js", "--model", "x"], env: { A: "1", K: "2" } });
  });

  it.each([
    ["node", ["--use-system-ca", "/old/dist/main.js"], ["--use-system-ca"]],
    ["/opt/node-22/bin/node22", ["--a=b", "--c", "/old/dist/main.js"], ["--a=b", "--c"]],
    ["cmd", ["/c", "node", "--use-system-ca", "C:\\old\\dist\\main.js"], ["--use-system-ca"]],
    ["cmd", ["/c", "npx", "-y", "foundry-local-mcp"], []],
    ["/opt/bun", ["--smol", "/old/dist/main.js"], []],
  ])("keeps the options of Node in %s %j", (command, args, options) => {
    const [host] = HOSTS;
    if (host === undefined) throw new Error("no host");
    const program = { command: "node", args: ["/new/dist/main.js"] };
    const npx = { command: "npx", args: ["-y", "foundry-local-mcp"] };
    const before = { command, args: [...args, "--model", "m"] };
    const flags = ["--model", "m"];

    expect(mergedEntry(host, before, program)["args"]).toEqual([
      ...options,
      "/new/dist/main.js",
      ...flags,
    ]);
    expect(mergedEntry(host, before, npx)["args"]).toEqual([...npx.args, ...flags]);
  });

  it("keeps earlier flags, except those given again and those that would outrank a new variable", () => {
    const [host] = HOSTS;
    if (host === undefined) throw new Error("no host");
    const flags = [
      "--endpoint=http://h:1",
      "--api-key",
      "old",
      "--files",
      "/a",
      "/b",
      "--model",
      "m",
    ];
    const before = { command: "node", args: ["/x/foundry-local-mcp/dist/main.js", ...flags] };
    const given = { flags: ["--model", "x"], env: { FOUNDRY_API_KEY: "new" } };
    const program = { command: "node", args: ["/new/dist/main.js"] };
    expect(
      mergedEntry(host, before, program, { ...given, names: ["--model", "--api-key"] })["args"],
    ).toEqual([
      "/new/dist/main.js",
      "--endpoint=http://h:1",
      "--files",
      "/a",
      "/b",
      "--model",
      "x",
    ]);
  });
});
