import * as z from "zod";
import type { HttpTransport } from "../../../http/index.js";
import {
  FoundryError,
  formatDuration,
  MOST_MODEL_MB,
  TIMED_OUT,
  toFoundryError,
  waitFor,
} from "../../../lib/index.js";
import { deviceOf, type ListedModel, type ModelDetails, parseModelId } from "../../models/index.js";
import { getterOf, isModelName, parseAnswer, tokenCountSchema } from "../answers.js";
import type { Call } from "../dialect.js";

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
/** The same if the last wait timed out, or an older catalog is cached. */
const SHORT_WAIT_MS = 1000;
/** How long the cached catalog is fresh: variants come and go while the service runs (#347, #995). */
const FRESH_MS = 300_000;

const text = z.string().nullish().catch(null);
const count = tokenCountSchema.nullish().catch(null);
const flag = z.boolean().nullish().catch(null);
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
  supportsToolCalling: flag,
  license: label,
  maxOutputTokens: count,
});

/** A model as the catalog describes it. Before 0.7 its name has no version. */
export type CatalogEntry = z.output<typeof entrySchema>;

/** The elements of a list that a schema can read. */
const readable = <T extends z.ZodType>(elements: readonly unknown[], schema: T): z.output<T>[] =>
  elements.flatMap((element) => {
    const parsed = schema.safeParse(element);
    return parsed.success ? [parsed.data] : [];
  });

/** In the reference of 2025 the array is wrapped in an object. The service never did that. */
const listSchema = z
  .union([z.array(z.unknown()), z.object({ models: z.array(z.unknown()) })])
  .transform((list) => (Array.isArray(list) ? list : list.models))
  .transform((elements) => {
    const entries = readable(elements, entrySchema);
    return { entries, leftOut: elements.length - entries.length };
  });

interface KnownCatalog {
  readonly entries: readonly CatalogEntry[];
  /** What is wrong with the catalog, as a sentence for people. */
  readonly warning: string | null;
  /** How many entries of the service's last answer are no models. */
  readonly leftOut: number;
}

export class ServiceCatalog {
  readonly #get: ReturnType<typeof getterOf>;
  readonly #now: () => number;
  #last: { readonly entries: readonly CatalogEntry[]; readonly at: number } | null = null;
  /** The request in flight. Never rejects: its result is in the other fields. */
  #request: Promise<void> | null = null;
  #requestedAt = 0;
  #failure: FoundryError | null = null;
  #wasSlow = false;
  #leftOut = 0;

