/** A request line and its headers, read as leniently as oatpp does. */
export interface RequestHead {
  readonly method: string;
  /** As it was sent: neither decoded nor normalised, with its query. */
  readonly target: string;
  readonly protocol: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * Missing parts are empty, and a line without a colon is skipped: oatpp never answers such a request
 * with 400.
 */
export function parseHead(text: string): RequestHead {
  const [first = "", ...lines] = text.split("\r\n");
  const methodEnd = first.indexOf(" ");
  const targetEnd = methodEnd < 0 ? -1 : first.indexOf(" ", methodEnd + 1);
  const headers: [string, string][] = [];
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
  }
  return {
    method: methodEnd < 0 ? "" : first.slice(0, methodEnd),
    target: targetEnd < 0 ? "" : first.slice(methodEnd + 1, targetEnd),
    protocol: targetEnd < 0 ? "" : first.slice(targetEnd + 1),
    headers,
  };
}

/** The first header of this name, whatever its case. */
export function headerOf(head: RequestHead, name: string): string | null {
  const wanted = name.toLowerCase();
  return head.headers.find(([known]) => known.toLowerCase() === wanted)?.[1] ?? null;
}

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
