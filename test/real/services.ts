import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { removeFolder } from "../temporary-folder.js";
import { ownFile, realDirectory, type ServiceLine, serviceLines } from "./lines.js";
import { CannotRunHere, findPython, modelsDirectory, pythonWith } from "./python.js";

/** What each tiny model is there for; make_models.py says how it behaves. */
export const modelRoles = [
  "ends",
  "forever",
  "smallContext",
  "failsMidway",
  "cannotLoad",
  "embeds",
  "firstVersion",
  "secondVersion",
  "slow",
  "slowLoad",
  "thinks",
  "callsTool",
  "plainId",
  "notCached",
] as const;
export type ModelRole = (typeof modelRoles)[number];

const realModelSchema = z.object({
  role: z.enum(modelRoles),
  id: z.string(),
  /** The id without its version. */
  name: z.string(),
  /** As this version of the service knows it: some models are in no catalog. */
  alias: z.string(),
  /** `local` models answer under /catalogs/local only. */
  family: z.enum(["public", "local"]),
});
export type RealModel = z.infer<typeof realModelSchema>;

const readySchema = z.object({
  url: z.url(),
  pid: z.int(),
  version: z.string(),
  modelCachePath: z.string(),
  models: z.array(realModelSchema),
});

/** A running service of Microsoft's, with the tiny models in its cache. */
export interface RealService {
  readonly line: ServiceLine["name"];
  readonly dialect: ServiceLine["dialect"];
  readonly sdkVersion: string;
  readonly url: string;
  readonly pid: number;
  readonly modelCachePath: string;
  readonly models: Readonly<Record<ModelRole, RealModel>>;
  /** Settles when the process has ended, whoever ended it. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

export interface SkippedLine {
  readonly line: ServiceLine["name"];
  readonly reason: string;
}

export interface RealServices {
  readonly services: readonly RealService[];
  readonly skipped: readonly SkippedLine[];
  stop(): Promise<void>;
}

export interface RealServicesOptions {
  /** All lines, where not given. */
  readonly lines?: readonly ServiceLine["name"][];
  /** About how long the slow model takes for one token. Default 200. */
  readonly slowTokenMilliseconds?: number;
  /** About how long the slowly loading model takes to load. Default 4. */
  readonly slowLoadSeconds?: number;
}

const startSeconds = 60;
// serve.py gives the native shutdown 3 seconds.
const stopMilliseconds = 6_000;

/**
 * Starts one service of each line, side by side, each with a fresh state directory.
 *
 * Installs what they need below `.real/` the first time. A line this machine cannot run
 * is left out with the reason; a line that can be run and does not start is an error.
 */
export async function startRealServices(options: RealServicesOptions = {}): Promise<RealServices> {
  const lines = serviceLines.filter((line) => options.lines?.includes(line.name) ?? true);
  const services: RealService[] = [];
  const stop = async () => {
    await Promise.all(services.map((service) => service.stop()));
  };
  const skipped: SkippedLine[] = [];
  let python: string;
  let models: string;
  try {
    python = await findPython();
    models = await modelsDirectory(python, {
      slowTokenMilliseconds: options.slowTokenMilliseconds ?? 200,
      slowLoadSeconds: options.slowLoadSeconds ?? 4,
    });
  } catch (error) {
    if (!(error instanceof CannotRunHere)) throw error;
    const reason = error.message;
    return { services, skipped: lines.map((line) => ({ line: line.name, reason })), stop };
  }
  await removeAbandonedRuns();
  const starts = await Promise.allSettled(
    lines.map(async (line) => {
      try {
        services.push(await startService(line, await pythonWith(line.name, python), models));
      } catch (error) {
        if (!(error instanceof CannotRunHere)) throw error;
        skipped.push({ line: line.name, reason: error.message });
      }
    }),
  );
  const failed = starts.find((start) => start.status === "rejected");
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  const order = lines.map((line) => line.name);
  services.sort((one, other) => order.indexOf(one.line) - order.indexOf(other.line));
  return { services, skipped, stop };
}

