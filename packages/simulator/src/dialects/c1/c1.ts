import type { WholeAnswer } from "../../wire/http.js";
import { decoded, empty, orRefused } from "../answers.js";
import type { Dialect, DialectContext } from "../dialect.js";
import { KESTREL } from "../kestrel.js";
import { chatCompletions } from "./chat.js";
import { type Core1, Core1Error, type Handler, Memory, ProcessDied } from "./core1.js";
import { embeddings } from "./embeddings.js";
import { getModel, listLoaded, listModels, load, status, unload } from "./model-routes.js";
import { createResponse } from "./responses.js";
import { CORE1_SWITCHES } from "./switches.js";

interface Route {
  readonly method: string;
  /** `*` is any one segment. */
  readonly segments: readonly string[];
  readonly handler: Handler;
}

/** The closed core 1.x with its web service, as 1.2.4 is. */
export function c1(context: DialectContext): Dialect {
  const switches = { ...CORE1_SWITCHES, ...context.switches };
  const core: Core1 = { context, switches, memory: new Memory(context) };
  return {
    profile: KESTREL,
    answer: async (request) => {
      const { method, target } = request.head;
      const path = segmentsOf(target);
      const here = ROUTES.filter(({ segments }) => matches(segments, path));
      const route = here.find((known) => known.method === method);
      // The next request begins behind the body.
      if (route?.method !== "POST") await request.readBody();
      if (route === undefined) {
        request.reply.whole(noRoute(here, method));
        return;
      }
      const name = path[route.segments.indexOf("*")] ?? "";
      const handled = route.handler({ core, request, name });
      await orRefused(request.reply, handled, Core1Error).catch((error: unknown) => {
        if (!(error instanceof ProcessDied)) throw error;
      });
    },
  };
}

const ROUTES: readonly Route[] = [
  route("GET", "models/loaded", listLoaded),
  route("GET", "models/load/*", load),
  route("GET", "models/unload/*", unload),
  route("GET", "v1/models", listModels),
  route("GET", "v1/models/*", getModel),
  route("GET", "status", status),
  route("POST", "v1/chat/completions", chatCompletions),
  route("POST", "v1/embeddings", embeddings),
  route("POST", "v1/responses", createResponse),
];

function route(method: string, path: string, handler: Handler): Route {
  return { method, segments: path.split("/"), handler };
}

/** Decoded; one slash at the end does not count. */
function segmentsOf(target: string): string[] {
  const path = (target.split("?")[0] ?? "").replace(/^\//, "").replace(/\/$/, "");
  return path.split("/").map(decoded);
}

/** Whatever the case of the words; a name stands for itself. */
function matches(segments: readonly string[], path: readonly string[]): boolean {
  return (
    segments.length === path.length &&
    segments.every((known, index) => {
      const found = path[index] ?? "";
      return known === "*" ? found !== "" : found.toLowerCase() === known;
    })
  );
}

/** 405 with the methods that there are, where only the method is wrong. */
function noRoute(here: readonly Route[], method: string): WholeAnswer {
  if (here.length === 0) return empty(404);
  const allowed = here.map((route) => route.method).sort();
  return {
    ...empty(405),
    headers: [["Allow", allowed.join(", ")]],
    ...(method === "HEAD" && { framing: "none" }),
  };
}
