import type { RequestHead } from "./head.js";

export type Headers = readonly (readonly [name: string, value: string])[];

/** The HTTP of one kind of service: the bytes around its answers. */
export interface HttpProfile {
  /** Largest request line and headers, with the blank line, in bytes. */
  readonly maxHeadBytes: number;
  /** The answer to a longer one. */
  readonly tooLong: "reset" | "431";
  /** Sent when a request expects `100-continue`, before its body is read. */
  readonly continueLine: string;
  /** The CRLF that ends a chunk is sent with the next chunk only. */
  readonly lateChunkEnd: boolean;
  readonly wholeHeaders: (answer: WholeAnswer, length: number, closes: boolean) => Headers;
  readonly streamHeaders: (closes: boolean) => Headers;
  /** Whether a body is read; a body that is not read becomes the next request. */
  readonly readsBody: (head: RequestHead) => boolean;
}

/** An answer with a length. */
export interface WholeAnswer {
  readonly status: number;
  readonly body: string;
  /** `null`: no header is sent. */
  readonly contentType: string | null;
  readonly headers?: Headers;
  /** In place of a Content-Length: one chunk, or nothing (to HEAD). */
  readonly framing?: "chunked" | "none";
  /** Close the connection afterwards, whatever the client asked for. */
  readonly close?: boolean;
}