async function startService(
  line: ServiceLine,
  interpreter: string,
  models: string,
): Promise<RealService> {
  const runs = join(realDirectory, "runs");
  await mkdir(runs, { recursive: true });
  const state = await mkdtemp(join(runs, `${process.pid}-${line.name}-`));
  const logPath = join(state, "output.log");
  const log = openSync(logPath, "a");
  const child = spawn(
    interpreter,
    [ownFile("serve.py"), "--models", models, "--state", state],
    // Its standard input stays open as long as this process lives, and it ends with it.
    { stdio: ["pipe", "pipe", log], env: environment(state) },
  );
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  const stop = async () => {
    await end(child, ended);
    await removeFolder(state);
  };
  const first = await firstLine(child, ended);
  if (first === undefined) {
    const text = await readFile(logPath, "utf8");
    await stop();
    throw new Error(`${line.name} did not start. It wrote:\n${text.slice(-2_000)}`);
  }
  const ready = readySchema.parse(JSON.parse(first));
  if (ready.version !== line.sdkVersion) {
    await stop();
    throw new Error(
      `${line.name} runs ${ready.version}, not ${line.sdkVersion}: correct lines.ts or its requirements`,
    );
  }
  return {
    line: line.name,
    dialect: line.dialect,
    sdkVersion: ready.version,
    url: ready.url,
    pid: ready.pid,
    modelCachePath: ready.modelCachePath,
    models: byRole(ready.models),
    ended,
    stop,
  };
}

/** Nothing of the user's is read or written, and nothing but loopback is called. */
function environment(state: string): NodeJS.ProcessEnv {
  const { PATH } = process.env;
  const nowhere = "http://127.0.0.1:1";
  return {
    PATH,
    HOME: state,
    LANG: "C.UTF-8",
    PYTHONDONTWRITEBYTECODE: "1",
    HTTP_PROXY: nowhere,
    HTTPS_PROXY: nowhere,
    NO_PROXY: "127.0.0.1,localhost",
  };
}

async function firstLine(child: ChildProcess, ended: Promise<void>): Promise<string | undefined> {
  if (child.stdout === null) return undefined;
  const lines = createInterface({ input: child.stdout });
  const timer = setTimeout(() => child.kill("SIGKILL"), startSeconds * 1_000);
  try {
    return await Promise.race([
      new Promise<string>((resolve) => lines.once("line", resolve)),
      ended.then(() => undefined),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.stdin?.end();
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMilliseconds);
  await ended;
  clearTimeout(timer);
}

function byRole(models: readonly RealModel[]): Record<ModelRole, RealModel> {
  const find = (role: ModelRole): RealModel => {
    const found = models.find((model) => model.role === role);
    if (found === undefined) throw new Error(`make_models.py made no model for '${role}'`);
    return found;
  };
  return {
    ends: find("ends"),
    forever: find("forever"),
    smallContext: find("smallContext"),
    failsMidway: find("failsMidway"),
    cannotLoad: find("cannotLoad"),
    embeds: find("embeds"),
    firstVersion: find("firstVersion"),
    secondVersion: find("secondVersion"),
    slow: find("slow"),
    slowLoad: find("slowLoad"),
    thinks: find("thinks"),
    callsTool: find("callsTool"),
    plainId: find("plainId"),
    notCached: find("notCached"),
  };
}

/** State directories begin with the process that made them; those of ended ones go. */
async function removeAbandonedRuns(): Promise<void> {
  const runs = join(realDirectory, "runs");
  await mkdir(runs, { recursive: true });
  for (const name of await readdir(runs)) {
    if (!isRunning(Number.parseInt(name, 10))) {
      await removeFolder(join(runs, name));
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: no such process. EPERM cannot happen to a process of the same user.
    return false;
  }
}
