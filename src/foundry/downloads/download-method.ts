import { realpath } from "node:fs/promises";
import * as z from "zod";
import { cancelledError, FILE_READ_MS, untilAborted } from "../../lib/index.js";
import { inPool, LATE, type Machine, pathsOf } from "../../platform/index.js";
import type { DownloadResult } from "../calls.js";
import { type FoundryCli, jsonObjectsIn } from "../cli/index.js";
import type { DownloadCall } from "../dialects/index.js";
import type { KnownModel } from "../models/index.js";
import type { Service } from "../service/index.js";
import {
  ofAnotherEngine,
  onAnotherMachine,
  type Stage,
  stalled,
  withOddName,
  withOldCli,
  withOtherCache,
  withoutCli,
  withSilentCli,
} from "./failures.js";
import { type DownloadLimits, stallTimer } from "./limits.js";
import { untilListed } from "./presence.js";
import { downloadWithCli } from "./with-cli.js";

export interface DownloadContext {
  readonly service: Service;
  /** The command line of this machine, for services that do not download over HTTP. */
  readonly cli: () => Promise<FoundryCli | null>;
  /** Set where the service is embedded in a process of this program: it downloads by itself. */
  readonly embedded?: EmbeddedDownloads | undefined;
  readonly machine: Machine;
}

type DownloadMethodCall = Omit<DownloadCall, "stallMs">;

export interface DownloadMethod {
  /** Decides what the error of a cancellation says. */
  readonly stage: Stage;
  download(model: KnownModel, call: DownloadMethodCall): Promise<DownloadResult["status"]>;
}

/** The part of an embedded core that downloads. */
export interface EmbeddedDownloads {
  download(model: KnownModel, call: DownloadMethodCall): Promise<void>;
}

/**
 * Selects the download method for a service: the service itself over HTTP, an embedded core, or the
 * command line of this machine, if it downloads to where the service looks.
 *
 * @throws FoundryError `DOWNLOAD_UNAVAILABLE` with what the user can do where there is no method.
 */
export async function selectDownloadMethod(
  model: KnownModel,
  context: DownloadContext,
  limits: DownloadLimits,
  signal: AbortSignal,
): Promise<DownloadMethod> {
  const { service, embedded } = context;
  const { can, download } = await service.dialect(signal);
  if (download !== undefined) {
    return {
      stage: "service",
      download: (wanted, call) =>
        untilAborted(download(wanted, { ...call, stallMs: limits.stallMs }), call.signal),
    };
  }
  if (embedded !== undefined) return embeddedMethod(embedded, service, limits);
  if (!can.isFoundryLocal) throw ofAnotherEngine(model);
  if (!service.isOnThisMachine) throw onAnotherMachine(model);
  const cli = await context.cli();
  if (cli === null) throw withoutCli(model);
  // An id that begins with a dash would be an option of the command.
  if (!/^[\p{L}\p{N}_]/u.test(model.id)) throw withOddName();
  const cache = await service.modelCachePath(signal).catch(() => null);
  await assertReaches(cli, cache, model, context, signal);
  return {
    stage: "daemon",
    async download(wanted, call) {
      await downloadWithCli(wanted, { service, cli, cache, limits, ...call });
      return "downloaded";
    },
  };
}

/** Refuses a command line whose downloads would not reach the service. */
async function assertReaches(
  cli: FoundryCli,
  cache: string | null,
  model: KnownModel,
  { service, machine }: DownloadContext,
  signal: AbortSignal,
): Promise<void> {
  // One of the older generation may have been replaced since.
  if (cli.generation !== "server") await cli.status({ signal });
  if (cli.generation === "service") throw withOldCli(model);
  const target = await cacheOf(cli, signal, machine.platform);
  if (signal.aborted) throw cancelledError();
  if (target.kind === "unreadable") return;
  if (target.kind === "unknown" && (cli.generation === null || cache !== null)) {
    throw withSilentCli(model);
  }
  if (target.kind === "unknown" || cache === null) return;
  if (await isSameFolder(target.path, cache, machine.platform)) return;
  // A loopback address may be the end of a tunnel; then the folder is one of another machine.
  throw (await service.isOnThisDisk()) === false ? onAnotherMachine(model) : withOtherCache(model);
}

