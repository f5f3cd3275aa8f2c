import * as z from "zod";
import type { HttpTransport } from "../../../http/index.js";
import {
  FoundryError,
  MAX_TOKEN_COUNT,
  MOST_MODEL_MB,
  TIMED_OUT,
  toFoundryError,
  waitFor,
} from "../../../lib/index.js";
import { deviceOf, type ModelDetails, parseModelId } from "../../models/index.js";
import { isModelName, parseAnswer } from "../answers.js";
import type { Call } from "../dialect.js";
import { errorOfFailure } from "../failures.js";

/**
 * The catalog of the legacy service (CLI 0.8 or before), `GET /foundry/list`. The first answer after
 * a start takes tens of seconds, because the service downloads the catalog and execution providers.
 * Without a network it is empty or fails, while the downloaded models work (#78, #405, #752). So
 * concurrent callers share one request, none waits long, and the last good catalog is cached.
 */

const PATH = "/foundry/list";

/** The time limit of the request, in milliseconds. */
const ANSWER_MS = 120_000;
/** The longest wait of a list of models for the catalog. */
const LIST_WAIT_MS = 60_000;
/** The same if the last wait was in vain, or an older catalog is cached. */
const SHORT_WAIT_MS = 1000;
/** How long the cached catalog is fresh: variants come and go while the service runs (#347, #995). */
const FRESH_MS = 300_000;

const text = z.string().nullish().catch(null);
/** A text that is shown, and never sent back to the service. */
const label = z.string().refine(isModelName).nullish().catch(null);
const entrySchema = z.object({
  name: z.string().refine(isModelName),
  alias: label,
  providerType: text,
  uri: text,
  promptTemplate: z.record(z.string(), z.unknown()).nullish().catch(null),
  publisher: text,
  task: label,
  runtime: z.object({ deviceType: label, executionProvider: label }).nullish().catch(null),
  fileSizeMb: z.number().nonnegative().max(MOST_MODEL_MB).nullish().catch(null),
  supportsToolCalling: z.boolean().nullish().catch(null),
  license: label,
  maxOutputTokens: z.number().int().positive().max(MAX_TOKEN_COUNT).nullish().catch(null),
});

/** A model as the catalog describes it. Before 0.7 its name has no version. */
export type CatalogEntry = z.output<typeof entrySchema>;

/** In the reference of 2025 the array is wrapped in an object. The service never did that. */
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
  /** What is wrong with the catalog, as a sentence for people. */
  readonly warning: string | null;
  /** How many entries of the service's last answer are no models. */
  readonly leftOut: number;
}

export class ServiceCatalog {
  readonly #transport: HttpTransport;
  readonly #now: () => number;
  #last: { readonly entries: readonly CatalogEntry[]; readonly at: number } | null = null;
  /** The request in flight. Never rejects: its result is in the other fields. */
  #request: Promise<void> | null = null;
  #requestedAt = 0;
  #failure: FoundryError | null = null;
  #wasSlow = false;
  #leftOut = 0;

  constructor(transport: HttpTransport, now: () => number = () => performance.now()) {
    this.#transport = transport;
    this.#now = now;
  }

  /** The cached catalog. */
  get known(): readonly CatalogEntry[] {
    return this.#last?.entries ?? [];
  }

  /** The catalog, if it arrives within half of the call's time. Throws only when aborted. */
  async list({ limits, signal }: Call): Promise<KnownCatalog> {
    if (!this.#isFresh()) {
      const waitMs = this.#wasSlow || this.#last !== null ? SHORT_WAIT_MS : LIST_WAIT_MS;
      await this.#wait(Math.min(waitMs, (limits.wholeMs ?? LIST_WAIT_MS) / 2), signal);
    }
    return { entries: this.known, warning: this.#warning(), leftOut: this.#leftOut };
  }

  /**
   * Finds a model in the catalog, after waiting for it if necessary; `null` if it is not there.
   *
   * @throws FoundryError the failure of the catalog, if the cached one does not have the model.
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

  /** Waits for the request in flight. The limit counts from its start. */
  async #wait(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    const request = this.#startRequest();
    const withinMs = this.#requestedAt + limitMs - this.#now();
    const result = await waitFor(request, { withinMs, signal, ref: false });
    if (result === TIMED_OUT) this.#wasSlow = true;
  }

  #startRequest(): Promise<void> {
    if (this.#request !== null) return this.#request;
    this.#requestedAt = this.#now();
    // Without the limits and signals of a single caller, because all callers share it.
    this.#request = this.#fetch()
      .then((entries) => {
        this.#last = { entries, at: this.#now() };
        this.#failure = null;
        this.#wasSlow = false;
      })
      .catch((thrown: unknown) => {
        this.#failure = toFoundryError(thrown);
        this.#wasSlow = true;
      })
      .finally(() => {
        this.#request = null;
      });
    return this.#request;
  }

  async #fetch(): Promise<readonly CatalogEntry[]> {
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

/** The catalog entry of exactly this model. */
export function entryOf(id: string, entries: readonly CatalogEntry[]): CatalogEntry | null {
  const wanted = id.toLowerCase();
  return entries.find(({ name }) => name.toLowerCase() === wanted) ?? null;
}

/** The part of the name that all versions of a model share (#162, #268). */
export const variantOf = (id: string): string => parseModelId(id).name.toLowerCase();

export const detailsOf = (entry: CatalogEntry): ModelDetails => ({
  ...sharedDetailsOf(entry),
  // 0 means "less than a megabyte" or "not reported".
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
