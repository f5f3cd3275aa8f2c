import type { HttpProfile } from "../../wire/profile.js";

const SERVER = ["Server", "simulated"] as const;

/** HTTP/1.1 as an ordinary server speaks it. */
export const PLAIN_HTTP: HttpProfile = {
  maxHeadBytes: 65_536,
  tooLong: "431",
  continueLine: "HTTP/1.1 100 Continue\r\n\r\n",
  lateChunkEnd: false,
  wholeHeaders: (answer, length, closes) => [
    ["Date", new Date().toUTCString()],
    SERVER,
    ...(answer.contentType === null ? [] : [["Content-Type", answer.contentType] as const]),
    ["Content-Length", String(length)],
    ["Connection", closes ? "close" : "keep-alive"],
    ...(answer.headers ?? []),
  ],
  streamHeaders: (closes) => [
    ["Date", new Date().toUTCString()],
    SERVER,
    ["Content-Type", "text/event-stream; charset=utf-8"],
    ["Cache-Control", "no-cache"],
    ["Transfer-Encoding", "chunked"],
    ["Connection", closes ? "close" : "keep-alive"],
  ],
  readsBody: (head) => head.method === "POST",
};
