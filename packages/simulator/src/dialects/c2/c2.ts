import type { Family } from "../../models/store.js";
import type { HttpProfile } from "../../wire/http.js";
import { json, orRefused } from "../answers.js";
import type { Dialect, DialectContext } from "../dialect.js";
import { chatCompletions } from "./chat.js";
import { embeddings } from "./embeddings.js";
import { C2Error, noMapping } from "./errors.js";
import { getModel, type Handler, listLoaded, listModels, load, unload } from "./model-routes.js";
import { createResponse } from "./responses.js";

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
        request.reply.whole(noMapping(method, target));
        return;
      }
      const name = path[route.segments.indexOf("*")] ?? "";
      const handled = route.handler(context, request, route.family, name);
      await orRefused(request.reply, handled, C2Error);
    },
  };
}

function routesOf({ version }: DialectContext): Route[] {
  const status: Handler = async ({ url, modelCachePath }, { reply }) =>
    reply.whole(json({ endpoints: [url()], modelCachePath, pid: process.pid }));
  const shutdown: Handler = async ({ die }, { reply }) => {
    die("shutdown");
    reply.abandon();
  };
  return [
    route("GET", "/status", status),
    route("POST", "/shutdown", shutdown),
    ...familyRoutes("public", ""),
    ...(version.localCatalogFamily ? familyRoutes("local", "/catalogs/local") : []),
  ];
}

function familyRoutes(family: Family, prefix: string): Route[] {
  // Nothing is stored. By this list clients recognize the version.
  const listResponses: Handler = async (_, { reply }) =>
    reply.whole(json({ data: [], first_id: null, has_more: false, last_id: null, object: "list" }));
  const routes: [string, string, Handler][] = [
    ["GET", "/models/loaded", listLoaded],
    ["GET", "/models/load/*", load],
    ["GET", "/models/unload/*", unload],
    ["GET", "/v1/models", listModels],
    ["GET", "/v1/models/*", getModel],
    ["POST", "/v1/chat/completions", chatCompletions],
    ["POST", "/v1/embeddings", embeddings],
    ["GET", "/v1/responses", listResponses],
    ["POST", "/v1/responses", createResponse],
  ];
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

const SERVER = ["Server", "oatpp/1.3.0"] as const;

/** oatpp 1.3.0 on the wire (`docs/foundry-local.md`, section 7). */
export const OATPP: HttpProfile = {
  maxHeadBytes: 4096,
  tooLong: "reset",
  // oatpp omits the blank line that should end it.
  continueLine: "HTTP/1.1 100 Continue\r\n",
  lateChunkEnd: true,
  wholeHeaders: (answer, length, closes) => [
    ["Content-Length", String(length)],
    ["Connection", closes ? "close" : "keep-alive"],
    SERVER,
    ...(answer.contentType === null ? [] : [["Content-Type", answer.contentType] as const]),
    ...(answer.headers ?? []),
  ],
  // The handler sets three of them, and the framework sets them again.
  streamHeaders: (closes) => [
    ["Connection", "keep-alive"],
    ["Connection", closes ? "close" : "keep-alive"],
    ["Transfer-Encoding", "chunked"],
    SERVER,
    ["Cache-Control", "no-cache"],
    ["Cache-Control", "no-cache"],
    ["Content-Type", "text/event-stream"],
    ["Content-Type", "text/event-stream"],
  ],
  readsBody: (head) => head.method === "POST",
};
