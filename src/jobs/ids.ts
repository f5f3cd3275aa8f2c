import { createHmac, hash, randomBytes } from "node:crypto";
import * as z from "zod";
import { FoundryError, membersKey, parseArguments, truncate } from "../lib/index.js";

type IdKind = "completion" | "batch";

const PREFIXES: Readonly<Record<IdKind, string>> = { completion: "c", batch: "b" };

/** Why there is nothing with an id. */
type Standing = "expired" | "other_kind" | "other_run" | "unknown";

/**
 * Ids such as `c-k3f9x2q7mad4-17`: the kind, four characters of this run of the server, a code, a number. The code
 * is made of the number and a secret of the run, so that an id cannot be guessed from others: hosts that share a
 * server read and cancel their tasks by it. The id shows why a completion is not found (evicted, of an earlier run,
 * never given), without a list of all earlier ids.
 */
export class Ids {
  readonly #secret = randomBytes(16);
  readonly #run = base36(randomBytes(8), 4);
  readonly #last: Record<IdKind, number> = { completion: 0, batch: 0 };
  /** Ids that callers chose, until they are forgotten. */
  readonly #chosen = new Map<string, IdKind>();

  next(kind: IdKind): string {
    this.#last[kind] += 1;
    return this.#idOf(PREFIXES[kind], this.#last[kind]);
  }

  #idOf(prefix: string, number: number): string {
    const mac = createHmac("sha256", this.#secret).update(`${prefix}${number}`).digest();
    return `${prefix}-${this.#run}${base36(mac, 8)}-${number}`;
  }

  /** An id that a caller chose. */
  claim(id: string, kind: IdKind): void {
    this.#chosen.set(id, kind);
  }

  forget(id: string): void {
    this.#chosen.delete(id);
  }

  standingOf(id: string, kind: IdKind): Standing {
    // In earlier versions, two random characters stand in the place of the code.
    const [, prefix, run, number] =
      /^([a-z])-([a-z0-9]{4})(?:[a-z0-9]{2}|[a-z0-9]{8})-([1-9]\d{0,14})$/.exec(id) ?? [];
    if ((this.#chosen.get(id) ?? kind) !== kind) return "other_kind";
    if (prefix === undefined) return "unknown";
    if (prefix !== PREFIXES[kind]) {
      return Object.values(PREFIXES).includes(prefix) ? "other_kind" : "unknown";
    }
    if (run !== this.#run) return "other_run";
    const wasGiven =
      Number(number) <= this.#last[kind] && id === this.#idOf(prefix, Number(number));
    return wasGiven ? "expired" : "unknown";
  }
}

/** Random characters, of 5.2 bits each. */
const base36 = (bytes: Buffer, length: number): string =>
  bytes.readBigUInt64BE().toString(36).padStart(13, "0").slice(-length);

const idArgument = z.object({ id: z.string("the id of a completion") });

const WORDS = {
  completion: {
    kept: "finished ones are kept for 30 minutes, the latest 200",
    action: "Call `completions.list` for those that are kept, or `complete` to ask again.",
  },
  batch: {
    kept: "they are kept for 30 minutes",
    action: "Call `completeBatch` with prompts or requests to start one.",
  },
} as const;

/** @throws FoundryError `INVALID_ARGUMENT` if the id is not a string. */
export function notFound(id: string, kind: IdKind, ids: Ids): FoundryError {
  parseArguments(idArgument, { id });
  const standing = ids.standingOf(id, kind);
  if (standing === "other_kind") return otherKind(id, kind);
  const { kept, action } = WORDS[kind];
  const what = {
    expired: `The ${kind} ${shown(id)} is not kept any more: ${kept}.`,
    other_run: `The ${kind} ${shown(id)} is from an earlier run of this program, and was not kept after the end of that run.`,
    unknown: `There is no ${kind} ${shown(id)}.`,
  }[standing];
  return new FoundryError("COMPLETION_NOT_FOUND", what, { action });
}

/** @param wanted What the id is not of. */
export const otherKind = (id: string, wanted: IdKind): FoundryError =>
  wanted === "completion"
    ? new FoundryError(
        "COMPLETION_NOT_FOUND",
        `${shown(id)} is the id of a batch, not of a completion.`,
        { action: "Read its results in the loop over `completeBatch`." },
      )
    : new FoundryError(
        "INVALID_ARGUMENT",
        `${shown(id)} is the id of a completion, not of a batch.`,
        {
          action:
            "Read it with `completions.get`, or give the batch_id that `completeBatch` answered.",
        },
      );

const shown = (id: string): string => JSON.stringify(truncate(id, 64).toWellFormed());

/**
 * A key that is equal for identical requests. It is a hash, since a prompt may be megabytes long. `null` for a value
 * that is not a request, which is refused when it begins, and for what is nested too deeply to be compared.
 */
export function requestKey(request: object): string | null {
  try {
    return hash("sha256", membersKey(request), "base64");
  } catch {
    return null;
  }
}
