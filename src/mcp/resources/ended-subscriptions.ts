import * as z from "zod";
import { hasEnded } from "../../jobs/index.js";
import type { Backend } from "../backend.js";
import { partOf } from "./completion-resource.js";
import { MOST_SUBSCRIPTIONS } from "./resource-updates.js";

/** A `subscriptions/listen`, or its acknowledgement: both have what is listened for. */
const listenSchema = z.looseObject({
  params: z.looseObject({
    notifications: z.looseObject({ resourceSubscriptions: z.array(z.string()) }),
  }),
});

/**
 * The URIs in a message of the later era about subscriptions whose completion has ended. It has no further
 * updates, so a host that waits for one would wait for ever.
 */
export async function endedAmong(
  { client: { completions }, kept }: Backend,
  message: unknown,
): Promise<readonly string[]> {
  const heard = listenSchema.safeParse(message);
  if (!heard.success) return [];
  const uris = heard.data.params.notifications.resourceSubscriptions.slice(0, MOST_SUBSCRIPTIONS);
  const idOf = (uri: string): string => partOf(uri)?.id ?? "";
  const ids = uris.map(idOf).filter((id) => id !== "");
  if (ids.length === 0) return [];
  await kept.find(ids);
  const ended = new Set(
    completions
      .list()
      .filter(hasEnded)
      .map(({ id }) => id),
  );
  return uris.filter((uri) => ended.has(idOf(uri)));
}
