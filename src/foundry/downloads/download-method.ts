import { cancelledError, untilAborted } from "../../lib/index.js";
import type { Machine } from "../../platform/index.js";
import type { DownloadResult } from "../calls.js";
import type { FoundryCli } from "../cli/index.js";
import type { DownloadCall } from "../dialects/index.js";
import type { KnownModel } from "../models/index.js";
import type { Service } from "../service/index.js";
import { cacheOf, isSameFolder } from "./cli-cache.js";
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
import { type DownloadLimits, StallTimer } from "./limits.js";
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
    const stall = new StallTimer(limits);
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
      throw stall.isStalled && !signal.aborted ? stalled(model, limits.stallMs, last) : error;
    } finally {
      stall.stop();
    }
    await untilListed(service, model, limits, signal);
    return "downloaded";
  },
});
