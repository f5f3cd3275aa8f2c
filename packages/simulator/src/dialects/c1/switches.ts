/**
 * What differs between revisions of C1, or was told of some and not seen on 1.2.4. The default is what the
 * running 1.2.4 does; a switch marked UNKNOWN was never seen on a running service in its other position.
 */
export interface Core1Switches {
  /** `GET /status`. UNKNOWN: older 1.x may lack it. */
  readonly statusRoute: boolean;
  /**
   * The catalog: `unreachable` without a saved copy is 500 on `/v1/models` and an empty 500 on every load
   * and unload (#1024).
   */
  readonly catalogAccess: "reachable" | "unreachable";
  /** What `/v1/models` lists: what is downloaded, or UNKNOWN, told of some, what is loaded. */
  readonly modelList: "downloaded" | "loaded";
  /** `id` in `/v1/models`: the name without its version, or UNKNOWN the id. */
  readonly listedIds: "name" | "id";
  /** Aliases and bare names on loads, chats and embeddings; UNKNOWN: older 1.x may take ids alone. */
  readonly shortNames: "accepted" | "refused";
  /** A stream of a chat by alias or bare name: answered, or UNKNOWN mute like one that cannot begin. */
  readonly shortNamesInStreams: "answered" | "mute";
  /** The end of a stream that cannot begin: the connection is cut, or UNKNOWN the body ends in order, empty. */
  readonly muteStream: "cut" | "empty";
  /** A model that fails in the middle of a stream: the connection is cut, or UNKNOWN an error event, then no `[DONE]`. */
  readonly midStreamFailure: "cut" | "error_event";
  /** `finish_reason` in streams; UNKNOWN in 1.x, S never has one (#299). */
  readonly finishReason: "sent" | "missing";
  /** No `max_tokens`: 2048, or what fits, or UNKNOWN, told of older 1.x, 2048 are reserved whatever fits (#969). */
  readonly defaultBudget: "what_fits" | "reserved";
  /**
   * Calls of tools: structured wherever the model writes its markers, or UNKNOWN, told of older 1.x, only
   * for `required` and never in streams (#346 #874 #875).
   */
  readonly toolCalls: "structured" | "required_only";
  /** `arguments` of a call: a JSON text, or UNKNOWN an object (#875). */
  readonly toolArguments: "text" | "object";
  /** A client that leaves ends its generation within a token; UNKNOWN: older 1.x may write on. */
  readonly stopsWhenLeft: boolean;
  /**
   * A prompt of more bytes than this kills the process, as one above some 20 kB does on some graphics
   * devices; `null`: none does. UNKNOWN on processors.
   */
  readonly deadlyPromptBytes: number | null;
}

export const CORE1_SWITCHES: Core1Switches = {
  statusRoute: true,
  catalogAccess: "reachable",
  modelList: "downloaded",
  listedIds: "name",
  shortNames: "accepted",
  shortNamesInStreams: "answered",
  muteStream: "cut",
  midStreamFailure: "cut",
  finishReason: "sent",
  defaultBudget: "what_fits",
  toolCalls: "structured",
  toolArguments: "text",
  stopsWhenLeft: true,
  deadlyPromptBytes: null,
};
