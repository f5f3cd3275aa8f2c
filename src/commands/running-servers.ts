import { randomUUID } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import type { ClientMetrics, FoundryClient } from "../jobs/index.js";
import {
  FILE_READ_MS,
  inSnakeCase,
  jsonFrom,
  MOST_SERVERS_READ,
  SERVER_FILE_BYTES,
  type SecretMask,
  VERSION,
  waitFor,
} from "../lib/index.js";
import type { Logger } from "../log.js";
import type { Publication } from "../mcp/index.js";
import {
  inPool,
  isProcessAlive,
  LATE,
  makePrivateDirectory,
  ownUid,
  readSmallFile,
  replaceFile,
  serversDirectory,
  thisMachine,
} from "../platform/index.js";
import type { Settings } from "../settings.js";

/**
 * Each running server of a user writes what it has done into a file of its own, and `monitor` reads these.
 * A socket for each server would need a proof of identity on Windows, where every user can open a pipe.
 */

/** A server that ends sooner writes nothing. */
const WRITE_MS = 1000;
/** An idle server writes so often. */
const ALIVE_MS = 30_000;
/** Older files are of servers that were killed, whose process id another process has now. */
const STALE_MS = 3 * ALIVE_MS;
const FILE = /^(\d{1,10})\.json$/;

const percentiles = z.looseObject({ p50: z.number(), p95: z.number() }).nullable();
const count = z.number();

const serverSchema = z.looseObject({
  pid: z.int().positive(),
  version: z.string(),
  host: z.string().nullable(),
  url: z.string().nullable(),
  written_at: z.number(),
  metrics: z.looseObject({
    uptime_ms: count,
    endpoint: z.string().nullable(),
    queue: z.looseObject({ running: count, waiting: count }),
    circuit: z.looseObject({ state: z.string().nullable() }),
    last_error: z.looseObject({ code: z.string(), ago_ms: count }).nullable(),
    operations: z.array(
      z.looseObject({
        operation: z.string(),
        model: z.string().nullable(),
        completed: count,
        interrupted: count,
        failed: count,
        retries: count,
        latency_ms: percentiles,
        first_token_ms: percentiles,
        tokens_per_second: percentiles,
      }),
    ),
  }),
});

/** What a running server of this user has written last. */
export type RunningServer = z.output<typeof serverSchema>;

const ownServersDirectory = (): string => serversDirectory(thisMachine(), hostname());

/** Shows this server to `monitor`, except with FOUNDRY_KEEP=never. */
export function publicationOf(
  { FOUNDRY_KEEP: keep }: Settings,
  parts: Pick<ServerFileParts, "log" | "secrets"> & { readonly client: FoundryClient },
): Publication | undefined {
  if (keep === "never") return undefined;
  return new ServerFile({ ...parts, directory: ownServersDirectory() });
}

interface ServerFileParts {
  readonly client: Pick<FoundryClient, "metrics">;
  readonly directory: string;
  readonly log: Logger;
  /** Hidden in the names of models. */
  readonly secrets: SecretMask;
  /** For tests. */
  readonly pid?: number;
  /** For tests: after this time, a write is late. */
  readonly lateMs?: number;
}

/** The file of one server: written when something has changed, at most once a second. */
export class ServerFile implements Publication {
  host: string | null = null;
  url: string | null = null;
  readonly #parts: ServerFileParts;
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #isDirectoryMade = false;
  /** A file may be there, also one of a write that failed or came late. */
  #hasBegun = false;
  #written = "";
  #writtenAt = 0;
  /** Until the write has ended, also a late one. */
  #writing: Promise<unknown> | null = null;
  #isClosed = false;

  constructor(parts: ServerFileParts) {
    this.#parts = parts;
    this.#pid = parts.pid ?? process.pid;
    this.#timer = setInterval(() => this.write(), WRITE_MS).unref();
  }

