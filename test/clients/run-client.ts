import { spawn } from "node:child_process";
import { copyFile, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { environmentWith, MAIN } from "../e2e/executable.js";
import type { Client } from "./clients.js";
import { fromNpm, fromPyPi, newerNode } from "./packages.js";

const scripts = fileURLToPath(new URL("scripts/", import.meta.url));
/** Stands between a client and the server: takes a file for their lines, then the server's arguments. */
export const TAP = fileURLToPath(new URL("tap.mjs", import.meta.url));

/** A client with its packages: what runs its script. */
export interface Installed {
  readonly command: string;
  readonly script: string;
}

let previous: Promise<unknown> = Promise.resolve();

/**
 * Installs one client after the other: an installation uses the whole machine.
 *
 * @throws CannotRunHere
 */
export function installed(client: Client): Promise<Installed> {
  const own = previous.then(() => install(client));
  previous = own.catch(() => {});
  return own;
}

async function install(client: Client): Promise<Installed> {
  if (client.ecosystem === "PyPI") {
    return { command: await fromPyPi(client.packages), script: join(scripts, client.script) };
  }
  const command = client.isForNewerNode === true ? await newerNode() : process.execPath;
  const folder = await fromNpm(client.packages);
  // Node looks for packages beside the file that imports them.
  for (const name of await readdir(scripts)) {
    if (name.endsWith(".mjs")) await copyFile(join(scripts, name), join(folder, name));
  }
  return { command, script: join(folder, client.script) };
}

export interface Run {
  /** Of the models that the calls name. */
  readonly endpoint: string;
  /** As `[tool, arguments]`; the calls after the last one follow from its answers. */
  readonly calls: readonly (readonly [string, object])[];
  /** The end of the whole answer to the last call. */
  readonly end: string;
  /** Replaces the client's own limit of a call. */
  readonly limitSeconds?: number | undefined;
  readonly settings: Readonly<Record<string, string>>;
  /** For the lines between client and server. */
  readonly folder: string;
}

const reportSchema = z.object({
  /** The tools that the client offers its model. */
  tools: z.array(z.string()),
  /** What the model was shown of each call. */
  shown: z.array(z.string()),
});

export interface Report extends z.output<typeof reportSchema> {
  /** The version of the protocol that was agreed on. */
  readonly protocol: string;
  /** The name that the client gave itself. */
  readonly clientName: string;
}

/** Runs the script of a client on a server, to its end. */
export async function runClient(
  { mode = "" }: Client,
  { command, script }: Installed,
  { endpoint, calls, end, limitSeconds, settings, folder }: Run,
): Promise<Report> {
  const lines = join(folder, "lines.jsonl");
  const stdout = await outputOf(command, [script], {
    ...offlineEnvironment(folder),
    ...settings,
    FOUNDRY_ENDPOINT: endpoint,
    FOUNDRY_LOG_LEVEL: "silent",
    SERVER: JSON.stringify({ command: process.execPath, args: [TAP, lines, MAIN] }),
    CALLS: JSON.stringify(calls),
    END: end,
    MODE: mode,
    LIMIT_SECONDS: limitSeconds === undefined ? "" : String(limitSeconds),
  });
  const report = reportSchema.parse(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? ""));
  return { ...report, ...introductionIn(await readFile(lines, "utf8")) };
}

/** The environment of a framework, with a home of its own. It sends nothing anywhere. */
export const offlineEnvironment = (home: string): Record<string, string> => ({
  ...environmentWith({}),
  HOME: home,
  USERPROFILE: home,
  HTTP_PROXY: "http://127.0.0.1:1",
  HTTPS_PROXY: "http://127.0.0.1:1",
  NO_PROXY: "127.0.0.1,localhost",
  PYTHONDONTWRITEBYTECODE: "1",
  PYTHONUTF8: "1",
});

/** What a script, the first of the arguments, writes to stdout. */
export function outputOf(
  command: string,
  args: readonly [script: string, ...others: string[]],
  env: NodeJS.ProcessEnv,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, cwd: dirname(args[0]), stdio: "pipe" });
    let [stdout, stderr] = ["", ""];
    child.stdin.end();
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`exit code ${code}\n${`${stdout}\n${stderr}`.slice(-3000)}`));
    });
  });
}

const PROTOCOL_META = "io.modelcontextprotocol/protocolVersion";
const CLIENT_META = "io.modelcontextprotocol/clientInfo";
const info = z.object({ name: z.string() });
const tapped = z.object({ line: z.string() });
const message = z.object({
  method: z.string().optional(),
  params: z
    .object({
      clientInfo: info.optional(),
      _meta: z
        .object({ [PROTOCOL_META]: z.string().optional(), [CLIENT_META]: info.optional() })
        .optional(),
    })
    .optional(),
  result: z.object({ protocolVersion: z.string().optional() }).optional(),
});

/** The names and versions that client and server sent in their handshake. */
export function introductionIn(lines: string): Pick<Report, "protocol" | "clientName"> {
  let [protocol, clientName] = ["", ""];
  for (const text of lines.trim().split("\n")) {
    const { line } = tapped.parse(JSON.parse(text));
    const { method, params, result } = message.safeParse(JSON.parse(line)).data ?? {};
    protocol = result?.protocolVersion ?? protocol;
    if (method === "tools/list") protocol = params?._meta?.[PROTOCOL_META] ?? protocol;
    clientName = params?.clientInfo?.name ?? params?._meta?.[CLIENT_META]?.name ?? clientName;
  }
  return { protocol, clientName };
}
