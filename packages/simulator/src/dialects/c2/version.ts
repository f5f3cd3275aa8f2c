/** What differs between the versions of C2, as far as a client sees it. */
export interface Core2Version {
  /** `/catalogs/local/…`: a second family of routes, for registered local models. */
  readonly localCatalogFamily: boolean;
  /** A stream that was silent for so many milliseconds sends `: keep-alive`; `null`: never. */
  readonly keepAliveCommentMs: number | null;
  /** A mistake in the request that only the generation finds: 500 `server_error`, or 400. */
  readonly lateRequestErrors: "server_error" | "invalid_request_error";
  /** Whether the raw text of a tool call stays in `content` of an answer that is not streamed. */
  readonly toolCallText: "kept" | "removed";
  /** The thought before an answer: dropped, or sent as `reasoning_content`. */
  readonly reasoning: "dropped" | "reasoning_content";
  /** A closed connection stops the generation of a stream. Without a stream it never does. */
  readonly cancelOnDisconnect: boolean;
  /** What a request for embeddings by a chat model does. */
  readonly embeddingsOfChatModel: "refused" | "kills_service";
  /** Bytes that a stream buffers for a client that does not read, before it is cancelled. */
  readonly streamBufferLimitBytes: number | null;
}

const CORE_2_0: Core2Version = {
  localCatalogFamily: false,
  keepAliveCommentMs: null,
  lateRequestErrors: "server_error",
  toolCallText: "kept",
  reasoning: "dropped",
  cancelOnDisconnect: false,
  embeddingsOfChatModel: "kills_service",
  streamBufferLimitBytes: null,
};

const CORE_2_1: Core2Version = {
  localCatalogFamily: true,
  keepAliveCommentMs: 250,
  lateRequestErrors: "invalid_request_error",
  toolCallText: "removed",
  reasoning: "reasoning_content",
  cancelOnDisconnect: true,
  embeddingsOfChatModel: "refused",
  streamBufferLimitBytes: 1024 * 1024,
};

const VERSIONS: Readonly<Record<string, Core2Version>> = {
  "2.0.0": CORE_2_0,
  "2.0.1": CORE_2_0,
  "2.1.0": CORE_2_1,
  "2.2.1": CORE_2_1,
};

/** The versions of C2 that can be simulated, oldest first. `2.0.0` is the core of July 2026. */
export const C2_VERSIONS: readonly string[] = Object.keys(VERSIONS);

/** The newest of them, which is the default. */
export const NEWEST_C2 = "2.2.1";

/** @throws when the version is not simulated. */
export function core2Version(version: string): Core2Version {
  const known = VERSIONS[version];
  if (known !== undefined) return known;
  throw new Error(
    `version: ${JSON.stringify(version)} is not simulated; allowed: ${C2_VERSIONS.join(", ")}`,
  );
}
