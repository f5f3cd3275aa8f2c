import { z } from "zod";
import { CannotRunHere } from "../installed.js";
import { removeAbandonedRuns, startChild } from "./child.js";
import { ownFile, type ServiceLine, serviceLines } from "./lines.js";
import { findPython, modelsDirectory, pythonWith } from "./python.js";

/** The purpose of each tiny model; make_models.py describes its behaviour. */
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
  /** Settles when the process has ended, whatever the cause. */
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
  const { firstLine, ended, stop } = await startChild({
    name: line.name,
    command: interpreter,
    args: (state) => [ownFile("serve.py"), "--models", models, "--state", state],
  });
  const ready = readySchema.parse(JSON.parse(firstLine));
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
