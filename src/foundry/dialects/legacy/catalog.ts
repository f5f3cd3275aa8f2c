import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import type { HttpTransport } from "../../../http/index.js";
import {
  FoundryError,
  MAX_TOKEN_COUNT,
  MOST_MODEL_MB,
  toFoundryError,
  untilAborted,
} from "../../../lib/index.js";
import { deviceOf, type ModelDetails, parseModelId } from "../../models/index.js";
import { isModelName, parseAnswer } from "../answers.js";
import type { Call } from "../dialect.js";
import { errorOfFailure } from "../failures.js";

/**
 * The catalog of S, `GET /foundry/list`. The first answer after a start takes tens of seconds,
 * because the service fetches it and installs what its models need; without a network it is empty or
 * fails, while the downloaded models work (#78, #405, #752). So it is asked for once for all who want
 * it, none of whom waits long, and the last good one is kept.
 */

const PATH = "/foundry/list";

/** Longest the service may take, in milliseconds. */
const ANSWER_MS = 120_000;
/** Longest that a list waits for it. */
const PATIENCE_MS = 60_000;
/** The same where waiting did not help last time, or an older catalog serves. */
const SHORT_PATIENCE_MS = 1000;
/** How long a catalog is as good as new: variants come and go while the service runs (#347, #995). */
const FRESH_MS = 300_000;

const text = z.string().nullish().catch(null);
/** A word that is shown; not one that is sent back as it came. */
const word = z.string().refine(isModelName).nullish().catch(null);
const entrySchema = z.object({
  name: z.string().refine(isModelName),
  alias: word,
  providerType: text,
  uri: text,
  promptTemplate: z.record(z.string(), z.unknown()).nullish().catch(null),
  publisher: text,
  task: word,
  runtime: z.object({ deviceType: word, executionProvider: word }).nullish().catch(null),
  fileSizeMb: z.number().nonnegative().max(MOST_MODEL_MB).nullish().catch(null),
  supportsToolCalling: z.boolean().nullish().catch(null),
  license: word,
  maxOutputTokens: z.number().int().positive().max(MAX_TOKEN_COUNT).nullish().catch(null),
});

/** A model as the catalog describes it. Before 0.7 its name has no version. */
export type CatalogEntry = z.output<typeof entrySchema>;

/** The reference of 2025 wraps the array, the service never did. */
const listSchema = z
  .union([z.array(z.unknown()), z.object({ models: z.array(z.unknown()) })])
  .transform((list) => (Array.isArray(list) ? list : list.models))
  .transform((elements) => {
    const entries = elements.flatMap((element) => {
      const entry = entrySchema.safeParse(element);
      return entry.success ? [entry.data] : [];
    });
    return { entries, leftOut: elements.length - entries.length };
  });

export interface KnownCatalog {
  readonly entries: readonly CatalogEntry[];
  /** What is wrong with it, in a sentence for people. */
  readonly warning: string | null;
  /** How many entries of the service's last answer are no models. */
  readonly leftOut: number;
}

export class ServiceCatalog {
  readonly #transport: HttpTransport;
  readonly #now: () => number;
  #last: { readonly entries: readonly CatalogEntry[]; readonly at: number } | null = null;
  /** Never rejects: what it came to is in the other fields. */
  #asked: Promise<void> | null = null;
  #askedAt = 0;
  #failure: FoundryError | null = null;
  #isDisappointing = false;
  #leftOut = 0;

  constructor(transport: HttpTransport, now: () => number = () => performance.now()) {
    this.#transport = transport;
    this.#now = now;
  }

  /** What is known of it without asking. */
  get known(): readonly CatalogEntry[] {
    return this.#last?.entries ?? [];
  }

