import { gzipSync } from "node:zlib";
import type { Fault, Instead, Piece, Through } from "./proxy.js";

const HEAD_OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/** Writes as fast as the client reads, until it leaves. */
function flood(piece: Buffer, most = Number.POSITIVE_INFINITY, head = ""): Instead {
  return (client) => {
    let left = most;
    const more = (): void => {
      while (left > 0 && !client.destroyed) {
        left -= piece.length;
        if (!client.write(piece)) return;
      }
    };
    client.on("drain", more);
    client.write(head);
    more();
  };
}

/** After the head of the answer and a number of bytes or pieces of its stream. */
function after(
  point: { readonly body: number } | { readonly events: number },
  then: Piece["then"],
) {
  return (): Through => {
    let seen = Buffer.alloc(0);
    return (chunk) => {
      const before = seen.length;
      seen = Buffer.concat([seen, chunk]);
      const at = "body" in point ? bodyAt(seen, point.body) : eventAt(seen, point.events);
      if (at === null || then === undefined) return { send: chunk };
      return { send: chunk.subarray(0, Math.max(0, at - before)), then };
    };
  };
}

function bodyAt(seen: Buffer, bytes: number): number | null {
  const head = seen.indexOf("\r\n\r\n");
  return head < 0 || seen.length < head + 4 + bytes ? null : head + 4 + bytes;
}

function eventAt(seen: Buffer, events: number): number | null {
  let at = 0;
  for (let count = 0; count < events; count += 1) {
    const next = seen.indexOf("\n\n", at);
    if (next < 0) return null;
    at = next + 2;
  }
  return at;
}

/** The body replaced by meaningless bytes; its length and the head stay. */
function garbled(): Through {
  let hasHead = false;
  let seen = "";
  return (chunk) => {
    if (hasHead) return { send: Buffer.alloc(chunk.length, 0xf7) };
    const before = seen.length;
    seen += chunk.toString("latin1");
    const end = seen.indexOf("\r\n\r\n");
    if (end < 0) return { send: chunk };
    hasHead = true;
    const own = end + 4 - before;
    return {
      send: Buffer.concat([chunk.subarray(0, own), Buffer.alloc(chunk.length - own, 0xf7)]),
    };
  };
}

const answer =
  (head: string, body: string | Buffer = ""): Instead =>
  (client) => {
    client.write(`HTTP/1.1 ${head}\r\nContent-Length: ${body.length}\r\n\r\n`);
    client.end(body);
  };

const STATUSES = [
  "408 Request Timeout",
  "429 Too Many Requests",
  "500 Internal Server Error",
  "502 Bad Gateway",
  "503 Service Unavailable",
  "504 Gateway Timeout",
];

const withStatus = (status: string): Fault[] =>
  [
    ["", ""],
    [", `Retry-After: 0`", "\r\nRetry-After: 0"],
    [", `Retry-After: 3600`", "\r\nRetry-After: 3600"],
  ].map(([words, header]) => ({
    name: `status ${status.slice(0, 3)}${words}`,
    instead: answer(`${status}\r\nContent-Type: text/plain${header}`, "no"),
  }));

const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024, 0x20));

/** Faults before the first token, in the words of docs/faults.md. */
export const FAULTS: readonly Fault[] = [
  { name: "connection refused", proxy: (proxy) => proxy.refuse() },
  { name: "idle connections closed", proxy: (proxy) => proxy.closeIdle() },
  { name: "moved to another port", proxy: (proxy) => proxy.move() },
  { name: "answer 0.2 s later", delayMs: 200 },
  { name: "no answer", instead: () => {} },
  { name: "closed before the headers", instead: (client) => client.end() },
  { name: "reset before the headers", instead: (client) => client.resetAndDestroy() },
  {
    name: "reset inside the headers",
    instead: (client) =>
      void client.write("HTTP/1.1 200 OK\r\nContent-Ty", () =>
        setTimeout(() => client.resetAndDestroy(), 20),
      ),
  },
  { name: "reset after the headers", through: after({ body: 0 }, "reset") },
  { name: "reset inside the body", through: after({ body: 8 }, "reset") },
  { name: "closed inside the body", through: after({ body: 8 }, "end") },
  { name: "silence inside the body", through: after({ body: 8 }, "silence") },
  { name: "body without meaning", through: garbled },
  { name: "answer in single bytes", through: () => (chunk) => ({ send: chunk, bytewise: true }) },
  {
    name: "50 MB",
    instead: flood(
      Buffer.alloc(64 * 1024, 0x20),
      50 * 1024 * 1024,
      `${HEAD_OK}Content-Length: ${50 * 1024 * 1024}\r\n\r\n`,
    ),
  },
  {
    name: "endless headers",
    instead: flood(
      Buffer.from(`X-More: ${"x".repeat(8000)}\r\n`),
      Number.POSITIVE_INFINITY,
      HEAD_OK,
    ),
  },
  {
    name: "endless body",
    instead: flood(Buffer.alloc(64 * 1024, 0x20), Number.POSITIVE_INFINITY, `${HEAD_OK}\r\n`),
  },
  {
    name: "compressed bomb",
    instead: answer("200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip", bomb),
  },
  ...STATUSES.flatMap(withStatus),
];

const afterEvents = (events: number): readonly Fault[] => [
  { name: "reset between events", through: after({ events }, "reset") },
  { name: "closed between events", through: after({ events }, "end") },
  { name: "silence between events", through: after({ events }, "silence") },
];

/** Faults after some tokens of a stream. */
export const STREAM_FAULTS = afterEvents(6);
/** Faults after the first event, as a tool call is sent in few events. */
export const CALL_STREAM_FAULTS = afterEvents(1);
