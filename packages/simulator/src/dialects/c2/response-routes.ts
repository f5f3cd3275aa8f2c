import type { DialectContext, DialectRequest } from "../dialect.js";
import { C2Error, json } from "./errors.js";
import type { ResponseStore, StoredResponse } from "./response-store.js";

/** `GET /v1/responses?limit=20&order=desc&after=<id>`; a limit that is none counts as 20. */
export async function listResponses(
  { head, reply }: DialectRequest,
  store: ResponseStore,
): Promise<void> {
  const query = new URLSearchParams(head.target.split("?")[1] ?? "");
  const asked = Number.parseInt(query.get("limit") ?? "", 10);
  const limit = asked >= 1 && asked <= 100 ? asked : 20;
  const newestFirst = store.newestFirst();
  const all = query.get("order") === "asc" ? newestFirst.reverse() : newestFirst;
  const after = all.findIndex(({ id }) => id === query.get("after"));
  const page = all.slice(after + 1, after + 1 + limit);
  reply.whole(
    listAnswer(
      page.map(({ object }) => object),
      page.map(({ id }) => id),
      page.length === limit,
    ),
  );
}

function listAnswer(data: readonly unknown[], ids: readonly string[], more: boolean) {
  const last_id = ids.at(-1) ?? null;
  return json({ data, first_id: ids[0] ?? null, has_more: more, last_id, object: "list" });
}

export async function getResponse(
  { reply }: DialectRequest,
  store: ResponseStore,
  id: string,
): Promise<void> {
  reply.whole(json(existing(store, id).object));
}

export async function deleteResponse(
  { switches }: DialectContext,
  { reply }: DialectRequest,
  store: ResponseStore,
  id: string,
): Promise<void> {
  existing(store, id);
  if (switches.responses === "2.1") store.removeChain(id);
  else store.remove(id);
  reply.whole(json({ deleted: true, id, object: "response.deleted" }));
}

export async function inputItems(
  { reply }: DialectRequest,
  store: ResponseStore,
  id: string,
): Promise<void> {
  const { input } = existing(store, id);
  reply.whole(
    listAnswer(
      input,
      input.map((item) => item.id),
      false,
    ),
  );
}

function existing(store: ResponseStore, id: string): StoredResponse {
  const response = store.get(id);
  if (response !== null) return response;
  throw new C2Error(404, `The response '${id}' does not exist.`, {
    code: "response_not_found",
    param: "id",
  });
}
