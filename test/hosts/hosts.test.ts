import { spawn } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type HostRow, shownOf, writeHosts } from "../clients/hosts-page.js";
import { fromNpm, newerNode } from "../clients/packages.js";
import { introductionIn, TAP } from "../clients/run-client.js";
import {
  ANSWER,
  CALLS,
  END,
  expectAllShown,
  SCALED_SETTINGS,
  startModels,
} from "../clients/scenario.js";
import { environmentWith, MAIN } from "../e2e/executable.js";
import { CannotRunHere } from "../installed.js";
import { temporaryFolder } from "../temporary-folder.js";
import { HOSTS, type Host } from "./hosts.js";
import { startScriptedModel } from "./scripted-model.js";

/** The time limit for a hanging host. */
const LONGEST_MS = 240_000;

const rows: HostRow[] = [];
afterAll(() => writeHosts(rows));

test.for(HOSTS)("$name passes the whole answer to its model", async (host, context) => {
  const parts = await installed(host).catch((error: unknown) => {
    if (error instanceof CannotRunHere) return error.message;
    throw error;
  });
  if (typeof parts === "string") return context.skip(parts);
  const simulator = await startModels();
  context.onTestFinished(() => simulator.close());
  const model = await startScriptedModel({ calls: CALLS, end: END });
  context.onTestFinished(() => model.close());
  const folder = await temporaryFolder("host-");
  const lines = join(folder, "lines.jsonl");

  const { args, env } = await host.prepare({
    folder,
    model: model.url,
    server: {
      command: process.execPath,
      args: [TAP, lines, MAIN],
      env: {
        ...SCALED_SETTINGS,
        FOUNDRY_ENDPOINT: simulator.url,
        FOUNDRY_LOG_LEVEL: "silent",
        FOUNDRY_KEEP: "never",
      },
    },
  });
  const [program = "", ...first] = parts;
  const output = await outputOf(program, [...first, ...args], env, folder);

  expect(model.shown, output).not.toEqual([]);
  const long = expectAllShown(model.shown);
  expect(long.length).toBeGreaterThan(1);
  const unfinished = long.slice(0, -1);
  expect(unfinished.filter((text) => !text.includes("Call get_completion with"))).toEqual([]);
  const shown = shownOf(model.shown[0] ?? "", ANSWER);
  rows.push({ host, shown, ...introductionIn(await readFile(lines, "utf8")) });
});

/** The program with its first arguments. */
async function installed({ packages, program, isScript }: Host): Promise<readonly string[]> {
  const path = join(await fromNpm(packages), program);
  return isScript === true ? [await newerNode(), path] : [path];
}

/** The output of a host until it ends or is killed. */
async function outputOf(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  folder: string,
): Promise<string> {
  const cwd = join(folder, "project");
  await mkdir(cwd);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: environmentWith({
        HOME: folder,
        USERPROFILE: folder,
        TERM: "dumb",
        // No host sends anything anywhere.
        HTTP_PROXY: "http://127.0.0.1:1",
        HTTPS_PROXY: "http://127.0.0.1:1",
        NO_PROXY: "127.0.0.1,localhost",
        ...env,
      }),
      stdio: ["ignore", "pipe", "pipe"],
      timeout: LONGEST_MS,
    });
    let output = "";
    const take = (text: string): void => {
      output += text;
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    child.once("error", reject);
    child.once("close", (code) => resolve(`${output.slice(-3000)}\nexit code ${code}`));
  });
}
