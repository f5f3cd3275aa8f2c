import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The values for one run of a command line. */
export interface Place {
  /** Its home and working folder. */
  readonly folder: string;
  /** Of the scripted model. */
  readonly model: string;
  readonly server: {
    readonly command: string;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  };
}

export interface Host {
  readonly name: string;
  /** With its exact version. */
  readonly packages: readonly string[];
  /** Below the folder of the packages. */
  readonly program: string;
  /** Needs Node to run; else it is an executable. */
  readonly isScript?: boolean;
  /** Writes its files, and returns how it is started. */
  prepare(place: Place): Promise<{
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  }>;
}

const PLATFORM = `${process.platform}-${process.arch}`;
const EXECUTABLE = process.platform === "win32" ? ".exe" : "";

async function write(folder: string, path: readonly string[], text: string): Promise<string> {
  const file = join(folder, ...path);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, text);
  return file;
}

/** A string in TOML. */
const quoted = (text: string): string => JSON.stringify(text);

export const HOSTS: readonly Host[] = [
  {
    name: "Claude Code",
    packages: ["@anthropic-ai/claude-code@2.1.332"],
    program: `node_modules/@anthropic-ai/claude-code-${PLATFORM}/claude${EXECUTABLE}`,
    async prepare({ folder, model, server }) {
      const servers = JSON.stringify({ mcpServers: { foundry: server } });
      const config = await write(folder, ["mcp.json"], servers);
      const flags = [
        "--strict-mcp-config",
        "--mcp-config",
        config,
        "--allowedTools",
        "mcp__foundry",
      ];
      return {
        args: ["-p", "go", "--model", "claude-sonnet-4-5", ...flags],
        env: {
          ANTHROPIC_BASE_URL: model,
          ANTHROPIC_API_KEY: "none",
          CLAUDE_CONFIG_DIR: join(folder, ".claude"),
          CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
          DISABLE_AUTOUPDATER: "1",
        },
      };
    },
  },
  {
    name: "Codex CLI",
    packages: ["@openai/codex@0.171.0"],
    program: "node_modules/@openai/codex/bin/codex.js",
    isScript: true,
    async prepare({ folder, model, server }) {
      const variables = Object.entries(server.env).map(
        ([name, value]) => `${name} = ${quoted(value)}`,
      );
      const config = [
        'model = "scripted"',
        'model_provider = "scripted"',
        'approval_policy = "never"',
        "check_for_update_on_startup = false",
        "[analytics]",
        "enabled = false",
        "[model_providers.scripted]",
        'name = "scripted"',
        `base_url = ${quoted(`${model}/v1`)}`,
        'env_key = "SCRIPTED_KEY"',
        'wire_api = "responses"',
        "[mcp_servers.foundry]",
        `command = ${quoted(server.command)}`,
        `args = ${JSON.stringify(server.args)}`,
        "[mcp_servers.foundry.env]",
        ...variables,
      ];
      await write(folder, [".codex", "config.toml"], config.join("\n"));
      return {
        args: ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "go"],
        env: { CODEX_HOME: join(folder, ".codex"), SCRIPTED_KEY: "none" },
      };
    },
  },
  {
    name: "Gemini CLI",
    packages: ["@google/gemini-cli@0.61.0"],
    program: "node_modules/@google/gemini-cli/bundle/gemini.js",
    isScript: true,
    async prepare({ folder, model, server }) {
      const settings = {
        mcpServers: { foundry: server },
        security: { auth: { selectedType: "gemini-api-key" } },
        telemetry: { enabled: false },
        privacy: { usageStatisticsEnabled: false },
        general: { disableAutoUpdate: true, disableUpdateNag: true },
      };
      await write(folder, [".gemini", "settings.json"], JSON.stringify(settings));
      return {
        args: ["-m", "gemini-2.5-flash", "--approval-mode", "yolo", "-p", "go"],
        env: {
          GEMINI_API_KEY: "none",
          GOOGLE_GEMINI_BASE_URL: model,
          GEMINI_CLI_TRUST_WORKSPACE: "true",
          GEMINI_CLI_NO_RELAUNCH: "1",
        },
      };
    },
  },
  {
    name: "Copilot CLI",
    packages: ["@github/copilot@1.0.102"],
    program: "node_modules/@github/copilot/npm-loader.js",
    isScript: true,
    async prepare({ folder, model, server }) {
      const foundry = { type: "local", ...server, tools: ["*"] };
      const config = JSON.stringify({ mcpServers: { foundry } });
      await write(folder, [".copilot", "mcp-config.json"], config);
      return {
        args: ["-p", "go", "--allow-all-tools"],
        env: {
          COPILOT_OFFLINE: "true",
          COPILOT_PROVIDER_BASE_URL: `${model}/v1`,
          COPILOT_PROVIDER_TYPE: "openai",
          COPILOT_PROVIDER_API_KEY: "none",
          COPILOT_MODEL: "scripted",
        },
      };
    },
  },
];
