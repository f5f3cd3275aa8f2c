import { orRefused } from "../answers.js";
import type { Dialect, DialectContext } from "../dialect.js";
import { KESTREL, type Route, route, routeOf } from "../kestrel.js";
import { chatCompletions } from "./chat.js";
import { type Core1, Core1Error, type Handler, Memory, ProcessDied } from "./core1.js";
import { embeddings } from "./embeddings.js";
import { getModel, listLoaded, listModels, load, status, unload } from "./model-routes.js";
import { createResponse } from "./responses.js";
import { CORE1_SWITCHES } from "./switches.js";

/** The closed core 1.x with its web service, as 1.2.4 is. */
export function c1(context: DialectContext): Dialect {
  const switches = { ...CORE1_SWITCHES, ...context.switches };
  const core: Core1 = { context, switches, memory: new Memory(context) };
  return {
    profile: KESTREL,
    answer: async (request) => {
      const found = await routeOf(ROUTES, request);
      if (found === null) return;
      const handled = found.handler({ core, request, name: found.name });
      await orRefused(request.reply, handled, Core1Error).catch((error: unknown) => {
        if (!(error instanceof ProcessDied)) throw error;
      });
    },
  };
}

const ROUTES: readonly Route<Handler>[] = [
  route("GET", "/models/loaded", listLoaded),
  route("GET", "/models/load/*", load),
  route("GET", "/models/unload/*", unload),
  route("GET", "/v1/models", listModels),
  route("GET", "/v1/models/*", getModel),
  route("GET", "/status", status),
  route("POST", "/v1/chat/completions", chatCompletions),
  route("POST", "/v1/embeddings", embeddings),
  route("POST", "/v1/responses", createResponse),
];
