import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { environmentWith, MAIN } from "../e2e/executable.js";
import { ANSWER, PROMPT_ANSWER, simulated } from "../e2e/simulated.js";
import { CannotRunHere } from "../installed.js";
import { temporaryFolder } from "../temporary-folder.js";
import { fromNpm, newerNode } from "./packages.js";

const INSPECTOR = "@modelcontextprotocol/inspector";
const VERSION = "2.12.0";

const program = await Promise.all([newerNode(), fromNpm([`${INSPECTOR}@${VERSION}`])])
  .then(([node, folder]) => [
    node,
    join(folder, "node_modules", INSPECTOR, "clients", "launcher", "build", "index.js"),
  ])
  .catch((error: unknown) => {
    if (error instanceof CannotRunHere) return error.message;
    throw error;
  });
const isLeftOut = typeof program === "string";
const name = isLeftOut ? `the Inspector (left out: ${program})` : "the Inspector";

/** What the Inspector writes, with exit code 0. */
async function inspected(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const [node = "", launcher = ""] = program;
  const { url } = await simulated();
  const folder = await temporaryFolder("inspector-");
  const env = environmentWith({ HOME: folder, MCP_CATALOG_PATH: join(folder, "mcp.json") });
  const server = ["-e", `FOUNDRY_ENDPOINT=${url}`, process.execPath, MAIN];
  return new Promise((resolve, reject) => {
    execFile(
      node,
      [launcher, "--cli", ...server, ...args],
      { env, cwd: folder, maxBuffer: 2 ** 24 },
      (error, stdout, stderr) => {
        if (error === null) resolve({ stdout, stderr });
        else reject(error);
      },
    );
  });
}

const resultSchema = z.object({ content: z.array(z.object({ text: z.string() })) });

test.skipIf(isLeftOut).each(["legacy", "auto", "modern"])(
  `${name} accepts the tools (era %s)`,
  async (era) => {
    const args = ["--protocol-era", era, "--method", "tools/list", "--strict"];
    const { stdout, stderr } = await inspected(args);
    expect(stdout).toContain('"complete_batch"');
    expect(stderr.match(/^\s*(Path|Issue): .*$/gm) ?? []).toEqual([]);
  },
);

test.skipIf(isLeftOut)(`${name} calls a tool`, async () => {
  const given = ["--tool-arg", "prompt=Hello", `model=${PROMPT_ANSWER}`];
  const { stdout } = await inspected([
    "--method",
    "tools/call",
    "--tool-name",
    "complete",
    ...given,
  ]);
  expect(resultSchema.parse(JSON.parse(stdout)).content[0]?.text).toContain(ANSWER);
});
