import type { Headers, HttpProfile } from "../../wire/http.js";

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
    ...contentType(answer.contentType),
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

function contentType(value: string | null): Headers {
  return value === null ? [] : [["Content-Type", value]];
}
