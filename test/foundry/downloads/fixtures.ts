import {
  type FoundryCliOptions,
  type FoundryCliStandIn,
  type Simulator,
  startFoundryCli,
} from "foundry-local-simulator";
import { onTestFinished } from "vitest";
import type { StatusUpdate } from "../../../src/foundry/calls.js";
import { type FoundryCli, findFoundryCli } from "../../../src/foundry/cli/index.js";
import type { EmbeddedDownloads } from "../../../src/foundry/downloads/download-method.js";
import { type DownloadLimits, ModelDownloader } from "../../../src/foundry/downloads/index.js";
import type { KnownModel } from "../../../src/foundry/models/index.js";
import { Service } from "../../../src/foundry/service/service.js";
import { timeLimit } from "../../../src/lib/index.js";
import { type Machine, thisMachine } from "../../../src/platform/machine.js";
import { temporaryFolder } from "../../temporary-folder.js";

export const MISSING = {
  id: "walker-generic-cpu:1",
  alias: "walker",
  sizeMb: 2662,
  downloaded: false,
};
export const ANOTHER = { id: "runner-generic-cpu:2", alias: "runner", downloaded: false };

/** Quick enough for tests; none of them waits for its end. */
export const QUICK = { pollMs: 20, settleMs: 3000, graceMs: 200, stallMs: 20_000 };

/**
 * The time limit without progress, which does not run before `begin()`: on a loaded machine a command takes seconds to
 * start. `hold()` is the state before that.
 */
export function heldLimit() {
  let hasBegun = false;
  let waiting: (() => void) | null = null;
  const startLimit: DownloadLimits["startLimit"] = (ms, onOver) => {
    let stop = (): void => {
      waiting = null;
    };
    const start = (): void => {
      stop = timeLimit(ms, onOver);
    };
    if (hasBegun) start();
    else waiting = start;
    return () => stop();
  };
  const begin = (): void => {
    hasBegun = true;
    waiting?.();
    waiting = null;
  };
  const hold = (): void => {
    hasBegun = false;
  };
  return { startLimit, begin, hold };
}

/** A machine like this one with its own home, so that its downloads wait for no other test. */
export async function machine(): Promise<Machine> {
  const home = await temporaryFolder("home-");
  return { ...thisMachine(), home };
}

export async function standIn(
  service: Simulator,
  switches: NonNullable<FoundryCliOptions["switches"]> = {},
  generation: FoundryCliOptions["generation"] = "server",
): Promise<FoundryCliStandIn> {
  const cli = await startFoundryCli({ generation, service, switches });
  onTestFinished(() => cli.close());
  return cli;
}

export const cliAt = (path: string): Promise<FoundryCli | null> =>
  findFoundryCli(thisMachine(), path);

export function serviceAt(url: string): Service {
  const service = new Service(url, { retry: { retries: 0 } });
  onTestFinished(() => service.close());
  return service;
}

interface Parts {
  readonly url: string;
  readonly cli?: Pick<FoundryCliStandIn, "path"> | null;
  readonly limits?: Partial<DownloadLimits>;
  readonly machine?: Machine;
  readonly embedded?: EmbeddedDownloads;
}

export async function downloaderFor(parts: Parts): Promise<ModelDownloader> {
  const { cli = null, embedded } = parts;
  return new ModelDownloader(
    {
      service: serviceAt(parts.url),
      cli: async () => (cli === null ? null : cliAt(cli.path)),
      machine: parts.machine ?? (await machine()),
      embedded,
    },
    { limits: { ...QUICK, ...parts.limits } },
  );
}

/** The model of this id as the downloader's service lists it now. */
export async function known(
  { context: { service } }: ModelDownloader,
  id: string = MISSING.id,
): Promise<KnownModel> {
  const { models } = await service.models.all(service.patient());
  const model = models.find((listed) => listed.id === id);
  if (model === undefined) throw new Error(`there is no ${id}`);
  return model;
}

/** Collects status updates. */
export function listener(): {
  readonly updates: StatusUpdate[];
  readonly onStatus: (update: StatusUpdate) => void;
} {
  const updates: StatusUpdate[] = [];
  return { updates, onStatus: (update) => updates.push(update) };
}
