import { type Machine, pathsOf } from "../../platform/index.js";

/** How a host writes down a server that it starts. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The members of an entry of ours. Other members of it are the user's and stay. */
export type Entry = Readonly<Record<string, unknown>>;

/** What a program keeps its configuration in. Comments are allowed in `json`. */
export type FormatName = "json" | "toml" | "yaml";

/** An MCP host whose configuration file is known. */
export interface HostKind {
  /** For `--host`. One host may have several kinds of installations. */
  readonly id: string;
  readonly title: string;
  readonly format: FormatName;
  /** The member of the file that has the servers by name. */
  readonly container: string;
  /** Where there is such a host. Default: everywhere. */
  readonly platform?: NodeJS.Platform;
  /** The file, whether it is there or not. */
  readonly file: (machine: Machine) => string;
  /** A folder or file whose presence shows that the host is there. Default: the folder of its file. */
  readonly evidence?: (machine: Machine) => string;
  readonly entry: (server: ServerCommand) => Entry;
  /** What the user does for the host to start the server. */
  readonly afterwards: string;
}

const join = (machine: Machine, ...parts: readonly string[]): string =>
  pathsOf(machine.platform).join(...parts);

const inHome = (machine: Machine, ...parts: readonly string[]): string =>
  join(machine, machine.home, ...parts);

const variable = ({ environment }: Machine, name: string): string | undefined =>
  environment[name]?.trim() || undefined;

/** In the folder that a variable names; where it is not set, in the usual one of the home. */
const inFolder = (
  machine: Machine,
  name: string,
  usual: string,
  ...parts: readonly string[]
): string => join(machine, variable(machine, name) ?? inHome(machine, usual), ...parts);

/** The folder for the settings of programs with a window: `%APPDATA%` and its likes. */
function applicationData(machine: Machine, ...parts: readonly string[]): string {
  const { platform } = machine;
  if (platform === "win32") return inFolder(machine, "APPDATA", "AppData/Roaming", ...parts);
  if (platform === "darwin") return inHome(machine, "Library", "Application Support", ...parts);
  return xdgConfig(machine, ...parts);
}

/** `~/.config` on every system, unless the user has moved it. */
const xdgConfig = (machine: Machine, ...parts: readonly string[]): string =>
  inFolder(machine, "XDG_CONFIG_HOME", ".config", ...parts);

/** The member of an entry with the variables of its server; none where it has no variables. */
const envMember = (env: ServerCommand["env"], name = "env"): Entry =>
  Object.keys(env).length === 0 ? {} : { [name]: env };

const plain = ({ command, args, env }: ServerCommand): Entry => ({
  command,
  args,
  ...envMember(env),
});
const stdio = (server: ServerCommand): Entry => ({ type: "stdio", ...plain(server) });

const COMMON = { format: "json", container: "mcpServers", entry: plain } as const;

const RESTART = "Restart it.";
const SWITCH_ON = "Switch it on in the list of integrations of a chat.";
const QUIT_CLAUDE = "Quit Claude Desktop, also in the tray or the menu bar, and open it again.";

/**
 * The name of Claude Desktop's package on Windows; its second part is made of the name in the signature.
 * https://github.com/anthropics/claude-code/issues/26073: the package reads its own folder only.
 */
const CLAUDE_PACKAGE = "Claude_pzs8sxrjxfjjc";

const claudePackage = (machine: Machine, ...parts: readonly string[]): string =>
  inFolder(machine, "LOCALAPPDATA", "AppData/Local", "Packages", CLAUDE_PACKAGE, ...parts);

