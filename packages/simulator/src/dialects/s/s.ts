import { decoded, empty, orRefused } from "../answers.js";
import type { Dialect, DialectContext, DialectRequest } from "../dialect.js";
import { KESTREL } from "../kestrel.js";
import { chatCompletions, countTokens } from "./chat.js";
import { download } from "./download.js";
import { catalog, listDownloaded, listForOpenAI, listLoaded, status } from "./lists.js";
import { load, unload, unloadAll } from "./loading.js";
import { Service, ServiceError } from "./service.js";

/** `name` is the last part of the path, decoded, where the route has one. */
type Handler = (service: Service, request: DialectRequest, name: string) => Promise<void>;

interface Route {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  readonly handler: Handler;
}

const route = (method: Route["method"], path: string, handler: Handler): Route => ({
  method,
  // ASP.NET ignores case and a slash at the end.
  path: new RegExp(`^${path.replace("{name}", "([^/]+)")}/?$`, "i"),
  handler,
});

const ROUTES: readonly Route[] = [
  route("GET", "/openai/status", status),
  route("GET", "/foundry/list", catalog),
  route("GET", "/openai/models", listDownloaded),
  route("GET", "/openai/loadedmodels", listLoaded),
  route("GET", "/openai/load/{name}", load),
  route("GET", "/openai/unload/{name}", unload),
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
    answer: (request) => orRefused(request.reply, answer(service, request), ServiceError),
  };
}

async function answer(service: Service, request: DialectRequest): Promise<void> {
  const { method, target } = request.head;
  const path = target.split("?")[0] ?? target;
  const matching = ROUTES.filter((route) => route.path.test(path));
  const found = matching.find((route) => route.method === method);
  if (found !== undefined) {
    await found.handler(service, request, decoded(found.path.exec(path)?.[1] ?? ""));
    return;
  }
  if (method === "POST") await request.readBody();
  const [other] = matching;
  if (other === undefined) throw new ServiceError(404, "");
  request.reply.whole({ ...empty(405), headers: [["Allow", other.method]] });
}
