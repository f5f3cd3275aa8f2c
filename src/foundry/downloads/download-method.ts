import { cancelledError, untilAborted } from "../../lib/index.js";
import { type Machine, thisMachine } from "../../platform/index.js";
import type { FoundryCli } from "../cli/index.js";
import { type KnownModel, shortName } from "../models/index.js";
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
import type { DownloadLimits } from "./limits.js";
import { untilListed } from "./presence.js";
import { Stall } from "./stall.js";
import { downloadWithCli } from "./with-cli.js";

/** A core that this package hosts in a process of its own, as far as downloads go. */
export interface EmbeddedDownloads {
  download(
    model: { readonly id: string; readonly alias: string },
    call: {
      readonly signal: AbortSignal;
      readonly onPercent: (percent: number | null) => void;
    },
  ): Promise<void>;
}

export interface DownloadContext {
  /** The service whose models they become. */
  readonly service: Service;
  /** The command line of this machine, for services that do not download over HTTP. */
  readonly cli: () => Promise<FoundryCli | null>;
  /** Where the service is one that we host ourselves: it downloads. */
  readonly embedded?: EmbeddedDownloads | undefined;
  /** Default: this one. */
  readonly machine?: Machine | undefined;
}

export interface DownloadMethodCall {
  readonly signal: AbortSignal;
  readonly onPercent: (percent: number | null) => void;
}

/** One way to download a model for one service. */
export interface DownloadMethod {
  /** What to say of it when it is cancelled. */
  readonly stage: Stage;
  download(model: KnownModel, call: DownloadMethodCall): Promise<void>;
}

/**
 * How models get to a service: it fetches them itself, or we host it, or the command line of this
 * machine puts them where it looks.
 *
 * @throws FoundryError `DOWNLOAD_UNAVAILABLE` with what the user can do where there is no way.
 */
export async function selectDownloadMethod(
  model: KnownModel,
  context: DownloadContext,
  limits: DownloadLimits,
  signal: AbortSignal,
): Promise<DownloadMethod> {
  const { service, embedded } = context;
  const dialect = await service.dialect(signal);
  if (dialect.can.download) {
    return {
      stage: "service",
      download: (wanted, call) =>
        untilAborted(dialect.download(wanted, { ...call, stallMs: limits.stallMs }), call.signal),
    };
  }
  if (embedded !== undefined) return throughEmbedded(embedded, service, limits);
  if (dialect.name === "openai") throw ofAnotherEngine(model);
  if (!service.isOnThisMachine) throw onAnotherMachine(model);
  const cli = await context.cli();
  if (cli === null) throw withoutCli(model);
  // What begins with a dash would be an option of the command.
  if (!/^[\p{L}\p{N}_]/u.test(model.id)) throw withOddName();
  const status = await dialect.status({ limits: { wholeMs: STATUS_MS }, signal }).catch(() => null);
  const cache = status?.modelCachePath ?? null;
  await assertReaches(cli, cache, model, context, signal);
  return {
    stage: "daemon",
    download: (wanted, call) => downloadWithCli(wanted, { service, cli, cache, limits, ...call }),
  };
}

const STATUS_MS = 10_000;

/** Whether what a command line downloads gets to the service at all. */
async function assertReaches(
  cli: FoundryCli,
  cache: string | null,
  model: KnownModel,
  { service, machine = thisMachine() }: DownloadContext,
  signal: AbortSignal,
): Promise<void> {
  if (cli.generation === null) await cli.status({ signal });
  if (cli.generation === "service") throw withOldCli(model);
  const target = await cacheOf(cli, signal, machine.platform);
  if (signal.aborted) throw cancelledError();
  if (target.kind === "unreadable") return;
  if (target.kind === "nothing" && (cli.generation === null || cache !== null)) {
    throw withSilentCli(model);
  }
  if (target.kind === "nothing" || cache === null) return;
  if (await isSameFolder(target.path, cache, machine.platform)) return;
  // A loopback address may be the end of a tunnel; then its folder is nothing of ours.
  throw (await service.isOnThisDisk()) ? withOtherCache(model) : onAnotherMachine(model);
}

const throughEmbedded = (
  embedded: EmbeddedDownloads,
  service: Service,
  limits: DownloadLimits,
): DownloadMethod => ({
  stage: "embedded",
  async download(model, { signal, onPercent }) {
    const stall = new Stall(limits.stallMs);
    const ended = AbortSignal.any([signal, stall.signal]);
    let last: number | null = null;
    const work = embedded.download(
      { id: model.id, alias: shortName(model) },
      {
        signal: ended,
        onPercent: (percent) => {
          if (percent !== last) stall.moved();
          last = percent;
          onPercent(percent);
        },
      },
    );
    try {
      await untilAborted(work, ended);
    } catch (error) {
      throw stall.isStalled && !signal.aborted ? stalled(model, limits.stallMs, last) : error;
    } finally {
      stall.stop();
    }
    await untilListed(service, model, limits, signal);
  },
});