/** In the order in which they are shown. */
export const HOSTS: readonly HostKind[] = [
  {
    // As its installer has installed it since February 2026.
    id: "claude-desktop",
    title: "Claude Desktop (package)",
    ...COMMON,
    platform: "win32",
    file: (machine) =>
      claudePackage(machine, "LocalCache", "Roaming", "Claude", "claude_desktop_config.json"),
    evidence: (machine) => claudePackage(machine),
    afterwards: QUIT_CLAUDE,
  },
  {
    // https://modelcontextprotocol.io/docs/develop/connect-local-servers
    // There is no Claude Desktop for Linux; builds of others use the same folder names.
    id: "claude-desktop",
    title: "Claude Desktop",
    ...COMMON,
    file: (machine) => applicationData(machine, "Claude", "claude_desktop_config.json"),
    afterwards: QUIT_CLAUDE,
  },
  {
    // https://code.claude.com/docs/en/mcp (user scope), https://code.claude.com/docs/en/settings
    id: "claude-code",
    title: "Claude Code",
    ...COMMON,
    file: (machine) => inFolder(machine, "CLAUDE_CONFIG_DIR", "", ".claude.json"),
    evidence: (machine) => inFolder(machine, "CLAUDE_CONFIG_DIR", ".claude"),
    entry: stdio,
    afterwards: "Start a new session.",
  },
  ...(["Code", "Code - Insiders"] as const).map(
    (folder): HostKind => ({
      // https://code.visualstudio.com/docs/configure/settings (folders), /docs/copilot/chat/mcp-servers
      id: folder === "Code" ? "vscode" : "vscode-insiders",
      title: folder === "Code" ? "VS Code" : "VS Code Insiders",
      format: "json",
      container: "servers",
      file: (machine) => applicationData(machine, folder, "User", "mcp.json"),
      entry: stdio,
      afterwards: "Start the server in the view of MCP servers, or restart VS Code.",
    }),
  ),
  {
    // https://cursor.com/docs/context/mcp
    id: "cursor",
    title: "Cursor",
    ...COMMON,
    file: (machine) => inHome(machine, ".cursor", "mcp.json"),
    afterwards: RESTART,
  },
  {
    // https://docs.devin.ai/cli/extensibility/mcp/configuration; Windsurf is called so since June 2026. Since 3000.3;
    // before, the servers were in config.json beside it.
    id: "devin",
    title: "Devin Desktop and Devin CLI",
    ...COMMON,
    file: (machine) =>
      machine.platform === "win32"
        ? applicationData(machine, "devin", "mcp_config.json")
        : xdgConfig(machine, "devin", "mcp_config.json"),
    afterwards: "Press refresh in the list of MCP servers, or restart it.",
  },
  {
    // Of the releases before it was Devin Desktop.
    id: "windsurf",
    title: "Windsurf",
    ...COMMON,
    file: (machine) => inHome(machine, ".codeium", "windsurf", "mcp_config.json"),
    afterwards: "Press refresh in the list of MCP servers, or restart it.",
  },
  {
    // https://zed.dev/docs/configuring-zed (file), https://zed.dev/docs/ai/mcp (entry)
    id: "zed",
    title: "Zed",
    format: "json",
    container: "context_servers",
    file: (machine) => {
      if (machine.platform === "win32") return applicationData(machine, "Zed", "settings.json");
      const isMac = machine.platform === "darwin";
      return isMac
        ? inHome(machine, ".config", "zed", "settings.json")
        : xdgConfig(machine, "zed", "settings.json");
    },
    entry: plain,
    afterwards: "Nothing more: Zed reads its settings at once.",
  },
  {
    // Where LM Studio stays if it was there first: findLMStudioHome of github.com/lmstudio-ai/lmstudio.js.
    id: "lm-studio",
    title: "LM Studio (in .cache)",
    ...COMMON,
    file: (machine) => inHome(machine, ".cache", "lm-studio", "mcp.json"),
    afterwards: SWITCH_ON,
  },
  {
    // https://lmstudio.ai/docs/app/mcp
    id: "lm-studio",
    title: "LM Studio",
    ...COMMON,
    file: (machine) => inHome(machine, ".lmstudio", "mcp.json"),
    afterwards: SWITCH_ON,
  },
  {
    // https://block.github.io/goose/docs/guides/config-files, crates/goose/src/config/paths.rs
    id: "goose",
    title: "Goose",
    format: "yaml",
    container: "extensions",
    file: (machine) => {
      const root = variable(machine, "GOOSE_PATH_ROOT");
      if (root !== undefined) return join(machine, root, "config", "config.yaml");
      return machine.platform === "win32"
        ? applicationData(machine, "Block", "goose", "config", "config.yaml")
        : xdgConfig(machine, "goose", "config.yaml");
    },
    entry: ({ command, args, env }) => ({
      // The key of the entry: Goose writes under the key that it makes of the name.
      name: "foundry-local",
      description: "Language models on this machine",
      type: "stdio",
      enabled: true,
      cmd: command,
      args,
      ...envMember(env, "envs"),
      timeout: 300,
    }),
    afterwards: "Start a new session.",
  },
  {
    // https://developers.openai.com/codex/mcp, https://developers.openai.com/codex/config-reference
    id: "codex",
    title: "Codex",
    format: "toml",
    container: "mcp_servers",
    file: (machine) => inFolder(machine, "CODEX_HOME", ".codex", "config.toml"),
    entry: plain,
    afterwards: "Start a new session.",
  },
  {
    // https://geminicli.com/docs/tools/mcp-server, https://geminicli.com/docs/reference/configuration
    id: "gemini-cli",
    title: "Gemini CLI",
    ...COMMON,
    file: (machine) => inFolder(machine, "GEMINI_CLI_HOME", "", ".gemini", "settings.json"),
    afterwards: "Start a new session.",
  },
  {
    // https://antigravity.google/docs/mcp: one file for the editor and its CLI, which took the place of Gemini
    // CLI for people without a paid key in June 2026.
    id: "antigravity",
    title: "Antigravity",
    ...COMMON,
    file: (machine) => inHome(machine, ".gemini", "config", "mcp_config.json"),
    afterwards: "Press refresh in the list of MCP servers, or start a new session.",
  },
  {
    // https://docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers
    id: "copilot-cli",
    title: "Copilot CLI",
    ...COMMON,
    file: (machine) => inFolder(machine, "COPILOT_HOME", ".copilot", "mcp-config.json"),
    entry: ({ command, args, env }) => ({ type: "local", command, args, env, tools: ["*"] }),
    afterwards: "Start a new session.",
  },
  {
    // https://opencode.ai/docs/config, https://opencode.ai/docs/mcp-servers
    id: "opencode",
    title: "opencode",
    format: "json",
    container: "mcp",
    file: (machine) => xdgConfig(machine, "opencode", "opencode.json"),
    entry: ({ command, args, env }) => ({
      type: "local",
      command: [command, ...args],
      enabled: true,
      ...envMember(env, "environment"),
    }),
    afterwards: "Start a new session.",
  },
];

export const hostsFor = ({ platform }: Pick<Machine, "platform">): HostKind[] =>
  HOSTS.filter((host) => (host.platform ?? platform) === platform);

/** The folder or file whose presence shows that a host is there. */
export const evidenceOf = (host: HostKind, machine: Machine): string =>
  host.evidence?.(machine) ?? pathsOf(machine.platform).dirname(host.file(machine));
