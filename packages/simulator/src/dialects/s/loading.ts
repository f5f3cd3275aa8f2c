import type { DialectRequest } from "../dialect.js";
import { empty, ServiceError } from "./answers.js";
import { flagIn, queryOf, secondsIn } from "./request.js";
import type { Service } from "./service.js";

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
