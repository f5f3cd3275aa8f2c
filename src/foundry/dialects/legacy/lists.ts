import * as z from "zod";
import { MAX_TOKEN_COUNT } from "../../../lib/index.js";
import type { ListedModel } from "../../models/index.js";
import { isModelName } from "../answers.js";
import { type CatalogEntry, detailsOf, sharedDetailsOf, variantOf } from "./catalog.js";

const count = z.number().int().positive().max(MAX_TOKEN_COUNT).nullish().catch(null);
const flag = z.boolean().nullish().catch(null);
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
export const extrasListSchema = z.object({ data: z.array(z.unknown()) }).transform(({ data }) =>
  data.flatMap((element) => {
    const extras = extrasSchema.safeParse(element);
    return extras.success ? [extras.data] : [];
  }),
);

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
function firstBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T> {
  const first = new Map<string, T>();
  for (const item of items) {
    const key = keyOf(item);
    if (!first.has(key)) first.set(key, item);
  }
  return first;
}

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
