import { chmod, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { FORMATS } from "../../src/commands/setup/edit.js";
import { HOSTS, type HostKind } from "../../src/commands/setup/hosts.js";
import type { Machine } from "../../src/platform/index.js";
import { temporaryFolder } from "../temporary-folder.js";
import { MAIN, run, type Settings } from "./executable.js";
import { ANSWER, PROMPT_ANSWER, simulated } from "./simulated.js";

const isWindows = process.platform === "win32";

/** One kind of installation of each host. */
const KINDS = HOSTS.filter(
  ({ id }, index) => HOSTS.findLastIndex((host) => host.id === id) === index,
);

/** A user's home, without anything of the developer's. */
class Home {
  constructor(readonly path: string) {}

  get settings(): Settings {
    const { path } = this;
    return {
      HOME: path,
      USERPROFILE: path,
      APPDATA: join(path, "AppData", "Roaming"),
      XDG_CONFIG_HOME: join(path, ".config"),
      LOCALAPPDATA: join(path, "AppData", "Local"),
      CLAUDE_CONFIG_DIR: "",
      CODEX_HOME: "",
      COPILOT_HOME: "",
    };
  }

  get machine(): Machine {
    const { platform, arch } = process;
    return { platform, arch, home: this.path, environment: this.settings };
  }

  file(id: string): string {
    return hostNamed(id).file(this.machine);
  }

  async write(id: string, text: string): Promise<void> {
    await mkdir(dirname(this.file(id)), { recursive: true });
    await writeFile(this.file(id), text);
  }

  read(id: string): Promise<string> {
    return readFile(this.file(id), "utf8");
  }

  setup(...flags: readonly string[]) {
    return run(["setup", "--no-check", ...flags], this.settings);
  }
}

const newHome = async (): Promise<Home> => new Home(await temporaryFolder("home ü "));

const hostNamed = (id: string): HostKind => {
  const host = KINDS.find((each) => each.id === id);
  if (host === undefined) throw new Error(id);
  return host;
};

/** What users have in their files. */
const FILES: Readonly<Record<string, string>> = {
  "claude-desktop":
    '{\n  "globalShortcut": "Ctrl+Space",\n  "mcpServers": {\n    "files": { "command": "npx", "args": ["-y", "files"] }\n  }\n}\n',
  "claude-code": '{\n  "numStartups": 3,\n  "projects": { "/p": { "mcpServers": {} } }\n}\n',
  vscode:
    '{\n\t// mine\n\t"servers": {\n\t\t"a": { "type": "http", "url": "http://x" }, // a\n\t},\n\t"inputs": []\n}\n',
  "vscode-insiders": "",
  cursor: '\ufeff{\r\n  "mcpServers": {}\r\n}\r\n',
  devin:
    '{\n  "mcpServers": {\n    "x": { "command": "x", "args": [], "transport": "stdio" }\n  }\n}\n',
  windsurf: '{"mcpServers":{}}',
  zed: '// Zed settings\n//\n{\n  "theme": "One Dark", // dark\n  "context_servers": {\n    "x": { "command": "x", "args": [] }\n  }\n}\n',
  "lm-studio": '{\n  "mcpServers": {\n    "hf": { "url": "https://hf.co/mcp" }\n  }\n}',
  goose:
    "# mine\nGOOSE_PROVIDER: openai\nextensions:\n  developer:\n    enabled: true\n    type: builtin # built in\n    name: developer\nGOOSE_MODE: auto\n",
  codex:
    '# mine\nmodel = "o3"\n\n[mcp_servers.docs]\ncommand = "docs" # a\n\n[profiles.x]\nmodel = "y"\n',
  "gemini-cli": '{\n  "theme": "Default",\n  "mcpServers": { "g": { "httpUrl": "http://g" } }\n}\n',
  antigravity:
    '{\n  "mcpServers": {\n    "x": { "serverUrl": "http://x", "disabled": true }\n  }\n}\n',
  "copilot-cli": "{}",
  opencode: '{\n  "$schema": "https://opencode.ai/config.json",\n  "mcp": {},\n}\n',
};

test("setup adds the server to each host, can be repeated, and restores the file on removal", async () => {
  const home = await newHome();
  for (const [id, text] of Object.entries(FILES)) await home.write(id, text);
  expect(Object.keys(FILES)).toEqual(KINDS.map(({ id }) => id));

  const first = await home.setup("--yes");
  const after = await Promise.all(KINDS.map(({ id }) => home.read(id)));
  const second = await home.setup("--yes");
  const afterSecond = await Promise.all(KINDS.map(({ id }) => home.read(id)));
  const backups = await Promise.all(
    KINDS.map(({ id }) => readFile(`${home.file(id)}.before-foundry-local-mcp`, "utf8")),
  );
  const taken = await home.setup("--remove", "--yes");

  expect(first).toMatchObject({ code: 0, stderr: "" });
  for (const [index, { id, title }] of KINDS.entries()) {
    expect(first.stdout).toContain(`${title}: would be added`);
    // YAML needs no escapes for the path of Windows.
    const written = [MAIN, JSON.stringify(MAIN).slice(1, -1)];
    expect(written.some((path) => after[index]?.includes(path))).toBe(true);
    expect(backups[index]).toBe(FILES[id]);
  }
  expect(second.stdout).toContain("is up to date");
  expect(second.stdout).not.toContain("Written");
  expect(afterSecond).toEqual(after);
  expect(taken).toMatchObject({ code: 0, stderr: "" });
  for (const [id, text] of Object.entries(FILES)) {
    expect({ id, text: await home.read(id) }).toEqual({ id, text });
    const left = await readdir(dirname(home.file(id)));
    expect(left.filter((name) => name.includes("before-") || name.endsWith(".tmp"))).toEqual([]);
  }
});

test("setup finds only installed hosts, and also one that is named", async () => {
  const home = await newHome();
  await mkdir(join(home.path, ".cursor"));

  const found = await home.setup("--yes");
  const named = await home.setup("--yes", "--host", "codex", "--model", "phi-4-mini");
  const removed = await home.setup("--yes", "--remove", "--host", "codex");

  expect(found.stdout).toContain("Cursor: done");
  expect(found.stdout).not.toContain("Codex");
  expect(JSON.parse(await home.read("cursor"))).toEqual({
    mcpServers: { "foundry-local": { command: process.execPath, args: [MAIN] } },
  });
  expect(named.code).toBe(0);
  // setup removes what it created.
  expect(removed.code).toBe(0);
  await expect(lstat(home.file("codex"))).rejects.toThrow("ENOENT");
});

test("setup changes the file of a host once that is named twice", async () => {
  const home = await newHome();

  const { code, stdout } = await home.setup("--yes", "--host", "lm-studio", "--host", "LM Studio");

  expect(code).toBe(0);
  expect(stdout.match(/LM Studio: /g)).toHaveLength(2);
  expect(stdout).toContain("LM Studio: done");
});

test("setup finds an LM Studio that was installed before its folder was renamed", async () => {
  const home = await newHome();
  const folder = join(home.path, ".cache", "lm-studio");
  await mkdir(folder, { recursive: true });

  const found = await home.setup("--yes");
  const named = await home.setup("--yes", "--host", "lm-studio");

  expect(found.stdout).toContain("LM Studio (in .cache): done");
  expect(named.stdout).toContain("is up to date");
  expect(await readdir(home.path)).not.toContain(".lmstudio");
  expect(JSON.parse(await readFile(join(folder, "mcp.json"), "utf8"))).toMatchObject({
    mcpServers: { "foundry-local": { args: [MAIN] } },
  });
});

test("setup keeps later changes of other programs when it removes the entry", async () => {
  const home = await newHome();
  await home.write("cursor", FILES["claude-desktop"] ?? "");
  await home.setup("--yes");
  await home.write("cursor", (await home.read("cursor")).replace('"Ctrl+Space"', '"Alt+Space"'));

  await home.setup("--yes", "--remove");

  expect(await home.read("cursor")).toBe(
    (FILES["claude-desktop"] ?? "").replace('"Ctrl+Space"', '"Alt+Space"'),
  );
});

test("setup writes settings into the entry, keys as variables, and keeps them later", async () => {
  const home = await newHome();
  await mkdir(join(home.path, ".cursor"));

  await home.setup("--yes", "--endpoint", "http://127.0.0.1:1234", "--api-key", "sk-1");
  await home.setup("--yes");

  expect(JSON.parse(await home.read("cursor"))).toEqual({
    mcpServers: {
      "foundry-local": {
        command: process.execPath,
        args: [MAIN, "--endpoint", "http://127.0.0.1:1234"],
        env: { FOUNDRY_API_KEY: "sk-1" },
      },
    },
  });
});

test("setup says which settings are variables of the terminal, which a host does not get", async () => {
  const home = await newHome();
  await mkdir(join(home.path, ".cursor"));
  const settings = { ...home.settings, FOUNDRY_ENDPOINT: "http://127.0.0.1:9", FOUNDRY_MODEL: "m" };
  const flags = ["setup", "--yes", "--no-check", "--model", "m"];

  const added = await run(flags, settings);
  const removed = await run([...flags, "--remove"], settings);

  const [, names] = /variables of this terminal: ([\w, ]+)\. Only flags/.exec(added.stdout) ?? [];
  expect(names?.split(", ")).toContain("FOUNDRY_ENDPOINT");
  expect(names).not.toContain("FOUNDRY_MODEL");
  expect(removed.stdout).not.toContain("variables of this terminal");
});

test.for([
  ["wrong JSON", '{"mcpServers": {', "is not valid JSON"],
  ["UTF-16", "\ufeff{}", "is in UTF-16"],
  ["another server of that name", '{"mcpServers":{"foundry-local":{"url":"x"}}}', "another server"],
] as const)("setup keeps a file with %s, and reports why", async ([what, text, words]) => {
  const home = await newHome();
  await home.write("cursor", "");
  const bytes = Buffer.from(text, what === "UTF-16" ? "utf16le" : "utf8");
  await writeFile(home.file("cursor"), bytes);
  await home.write("codex", "");

  const { code, stdout } = await home.setup("--yes");

  expect(code).toBe(1);
  expect(stdout).toContain(words);
  expect(await readFile(home.file("cursor"))).toEqual(bytes);
  // The other hosts are still written.
  expect(await home.read("codex")).toContain("[mcp_servers.foundry-local]");
});

test("setup leaves a read-only file unchanged, and reports why", async () => {
  const home = await newHome();
  await home.write("cursor", "{}");
  await chmod(home.file("cursor"), 0o444);

  const { code, stdout } = await home.setup("--yes");

  expect(code).toBe(1);
  expect(stdout).toContain("is read-only");
  expect(await home.read("cursor")).toBe("{}");
  await chmod(home.file("cursor"), 0o644);
});

test.skipIf(isWindows)(
  "setup writes to the target of a link, and refuses a dangling one",
  async () => {
    const home = await newHome();
    await home.write("cursor", "{}");
    await home.write("codex", "");
    const dotfile = join(home.path, "dotfile.toml");
    await writeFile(dotfile, 'model = "x"\n');
    await rm(home.file("codex"));
    await symlink(dotfile, home.file("codex"));
    await rm(home.file("cursor"));
    await symlink(join(home.path, "absent.json"), home.file("cursor"));

    const { code, stdout } = await home.setup("--yes");

    expect(code).toBe(1);
    expect(stdout).toContain("is a link to a file that does not exist");
    expect((await lstat(home.file("codex"))).isSymbolicLink()).toBe(true);
    expect(await readFile(dotfile, "utf8")).toContain("[mcp_servers.foundry-local]");
  },
);

test("setup writes nothing with --dry-run and --print, and without a terminal", async () => {
  const home = await newHome();
  await home.write("cursor", "{}");

  const dry = await home.setup("--dry-run");
  const print = await home.setup("--print", "--host", "codex", "--host", "goose");
  const silent = await home.setup();

  expect(dry).toMatchObject({ code: 0, stderr: "" });
  expect(dry.stdout).toContain("would be added");
  expect(print.stdout).toContain("[mcp_servers.foundry-local]");
  expect(print.stdout).toContain("extensions:\n  foundry-local:");
  expect(silent.code).toBe(2);
  expect(silent.stderr).toContain("Add --yes");
  expect(await home.read("cursor")).toBe("{}");
});

test.for(["cursor", "codex", "goose"])("setup shows no key of the file of %s", async (id) => {
  const home = await newHome();
  const key = 'sk-"of a user"';
  const { container, format, entry } = hostNamed(id);
  const env = { FOUNDRY_API_KEY: key };
  const own = entry({ command: process.execPath, args: [MAIN], env });
  await home.write(id, FORMATS[format].set("", { container, name: "foundry-local" }, own));

  const { stdout } = await home.setup("--remove", "--dry-run");

  expect(stdout).toContain("FOUNDRY_API_KEY");
  expect(stdout).toContain("(secret)");
  expect(stdout).not.toContain("of a user");
});

test.for([
  [["--host", "emacs"], "Known hosts: claude-desktop"],
  [["--yse"], "Did you mean --yes?"],
  [["cursor"], "Name a host with --host."],
  [["--retries", "many"], "--retries"],
] as const)("setup refuses %j with a message", async ([flags, words]) => {
  const home = await newHome();
  const { code, stderr } = await home.setup(...flags);
  expect(code).toBe(2);
  expect(stderr).toContain(words);
});

test("setup reports that there is no host", async () => {
  const { code, stdout } = await (await newHome()).setup("--yes");
  expect(code).toBe(0);
  expect(stdout).toContain("No MCP host was found");
});

test("setup ends with a model's answer, and downloads nothing with --yes", async () => {
  const home = await newHome();
  const missing = { id: "qwen2.5-0.5b-instruct-generic-cpu:4", downloaded: false, sizeMb: 800 };
  const ready = await simulated({ models: [{ id: PROMPT_ANSWER, script: { text: ANSWER } }] });
  const empty = await simulated({ dialect: "S", models: [missing] });

  const answered = await run(["setup", "--yes", "--endpoint", ready.url], home.settings);
  const offered = await run(["setup", "--yes", "--endpoint", empty.url], home.settings);

  expect(answered.code).toBe(0);
  expect(answered.stdout).toContain(ANSWER);
  expect(offered.code).toBe(0);
  expect(offered.stdout).toMatch(/main\.js download qwen2\.5-0\.5b[\w-]*`/);
  expect(empty.requests.some(({ path }) => /download/.test(path))).toBe(false);
});

test("setup asks no model without a terminal and without --yes", async () => {
  const home = await newHome();
  await home.setup("--yes", "--host", "cursor");
  const { url, requests } = await simulated({ models: [{ id: PROMPT_ANSWER }] });

  const { code } = await run(["setup", "--host", "cursor"], {
    ...home.settings,
    FOUNDRY_ENDPOINT: url,
  });

  expect([code, requests]).toEqual([0, []]);
});

test("setup shows no password and no key, in whatever form the entry has them", async () => {
  const home = await newHome();
  const args = ["/opt/foundry-local-mcp/dist/main.js", "--api-key", "sk-of-the-user"];
  const own = { command: "/usr/bin/node", args };
  await home.write("cursor", JSON.stringify({ mcpServers: { "foundry-local": own } }));

  const dry = await home.setup("--host", "cursor", "--remove", "--dry-run");
  const added = await home.setup(
    ...["--host", "claude-desktop", "--dry-run", "--endpoint", "http://me:word-12345@127.0.0.1:9"],
  );

  expect(`${dry.stdout}${dry.stderr}`).not.toContain("sk-of-the-user");
  expect(`${added.stdout}${added.stderr}`).not.toContain("word-12345");
  expect(added.stdout).toContain("FOUNDRY_ENDPOINT");
});

test("setup says how to install Foundry Local where there is none", async () => {
  const home = await newHome();
  const settings = { ...home.settings, PATH: home.path, FOUNDRY_EMBEDDED: "false" };

  const { code, stdout } = await run(["setup", "--yes"], settings);

  expect(code).toBe(0);
  expect(stdout).toContain("No Foundry Local was found");
  expect(stdout).toContain("main.js setup`");
});

test.each([
  [[true], "starts this server"],
  [[false], "has this server switched off in its settings"],
  [[false, true], "starts this server"],
])("doctor knows the bundles in Claude Desktop, enabled: %j", async (enabled, words) => {
  const home = await newHome();
  const folder = dirname(home.file("claude-desktop"));
  await mkdir(join(folder, "Claude Extensions Settings"), { recursive: true });
  for (const [number, isEnabled] of enabled.entries()) {
    const id = `local.mcpb.author-${number}.foundry-local-mcp`;
    await mkdir(join(folder, "Claude Extensions", id), { recursive: true });
    const settings = JSON.stringify({ isEnabled, userConfig: {} });
    await writeFile(join(folder, "Claude Extensions Settings", `${id}.json`), settings);
  }
  const { url } = await simulated({ models: [{ id: PROMPT_ANSWER }] });

  const { stdout } = await run(["doctor", "--no-completion", "--endpoint", url], {
    ...home.settings,
    FOUNDRY_CLI: join(home.path, "none", "foundry"),
  });

  expect(stdout).toMatch(new RegExp(`^ {2}Claude Desktop +${words}$`, "m"));
});
