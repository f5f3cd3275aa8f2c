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
