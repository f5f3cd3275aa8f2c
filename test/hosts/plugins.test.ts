import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { fromNpm, newerNode } from "../clients/packages.js";
import { environmentWith } from "../e2e/executable.js";
import { CannotRunHere } from "../installed.js";
import { temporaryFolder } from "../temporary-folder.js";
import { HOSTS } from "./hosts.js";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));

test.for([
  { host: "Claude Code", args: ["plugin", "validate", join(root, ".claude-plugin/plugin.json")] },
  {
    host: "Claude Code",
    args: ["plugin", "validate", join(root, ".claude-plugin/marketplace.json")],
  },
  { host: "Gemini CLI", args: ["extensions", "validate", root] },
])(
  "$host accepts its files of this repository as valid: $args",
  async ({ host, args }, { skip }) => {
    const { packages, program, isScript } = HOSTS.find(({ name }) => name === host) ?? {};
    expect(packages).toBeDefined();
    const parts = await fromNpm(packages ?? [])
      .then(async (folder) => {
        const path = join(folder, program ?? "");
        return isScript === true ? [await newerNode(), path] : [path];
      })
      .catch((error: unknown) => {
        if (error instanceof CannotRunHere) return error.message;
        throw error;
      });
    if (typeof parts === "string") return skip(parts);
    const folder = await temporaryFolder("host-");
    const [command = "", ...first] = parts;

    const { stdout, stderr } = await run(command, [...first, ...args], {
      cwd: folder,
      timeout: 240_000,
      env: environmentWith({
        HOME: folder,
        USERPROFILE: folder,
        CLAUDE_CONFIG_DIR: join(folder, ".claude"),
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
        DISABLE_AUTOUPDATER: "1",
        GEMINI_CLI_NO_RELAUNCH: "1",
        // No host sends anything anywhere.
        HTTP_PROXY: "http://127.0.0.1:1",
        HTTPS_PROXY: "http://127.0.0.1:1",
      }),
    });

    expect(`${stdout}${stderr}`).toMatch(/validation passed|successfully validated/i);
  },
);