  /** Writes the file, if something has changed and the write before has ended. */
  write(): void {
    if (this.#writing !== null || this.#isClosed) return;
    const { client, secrets } = this.#parts;
    const metrics = withoutSecrets(client.metrics(), secrets);
    const { host, url } = this;
    const state = JSON.stringify({ host, url, ...changing(metrics) });
    const isAliveKnown = performance.now() - this.#writtenAt < ALIVE_MS;
    if (state === this.#written && isAliveKnown) return;
    const own = { pid: this.#pid, version: VERSION, host, url, writtenAt: Date.now(), metrics };
    const text = JSON.stringify(inSnakeCase(own));
    this.#writing = this.#inPool(() => this.#replace(text))
      .then((isWritten) => {
        if (!isWritten) return;
        this.#written = state;
        this.#writtenAt = performance.now();
      })
      .catch((error: unknown) => {
        // A full or read-only disk: the next one may succeed, and nothing depends on it.
        this.#parts.log.debug({ detail: String(error) }, "the file for monitor was not written");
      })
      .finally(() => {
        this.#writing = null;
      });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    // A write that ended after the removal would leave its file.
    if (this.#writing !== null) await waitFor(this.#writing, { withinMs: FILE_READ_MS });
    if (!this.#hasBegun) return;
    const remove = () => rm(this.#path, { force: true });
    await inPool(remove, FILE_READ_MS).catch(() => {});
  }

  get #path(): string {
    return join(this.#parts.directory, `${this.#pid}.json`);
  }

  /** Waits also for work that is late, so that the next write cannot be overtaken by it. `false`: it had no turn. */
  async #inPool(work: () => Promise<void>): Promise<boolean> {
    const begun: Promise<void>[] = [];
    const start = (): Promise<void> => {
      const done = work();
      begun.push(done);
      return done;
    };
    await inPool(start, this.#parts.lateMs ?? FILE_READ_MS);
    await Promise.all(begun);
    return begun.length > 0;
  }

  async #replace(text: string): Promise<void> {
    const { directory } = this.#parts;
    this.#hasBegun = true;
    try {
      if (!this.#isDirectoryMade) {
        await makePrivateDirectory(directory);
        this.#isDirectoryMade = true;
        await removeLeftFiles(directory, this.#pid);
      }
      await replaceFile(this.#path, `${this.#path}.${randomUUID()}.tmp`, text);
    } catch (error) {
      // The folder may have been deleted.
      this.#isDirectoryMade = false;
      throw error;
    }
  }
}

function withoutSecrets(metrics: ClientMetrics, secrets: SecretMask): ClientMetrics {
  const hidden = <T extends { readonly model: string | null }>(counts: T): T => ({
    ...counts,
    model: counts.model === null ? null : secrets.hide(counts.model),
  });
  const { operations, lastError } = metrics;
  return {
    ...metrics,
    operations: operations.map(hidden),
    lastError: lastError === null ? null : hidden(lastError),
  };
}

/** Without what changes by itself. */
function changing({ uptimeMs: _up, lastError, background: _none, ...rest }: ClientMetrics) {
  return { ...rest, lastError: lastError?.code };
}

/**
 * Removes the files of dead processes, and the temporary ones of this process id: a restarted container
 * has the same one.
 */
async function removeLeftFiles(directory: string, ownPid: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const [, digits = "0", temporary] = /^(\d{1,10})\.json(\..+)?$/.exec(name) ?? [];
    const pid = Number(digits);
    const isLeft = pid === ownPid ? temporary !== undefined : pid > 0 && !isProcessAlive(pid);
    if (isLeft) await rm(join(directory, name), { force: true });
  }
}

/** The running servers of this user, the oldest process id first. */
export async function runningServers(
  directory = ownServersDirectory(),
): Promise<readonly RunningServer[]> {
  const names = await inPool(() => readdir(directory), FILE_READ_MS).catch(() => []);
  if (names === LATE) return [];
  const pids = names.flatMap((name) => Number(FILE.exec(name)?.[1] ?? 0) || []);
  const alive = pids.filter(isProcessAlive).toSorted((a, b) => a - b);
  const read = alive.slice(0, MOST_SERVERS_READ).map((pid) => serverOf(directory, pid));
  return (await Promise.all(read)).filter((server) => server !== null);
}

async function serverOf(directory: string, pid: number): Promise<RunningServer | null> {
  const file = await readSmallFile(join(directory, `${pid}.json`), {
    maxBytes: SERVER_FILE_BYTES,
    ownerUid: ownUid(),
  });
  if (!("text" in file)) return null;
  const { data } = serverSchema.safeParse(jsonFrom(file.text));
  return data === undefined || Date.now() - data.written_at > STALE_MS ? null : data;
}
