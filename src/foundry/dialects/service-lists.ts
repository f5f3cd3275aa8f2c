import { z } from "zod";
import type { ListedModel } from "./dialect.js";
import {
  type CatalogEntry,
  detailsOf,
  entryOf,
  relativeOf,
  sharedDetailsOf,
} from "./service-catalog.js";

const count = z.number().int().positive().nullish().catch(null);
const flag = z.boolean().nullish().catch(null);
const extrasSchema = z.object({
  id: z.string(),
  maxInputTokens: count,
  maxOutputTokens: count,
  toolCalling: flag,
  vision: flag,
});

/** What `/v1/models` of S says beyond the catalog; some builds do not have the route. */
export type Extras = z.output<typeof extrasSchema>;

/** `GET /v1/models` of S; what does not read like a model is left out. */
export const extrasListSchema = z.object({ data: z.array(z.unknown()) }).transform(({ data }) =>
  data.flatMap((element) => {
    const extras = extrasSchema.safeParse(element);
    return extras.success ? [extras.data] : [];
  }),
);

/** One list out of what S says in three: the catalog, and what is downloaded without being in it. */
export function listedModels(
  entries: readonly CatalogEntry[],
  cached: readonly string[],
  extras: readonly Extras[],
): ListedModel[] {
  const lowerCached = new Map(cached.map((id) => [id.toLowerCase(), id]));
  const ofCatalog = entries.map((entry) => {
    const own = lowerCached.get(entry.name.toLowerCase());
    return listed(own ?? entry.name, entry, own !== undefined, detailsOf(entry), extras);
  });
  const others = cached
    .filter((id) => entryOf(id, entries) === null)
    .map((id) => {
      const relative = relativeOf(id, entries);
      const details = relative === null ? {} : sharedDetailsOf(relative);
      return listed(id, relative, true, details, extras);
    });
  return [...ofCatalog, ...others];
}

function listed(
  id: string,
  entry: CatalogEntry | null,
  downloaded: boolean,
  details: NonNullable<ListedModel["details"]>,
  extras: readonly Extras[],
): ListedModel {
  const more = extras.find((candidate) => candidate.id.toLowerCase() === id.toLowerCase());
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
