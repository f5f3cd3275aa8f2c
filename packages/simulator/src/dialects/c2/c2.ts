import type { Family } from "../../models/store.js";
import type { Dialect, DialectContext, DialectRequest } from "../dialect.js";
import { transcriptions } from "./audio.js";
import { chatCompletions } from "./chat.js";
import { embeddings } from "./embeddings.js";
import { C2Error, errorAnswer, FrameworkError, frameworkAnswer, json } from "./errors.js";
import { chatInputTokens, responseInputTokens } from "./input-tokens.js";
import { getModel, listLoaded, listModels, load, unload } from "./model-routes.js";
import { deleteResponse, getResponse, inputItems, listResponses } from "./response-routes.js";
import { ResponseStore } from "./response-store.js";
import { createResponse } from "./responses.js";
import { OATPP } from "./transport.js";

type Handler = (
  context: DialectContext,
  request: DialectRequest,
  family: Family,
  name: string,
) => Promise<void>;

interface Route {
  readonly method: string;
  /** `*` is any one segment. */
  readonly segments: readonly string[];
  readonly family: Family;
  readonly handler: Handler;
}

/** The open-source C++ core with its web service. */
export function c2(context: DialectContext): Dialect {
  const routes = routesOf(context);
  return {
    profile: OATPP,
    answer: async (request) => {
      const { method, target } = request.head;
      const path = segmentsOf(target);
      const route = routes.find((known) => matches(known, method, path));
      if (route === undefined) {
        request.reply.whole(noMapping(context, method, target));
        return;
      }
      const name = path[route.segments.indexOf("*")] ?? "";
      try {
        await route.handler(context, request, route.family, name);
      } catch (error) {
        if (error instanceof C2Error) request.reply.whole(errorAnswer(error));
        else if (error instanceof FrameworkError) {
          request.reply.whole(frameworkAnswer(500, error.message));
        } else throw error;
      }
    },
  };
}

function routesOf(context: DialectContext): Route[] {
  const { switches } = context;
  const status: Handler = async ({ url, modelCachePath }, { reply }) =>
    reply.whole(json({ endpoints: [url()], modelCachePath, pid: process.pid }));
  const shutdown: Handler = async ({ die }, { reply }) => {
    die("shutdown");
    if (switches.shutdown === "reply") reply.whole(json({ status: "shutting_down" }));
    else reply.abandon();
  };
  const routes = [route("GET", "/status", status), route("POST", "/shutdown", shutdown)];
  routes.push(...familyRoutes(context, "public", ""));
  if (switches.localCatalogFamily)
    routes.push(...familyRoutes(context, "local", "/catalogs/local"));
  return routes;
}

function familyRoutes(context: DialectContext, family: Family, prefix: string): Route[] {
  // Each family keeps its own responses.
  const store = new ResponseStore(context.engine.store);
  const routes: [string, string, Handler][] = [
    ["GET", "/models/loaded", listLoaded],
    ["GET", "/models/load/*", load],
    ["GET", "/models/unload/*", unload],
    ["GET", "/v1/models", listModels],
    ["GET", "/v1/models/*", getModel],
    ["POST", "/v1/chat/completions", chatCompletions],
    ["POST", "/v1/audio/transcriptions", transcriptions],
    ["POST", "/v1/embeddings", embeddings],
    ["POST", "/v1/responses", (c, request, f) => createResponse(c, request, f, store)],
    ["GET", "/v1/responses", (_, request) => listResponses(request, store)],
    ["GET", "/v1/responses/*", (_, request, __, id) => getResponse(request, store, id)],
    ["DELETE", "/v1/responses/*", (c, request, __, id) => deleteResponse(c, request, store, id)],
    ["GET", "/v1/responses/*/input_items", (_, request, __, id) => inputItems(request, store, id)],
  ];
  if (context.switches.inputTokensRoutes) {
    routes.push(["POST", "/v1/chat/completions/input_tokens", chatInputTokens]);
    routes.push(["POST", "/v1/responses/input_tokens", responseInputTokens]);
  }
  return routes.map(([method, path, handler]) => route(method, prefix + path, handler, family));
}

function route(method: string, path: string, handler: Handler, family: Family = "public"): Route {
  return { method, segments: segmentsOf(path), family, handler };
}

/** Empty segments do not count: `//status/` is `/status`. Nothing is decoded. */
function segmentsOf(target: string): string[] {
  const path = target.split("?")[0] ?? "";
  // A request target that is a whole URL is no path to oatpp.
  if (!path.startsWith("/")) return [path];
  return path.split("/").filter((segment) => segment !== "");
}

function matches(known: Route, method: string, path: readonly string[]): boolean {
  return (
    known.method === method &&
    known.segments.length === path.length &&
    known.segments.every((segment, index) => segment === "*" || segment === path[index])
  );
}

function noMapping(context: DialectContext, method: string, target: string) {
  if (context.switches.jsonNotFound) return errorAnswer(new C2Error(404, "Not found"));
  return frameworkAnswer(404, `No mapping for HTTP-method: '${method}', URL: '${target}'`);
}