  /** The catalog as far as it is to be had within part of a call's time. Throws only for its signal. */
  async list({ limits, signal }: Call): Promise<KnownCatalog> {
    if (!this.#isFresh()) {
      const patience =
        this.#isDisappointing || this.#last !== null ? SHORT_PATIENCE_MS : PATIENCE_MS;
      await this.#wait(Math.min(patience, (limits.wholeMs ?? PATIENCE_MS) / 2), signal);
    }
    return { entries: this.known, warning: this.#warning(), leftOut: this.#leftOut };
  }

  /**
   * What the catalog says of a model, however long that takes; `null` where it does not have it.
   *
   * @throws FoundryError the failure of the catalog, where no earlier one tells.
   */
  async find(id: string, signal: AbortSignal): Promise<CatalogEntry | null> {
    const known = entryOf(id, this.known);
    if (known !== null) return known;
    await this.#wait(ANSWER_MS, signal);
    const entry = entryOf(id, this.known);
    if (entry === null && this.#failure !== null) throw this.#failure;
    return entry;
  }

  #isFresh(): boolean {
    return this.#last !== null && this.#now() - this.#last.at < FRESH_MS;
  }

  /** Waits for an answer that is on its way; the patience counts from when it was asked for. */
  async #wait(patienceMs: number, signal: AbortSignal | undefined): Promise<void> {
    const asked = this.#ask();
    const leftMs = Math.max(0, this.#askedAt + patienceMs - this.#now());
    const patience = new AbortController();
    const late = setTimeout(leftMs, "late" as const, { signal: patience.signal, ref: false });
    try {
      const first = await Promise.race([untilAborted(asked, signal), late]);
      if (first === "late") this.#isDisappointing = true;
    } finally {
      late.catch(() => {});
      patience.abort();
    }
  }

  #ask(): Promise<void> {
    if (this.#asked !== null) return this.#asked;
    this.#askedAt = this.#now();
    // With none of the callers' limits and signals: it is a question for all of them.
    this.#asked = this.#question()
      .then((entries) => {
        this.#last = { entries, at: this.#now() };
        this.#failure = null;
        this.#isDisappointing = false;
      })
      .catch((thrown: unknown) => {
        this.#failure = toFoundryError(thrown);
        this.#isDisappointing = true;
      })
      .finally(() => {
        this.#asked = null;
      });
    return this.#asked;
  }

  async #question(): Promise<readonly CatalogEntry[]> {
    const answer = await this.#transport.request({
      method: "GET",
      path: PATH,
      limits: { wholeMs: ANSWER_MS },
      retry: false,
      toError: (failure) => errorOfFailure(failure, { doing: "other" }),
    });
    const { entries, leftOut } = parseAnswer(answer, listSchema, PATH);
    this.#leftOut = leftOut;
    if (entries.length === 0) throw leftOut === 0 ? emptyCatalog() : unusableCatalog();
    return entries;
  }

  #warning(): string | null {
    if (this.#isFresh()) return null;
    if (this.#last !== null) {
      if (this.#failure === null) return null;
      const minutes = Math.round((this.#now() - this.#last.at) / 60_000);
      return `The service does not give its catalog of models now; what is listed of it is ${minutes} minutes old.`;
    }
    // That all entries were left out is said by their number.
    if (this.#failure !== null && this.#leftOut > 0) return null;
    return this.#failure === null
      ? "The service has not given its catalog of models yet, which takes up to some minutes after its start, so only downloaded models are listed. They can be used."
      : "The service has no catalog of models, probably because it cannot reach it over the network, so only downloaded models are listed. They may still work.";
  }
}

const emptyCatalog = (): FoundryError =>
  new FoundryError("SERVICE_ERROR", "The service's catalog of models is empty.", {
    action: "Check the network connection, which the service needs for its catalog.",
    retryable: true,
  });

const unusableCatalog = (): FoundryError =>
  new FoundryError("INVALID_RESPONSE", "No entry of the service's catalog is a model.", {
    action: "Restart the service; update it if that does not help.",
  });

/** What the catalog says of exactly this model. */
export function entryOf(id: string, entries: readonly CatalogEntry[]): CatalogEntry | null {
  const wanted = id.toLowerCase();
  return entries.find(({ name }) => name.toLowerCase() === wanted) ?? null;
}

/** What the names of all versions of a model have in common (#162, #268). */
export const variantOf = (id: string): string => parseModelId(id).name.toLowerCase();

export const detailsOf = (entry: CatalogEntry): ModelDetails => ({
  ...sharedDetailsOf(entry),
  // 0 says "less than a megabyte" or "not said", never a size.
  sizeMb: entry.fileSizeMb || null,
  maxOutputTokens: entry.maxOutputTokens ?? null,
  toolCalling: entry.supportsToolCalling ?? null,
  license: entry.license ?? null,
});

export const sharedDetailsOf = ({ task, runtime }: CatalogEntry): ModelDetails => ({
  device: deviceOf(runtime?.deviceType),
  executionProvider: runtime?.executionProvider ?? null,
  task: task ?? null,
  vision: task != null && /vision/i.test(task) ? true : null,
});
