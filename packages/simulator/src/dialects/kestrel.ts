import type { HttpProfile, WholeAnswer } from "../wire/http.js";
import { decoded, empty } from "./answers.js";
import type { DialectRequest } from "./dialect.js";

const SERVER = ["Server", "Kestrel"] as const;
const CHUNKED = ["Transfer-Encoding", "chunked"] as const;
/** Kestrel writes the date itself, before the server's name. */
const date = () => ["Date", new Date().toUTCString()] as const;
const closing = (closes: boolean) => (closes ? ([["Connection", "close"]] as const) : []);

/** ASP.NET Core's server on the wire, under S and C1 (`docs/foundry-local.md`, section 7). */
export const KESTREL: HttpProfile = {
  // 32 KiB of headers, and a request line of at most 8 KiB before them.
  maxHeadBytes: 40_960,
  tooLong: "431",
  continueLine: "HTTP/1.1 100 Continue\r\n\r\n",
  lateChunkEnd: false,
  wholeHeaders: (answer, length, closes) => [
    ...(answer.framing === undefined ? [["Content-Length", String(length)] as const] : []),
    ...(answer.contentType === null ? [] : [["Content-Type", answer.contentType] as const]),
    date(),
    SERVER,
    ...(answer.framing === "chunked" ? [CHUNKED] : []),
    ...closing(closes),
    ...(answer.headers ?? []),
  ],
  streamHeaders: (closes) => [
    ["Content-Type", "text/event-stream"],
    date(),
    SERVER,
    CHUNKED,
    ...closing(closes),
  ],
  // A body that no route needs is read and discarded.
  readsBody: () => true,
};

/** A route of ASP.NET Core. */
export interface Route<H> {
  readonly method: "GET" | "POST";
  /** `*` is any one segment. */
  readonly segments: readonly string[];
  readonly handler: H;
}

export const route = <H>(method: Route<H>["method"], path: string, handler: H): Route<H> => ({
  method,
  segments: path.split("/").slice(1),
  handler,
});

/**
 * The handler of a request, and the segment that stands for `*`, decoded; empty where the route has none.
 *
 * @returns `null` where there is no such route. Then it has been answered.
 */
export async function routeOf<H>(routes: readonly Route<H>[], request: DialectRequest) {
  const { method, target } = request.head;
  const path = segmentsOf(target);
  const here = routes.filter(({ segments }) => matches(segments, path));
  const found = here.find((known) => known.method === method);
  // The next request begins behind the body.
  if (found?.method !== "POST") await request.readBody();
  if (found !== undefined) {
    return { handler: found.handler, name: path[found.segments.indexOf("*")] ?? "" };
  }
  request.reply.whole(noRoute(here, method));
  return null;
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
function noRoute(here: readonly Pick<Route<unknown>, "method">[], method: string): WholeAnswer {
  if (here.length === 0) return empty(404);
  const allowed = here.map((known) => known.method).sort();
  return {
    ...empty(405),
    headers: [["Allow", allowed.join(", ")]],
    ...(method === "HEAD" && { framing: "none" }),
  };
}
