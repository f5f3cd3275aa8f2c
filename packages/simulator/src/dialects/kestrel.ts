import type { HttpProfile } from "../wire/http.js";

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
