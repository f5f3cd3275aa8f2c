import type { HttpProfile } from "../wire/profile.js";

const SERVER = ["Server", "Kestrel"] as const;
/** Kestrel writes the date itself, before the server's name. */
const date = () => ["Date", new Date().toUTCString()] as const;
const closing = (closes: boolean) => (closes ? ([["Connection", "close"]] as const) : []);

/** ASP.NET Core's server on the wire, under S and C1 (`docs/foundry-local.md`, section 7). */
export const KESTREL: HttpProfile = {
  maxHeadBytes: 32_768,
  tooLong: "431",
  continueLine: "HTTP/1.1 100 Continue\r\n\r\n",
  lateChunkEnd: false,
  wholeHeaders: (answer, length, closes) => [
    ["Content-Length", String(length)],
    ...(answer.contentType === null ? [] : [["Content-Type", answer.contentType] as const]),
    date(),
    SERVER,
    ...closing(closes),
    ...(answer.headers ?? []),
  ],
  streamHeaders: (closes) => [
    ["Content-Type", "text/event-stream"],
    date(),
    SERVER,
    ["Transfer-Encoding", "chunked"],
    ...closing(closes),
  ],
  readsBody: (head) => head.method === "POST",
};