const embeddedMethod = (
  embedded: EmbeddedDownloads,
  service: Service,
  limits: DownloadLimits,
): DownloadMethod => ({
  stage: "embedded",
  async download(model, { signal, onPercent }) {
    const stall = stallTimer(limits);
    const ended = AbortSignal.any([signal, stall.signal]);
    let last: number | null = null;
    const work = embedded.download(model, {
      signal: ended,
      onPercent: (percent) => {
        if (percent !== last) stall.progress();
        last = percent;
        onPercent(percent);
      },
    });
    try {
      await untilAborted(work, ended);
    } catch (error) {
      throw stall.signal.aborted && !signal.aborted ? stalled(model, limits.stallMs, last) : error;
    } finally {
      stall.stop();
    }
    await untilListed(service, model, limits, signal);
    return "downloaded";
  },
});

/** Longest wait for the answer of the command line, in milliseconds. */
const CACHE_MS = 30_000;

const locationSchema = z.object({ path: z.string().min(1) });

/** Where the newer command line stores models, as far as it says. */
type CliCache =
  | { readonly kind: "folder"; readonly path: string }
  /** It prints a path that cannot be decoded: in the code page of a Windows console. */
  | { readonly kind: "unreadable" }
  | { readonly kind: "unknown" };

export async function cacheOf(
  cli: FoundryCli,
  signal: AbortSignal,
  platform: NodeJS.Platform,
): Promise<CliCache> {
  const { end, stdout } = await cli.run(["cache", "location", "-o", "json"], {
    timeoutMs: CACHE_MS,
    signal,
  });
  if (end.kind !== "exited" || end.code !== 0) return { kind: "unknown" };
  const values = [...jsonObjectsIn(stdout)];
  const found = values.flatMap((value) => locationSchema.safeParse(value).data ?? []).at(-1);
  if (found !== undefined) return { kind: "folder", path: found.path };
  // In some code pages the second byte of a letter is a backslash, which breaks JSON.
  const isRead = values.some((value) => "path" in Object(value));
  const isUnreadable = platform === "win32" && !isRead && /"path"\s*:/.test(stdout);
  return { kind: isUnreadable ? "unreadable" : "unknown" };
}

/**
 * Whether two paths name the same folder, by their spelling. On Windows a program may print letters
 * beyond ASCII in the code page of a console, which are decoded as `\ufffd`, or replace those that the
 * code page lacks by `?`: either matches any number of letters.
 */
export function isSamePath(one: string, other: string, platform: NodeJS.Platform): boolean {
  const { resolve } = pathsOf(platform);
  const plain = (text: string): string => {
    const resolved = resolve(text.trim());
    return platform === "win32" || platform === "darwin" ? resolved.toLowerCase() : resolved;
  };
  const [first, second] = [plain(one), plain(other)];
  if (first === second || platform !== "win32") return first === second;
  return UNREADABLE.test(second)
    ? fits(first, second)
    : UNREADABLE.test(first) && fits(second, first);
}

const UNREADABLE = /[\ufffd?]/;

/** Whether a path matches one with unreadable letters. */
function fits(path: string, unreadable: string): boolean {
  const blurred = (text: string): string => text.replace(/(?:[^ -~]|\?)+/g, "?");
  return blurred(path) === blurred(unreadable);
}

/** The same for folders of this machine, links followed. */
export async function isSameFolder(
  one: string,
  other: string,
  platform: NodeJS.Platform,
): Promise<boolean> {
  const real = async (folder: string): Promise<string> => {
    const found = await inPool(() => realpath(folder).catch(() => folder), FILE_READ_MS);
    return found === LATE ? folder : found;
  };
  return isSamePath(await real(one), await real(other), platform);
}
