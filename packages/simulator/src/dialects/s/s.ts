import { orRefused } from "../answers.js";
import type { Dialect, DialectContext, DialectRequest } from "../dialect.js";
import { KESTREL, type Route, route, routeOf } from "../kestrel.js";
import { chatCompletions, countTokens } from "./chat.js";
import { download } from "./download.js";
import { catalog, listDownloaded, listForOpenAI, listLoaded, status } from "./lists.js";
import { load, unload, unloadAll } from "./loading.js";
import { Service, ServiceError } from "./service.js";

type Handler = (service: Service, request: DialectRequest, name: string) => Promise<void>;

const ROUTES: readonly Route<Handler>[] = [
  route("GET", "/openai/status", status),
  route("GET", "/foundry/list", catalog),
  route("GET", "/openai/models", listDownloaded),
  route("GET", "/openai/loadedmodels", listLoaded),
  route("GET", "/openai/load/*", load),
  route("GET", "/openai/unload/*", unload),
  route("GET", "/openai/unloadall", unloadAll),
  route("POST", "/openai/download", download),
  route("GET", "/v1/models", listForOpenAI),
  route("POST", "/v1/chat/completions", chatCompletions),
  route("POST", "/v1/chat/completions/tokenizer/encode/count", countTokens),
];

/** The closed service of the old command line. */
export function s(context: DialectContext): Dialect {
  const service = new Service(context);
  return {
    profile: KESTREL,
    answer: async (request) => {
      const found = await routeOf(ROUTES, request);
      if (found === null) return;
      const handled = found.handler(service, request, found.name);
      await orRefused(request.reply, handled, ServiceError);
    },
  };
}
