import type { RequestHead } from "./head.js";

export type Headers = readonly (readonly [name: string, value: string])[];

/** How one kind of service speaks HTTP: what a dialect says about the bytes around its answers. */
export interface HttpProfile {
  /** Largest request line and headers, with the blank line, in bytes. */
  readonly maxHeadBytes: number;
  /** What happens to a longer one. */
  readonly tooLong: "reset" | "431";
  /** Sent when a request expects `100-continue`, before its body is read. */
  readonly continueLine: string;
  /** The CRLF that ends a chunk is sent with the next chunk only. */
  readonly lateChunkEnd: boolean;
  readonly wholeHeaders: (answer: WholeAnswer, length: number, closes: boolean) => Headers;
  readonly streamHeaders: (closes: boolean) => Headers;
  /** Whether a body is read at all; one that is not read is the next request. */
  readonly readsBody: (head: RequestHead) => boolean;
}

/** An answer with a length. */
export interface WholeAnswer {
  readonly status: number;
  readonly body: string;
  /** `null`: none is sent. */
  readonly contentType: string | null;
  readonly headers?: Headers;
  /** How its length is told, where not by a Content-Length: by its one chunk, or not at all (to HEAD). */
  readonly framing?: "chunked" | "none";
  /** Close the connection afterwards, whatever the client asked for. */
  readonly close?: boolean;
}
