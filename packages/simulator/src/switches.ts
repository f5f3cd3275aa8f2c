/**
 * What differs between the versions of C2, as named switches in one table. A switch that is marked
 * UNKNOWN has never been seen on a running service in its other position: clients are to be tested
 * with both.
 */
export interface Switches {
  /** `/catalogs/local/…`: a second family of routes, for registered local models. */
  readonly localCatalogFamily: boolean;
  /** `POST …/input_tokens` beside chat completions and responses. UNKNOWN: not in 2.2.1. */
  readonly inputTokensRoutes: boolean;
  /** A stream that was silent for so many milliseconds says `: keep-alive`; `null` never. */
  readonly keepAliveCommentMs: number | null;
  /** A mistake in the request that only generating finds: 500 `server_error`, or 400. */
  readonly lateRequestErrors: "server_error" | "invalid_request_error";
  /** Temperature and top_p are checked before the engine sees them. */
  readonly temperatureRange: "unchecked" | "checked";
  /** A penalty other than 0: handed to the engine, or 400. */
  readonly penalties: "passed_on" | "refused";
  /** Whether `stop` does anything. */
  readonly stopStrings: "ignored" | "honoured";
  /** Messages of role tool and tool_calls of the assistant: dropped without a word, or used. */
  readonly toolHistory: "dropped" | "used";
  /** How closely `tools` and `tool_choice` are looked at before the model is looked up. */
  readonly toolChecks: "loose" | "strict";
  /** Tools for a model that publishes no markers for calls: plain text, or 500. */
  readonly toolsWithoutMarkers: "ignored" | "refused";
  /** `tool_choice: "none"`. */
  readonly toolChoiceNone: "ignored" | "obeyed";
  /** Whether the raw text of a call stays in `content` of an answer that is not streamed. */
  readonly toolCallText: "kept" | "removed";
  /** What was thought before the answer: cut out, or `reasoning_content`. */
  readonly reasoning: "dropped" | "reasoning_content";
  /** `response_format` json_object and json_schema constrain the answer. */
  readonly responseFormat: "ignored" | "honoured";
  /** finish_reason of an answer that was cut at the default of 2048 tokens. */
  readonly defaultBudgetFinish: "stop" | "length";
  /** Whether a stream whose client has gone stops generating. A request that is not streamed never does. */
  readonly cancelOnDisconnect: "never" | "stream";
  /** Bytes a stream may hold for a client that does not read, before it is cancelled. */
  readonly streamBufferLimitBytes: number | null;
  /** `/v1/responses`: a cut answer says `incomplete`, calls can be replayed, an unknown previous response is 404. */
  readonly responses: "2.0" | "2.1";
  /** `POST /v1/embeddings` with a loaded chat model: the process dies, or 500. */
  readonly embeddingsOfChatModel: "dies" | "refused";
  /** UNKNOWN: a route that is not there answers JSON instead of the framework's text. */
  readonly jsonNotFound: boolean;
  /** `POST /shutdown`: the port closes without a reply, or UNKNOWN `{"status":"shutting_down"}` first. */
  readonly shutdown: "no_reply" | "reply";
  /** UNKNOWN: load and unload take an id too. */
  readonly loadById: boolean;
  /** Which build's source lines stand in the error messages. */
  readonly sourceLines: "2026-07" | "2.0.1" | "2.2.1";
}

/** The oldest first: the core of July 2026, then what each later version changed. */
const JULY_2026: Switches = {
  localCatalogFamily: false,
  inputTokensRoutes: false,
  keepAliveCommentMs: null,
  lateRequestErrors: "server_error",
  temperatureRange: "unchecked",
  penalties: "passed_on",
  stopStrings: "ignored",
  toolHistory: "dropped",
  toolChecks: "loose",
  toolsWithoutMarkers: "ignored",
  toolChoiceNone: "ignored",
  toolCallText: "kept",
  reasoning: "dropped",
  responseFormat: "ignored",
  defaultBudgetFinish: "stop",
  cancelOnDisconnect: "never",
  streamBufferLimitBytes: null,
  responses: "2.0",
  embeddingsOfChatModel: "dies",
  jsonNotFound: false,
  shutdown: "no_reply",
  loadById: false,
  sourceLines: "2026-07",
};

const CHANGES: readonly { readonly version: string; readonly changes: Partial<Switches> }[] = [
  { version: "2.0.0", changes: {} },
  {
    version: "2.0.1",
    changes: { temperatureRange: "checked", toolChoiceNone: "obeyed", sourceLines: "2.0.1" },
  },
  {
    version: "2.1.0",
    changes: {
      localCatalogFamily: true,
      keepAliveCommentMs: 250,
      lateRequestErrors: "invalid_request_error",
      penalties: "refused",
      stopStrings: "honoured",
      toolHistory: "used",
      toolChecks: "strict",
      toolsWithoutMarkers: "refused",
      toolCallText: "removed",
      reasoning: "reasoning_content",
      responseFormat: "honoured",
      defaultBudgetFinish: "length",
      cancelOnDisconnect: "stream",
      streamBufferLimitBytes: 1024 * 1024,
      responses: "2.1",
      embeddingsOfChatModel: "refused",
      sourceLines: "2.2.1",
    },
  },
  { version: "2.2.1", changes: {} },
];

/** The versions of C2 that can be simulated, oldest first. `2.0.0` stands for the core of July 2026. */
export const C2_VERSIONS: readonly string[] = CHANGES.map((entry) => entry.version);

/** The newest of them, which is the default. */
export const NEWEST_C2 = "2.2.1";

/**
 * The switches of a version of C2.
 *
 * @example switchesOf("2.0.1").stopStrings // "ignored"
 */
export function switchesOf(version: string): Switches {
  const index = C2_VERSIONS.indexOf(version);
  if (index < 0) {
    throw new Error(
      `version: ${JSON.stringify(version)} is not simulated; allowed: ${C2_VERSIONS.join(", ")}`,
    );
  }
  return Object.assign({ ...JULY_2026 }, ...CHANGES.slice(0, index + 1).map((c) => c.changes));
}
