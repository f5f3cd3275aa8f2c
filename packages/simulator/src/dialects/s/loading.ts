import { empty } from "../answers.js";
import type { DialectRequest } from "../dialect.js";
import { type Service, ServiceError } from "./service.js";

/** `GET /openai/load/{id}?ttl=&unload=&ep=`: answers without a body when the model is loaded. */
export async function load(
  service: Service,
  { head, reply }: DialectRequest,
  name: string,
): Promise<void> {
  const query = queryOf(head.target);
  const ttl = secondsIn(query, "ttl");
  const unload = flagIn(query, "unload", true);
  const model = service.find(name);
  if (model === null) throw ServiceError.noProvider(service.switches.missingModelStatus, name);
  await service.load(model);
  service.idle.loaded(model.id, ttl, unload);
  reply.whole(empty(200));
}

/** `GET /openai/unload/{id}?force=`. */
export async function unload(
  service: Service,
  { head, reply }: DialectRequest,
  name: string,
): Promise<void> {
  const { engine } = service;
  const force = flagIn(queryOf(head.target), "force", false);
  const model = service.find(name);
  if (model === null || !engine.store.isLoaded(model.id)) {
    reply.whole(empty(200));
    return;
  }
  if (!force && engine.store.sessions(model.id) > 0) throw new ServiceError(500, "");
  service.unload(model);
  reply.whole(empty(200));
}

/** `GET /openai/unloadall`: all models but those in use. */
export async function unloadAll(service: Service, { reply }: DialectRequest): Promise<void> {
  const { engine } = service;
  for (const model of service.models) {
    const idle = engine.store.isLoaded(model.id) && engine.store.sessions(model.id) === 0;
    if (idle) service.unload(model);
  }
  reply.whole(empty(200));
}

/** The query of a request's target. */
function queryOf(target: string): URLSearchParams {
  const at = target.indexOf("?");
  return new URLSearchParams(at < 0 ? "" : target.slice(at + 1));
}

/** Whole seconds; `null` when the query has none. @throws {ServiceError} 400 for anything else. */
function secondsIn(query: URLSearchParams, name: string): number | null {
  const given = query.get(name);
  if (given === null || given === "") return null;
  if (!/^-?\d+$/.test(given)) throw new ServiceError(400, "");
  return Number(given);
}

/** @throws {ServiceError} 400 for a value other than `true` and `false`, in any case. */
function flagIn(query: URLSearchParams, name: string, otherwise: boolean): boolean {
  const given = query.get(name)?.toLowerCase();
  if (given === undefined || given === "") return otherwise;
  if (given !== "true" && given !== "false") throw new ServiceError(400, "");
  return given === "true";
}