  constructor(transport: HttpTransport, now: () => number = () => performance.now()) {
    this.#get = getterOf(transport);
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
   * @throws FoundryError the failure of the catalog, or `TIMEOUT`, if the cached one does not have the model.
   */
  async find(id: string, signal: AbortSignal): Promise<CatalogEntry | null> {
    const known = entryOf(id, this.known);
    if (known !== null) return known;
    // The limit of this wait can pass before the limit of the request, when the request has not failed yet.
    const hasArrived = await this.#wait(ANSWER_MS, signal);
    const entry = entryOf(id, this.known);
    if (entry !== null) return entry;
    if (!hasArrived) throw lateCatalog();
    if (this.#failure !== null) throw this.#failure;
    return null;
  }

  #isFresh(): boolean {
    return this.#last !== null && this.#now() - this.#last.at < FRESH_MS;
  }

  /** Waits for the request in flight; `false`: it took too long. The limit counts from its start. */
  async #wait(limitMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    const request = this.#startRequest();
    const withinMs = this.#requestedAt + limitMs - this.#now();
    const result = await waitFor(request, { withinMs, signal, ref: false });
    if (result === TIMED_OUT) this.#wasSlow = true;
    return result !== TIMED_OUT;
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
    const answer = await this.#get(PATH, { limits: { wholeMs: ANSWER_MS }, retry: false });
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

const lateCatalog = (): FoundryError =>
  new FoundryError(
    "TIMEOUT",
    `The service did not give its catalog of models within ${formatDuration(ANSWER_MS)}.`,
    {
      action:
        "Try again in some minutes: after its start the service first loads its catalog over the network. Check the network connection if that does not help.",
      retryable: true,
    },
  );

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
function entryOf(id: string, entries: readonly CatalogEntry[]): CatalogEntry | null {
  const wanted = id.toLowerCase();
  return entries.find(({ name }) => name.toLowerCase() === wanted) ?? null;
}

/** The part of the name that all versions of a model share (#162, #268). */
const variantOf = (id: string): string => parseModelId(id).name.toLowerCase();

const detailsOf = (entry: CatalogEntry): ModelDetails => ({
  ...sharedDetailsOf(entry),
  // 0 means "less than a megabyte" or "not reported".
  sizeMb: entry.fileSizeMb || null,
  maxOutputTokens: entry.maxOutputTokens ?? null,
  toolCalling: entry.supportsToolCalling ?? null,
  license: entry.license ?? null,
});

const sharedDetailsOf = ({ task, runtime }: CatalogEntry): ModelDetails => ({
  device: deviceOf(runtime?.deviceType),
  executionProvider: runtime?.executionProvider ?? null,
  task: task ?? null,
  vision: task != null && /vision/i.test(task) ? true : null,
});

const extrasSchema = z.object({
  id: z.string().refine(isModelName),
  maxInputTokens: count,
  maxOutputTokens: count,
  toolCalling: flag,
  vision: flag,
});

/** The facts in `/v1/models` that are not in the catalog. Some builds do not have the route. */
export type Extras = z.output<typeof extrasSchema>;

/** `GET /v1/models` of the legacy service. Entries that are not models are left out. */
export const extrasListSchema = z
  .object({ data: z.array(z.unknown()) })
  .transform(({ data }) => readable(data, extrasSchema));

/** Merges the catalog, the downloaded models and `/v1/models` into one list. */
export function listedModels(
  entries: readonly CatalogEntry[],
  cached: readonly string[],
  extras: readonly Extras[],
): ListedModel[] {
  const lowerCached = new Map(cached.map((id) => [id.toLowerCase(), id]));
  const byName = firstBy(entries, ({ name }) => name.toLowerCase());
  const byVariant = firstBy(entries, ({ name }) => variantOf(name));
  const extrasOf = firstBy(extras, ({ id }) => id.toLowerCase());
  const ofCatalog = entries.map((entry) => {
    const own = lowerCached.get(entry.name.toLowerCase());
    return listed(own ?? entry.name, entry, own !== undefined, detailsOf(entry), extrasOf);
  });
  const others = cached
    .filter((id) => !byName.has(id.toLowerCase()))
    .map((id) => {
      const relative = byVariant.get(variantOf(id)) ?? null;
      const details = relative === null ? {} : sharedDetailsOf(relative);
      return listed(id, relative, true, details, extrasOf);
    });
  return [...ofCatalog, ...others];
}

/** The first item of each key. */
const firstBy = <T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, T> =>
  new Map([...items].reverse().map((item) => [keyOf(item), item]));

function listed(
  id: string,
  entry: CatalogEntry | null,
  downloaded: boolean,
  details: NonNullable<ListedModel["details"]>,
  extrasOf: ReadonlyMap<string, Extras>,
): ListedModel {
  const more = extrasOf.get(id.toLowerCase());
  const { maxInputTokens, maxOutputTokens } = more ?? {};
  return {
    id,
    alias: entry?.alias ?? null,
    family: "public",
    downloaded,
    contextLength:
      maxInputTokens == null || maxOutputTokens == null ? null : maxInputTokens + maxOutputTokens,
    details: {
      ...details,
      maxOutputTokens: details.maxOutputTokens ?? maxOutputTokens ?? null,
      toolCalling: details.toolCalling ?? more?.toolCalling ?? null,
      vision: details.vision ?? more?.vision ?? null,
    },
  };
}
