import type { Engine } from "../engine/engine.js";
import type { ReceivedRequest } from "../received.js";
import type { HttpProfile, RequestHead } from "../wire/http.js";
import type { Reply } from "../wire/reply.js";
import type { Core1Switches } from "./c1/switches.js";
import type { Core2Version } from "./c2/version.js";
import type { ServiceSwitches } from "./s/switches.js";

/** A request that a dialect is to answer. */
export interface DialectRequest {
  readonly head: RequestHead;
  /** The body; `null` when the request names none. Read once. */
  readonly readBody: () => Promise<Buffer | null>;
  readonly reply: Reply;
  readonly record: ReceivedRequest;
  /** Whether the connection is known to be broken: a write failed. */
  readonly clientGone: () => boolean;
  /** Whether the client has closed its side of the connection. */
  readonly clientClosed: () => boolean;
}

/** What a dialect works with. */
export interface DialectContext {
  readonly engine: Engine;
  /** Of C2. */
  readonly version: Core2Version;
  /** Of C1 and S: those that differ from the defaults. */
  readonly switches: Partial<Core1Switches & ServiceSwitches>;
  /** The address that it reports. */
  readonly url: () => string;
  readonly modelCachePath: string;
  /** `null`: none is required. */
  readonly apiKey: string | null;
  /** Marks a model as downloaded or removed, in the lists and in the model cache if there is one. */
  readonly setDownloaded: (id: string, downloaded: boolean) => void;
  /** Ends the service: a crash breaks every connection, a shutdown lets running answers finish. */
  readonly die: (how: "crash" | "shutdown") => void;
}

/** One kind of service: its HTTP and its routes. */
export interface Dialect {
  readonly profile: HttpProfile;
  readonly answer: (request: DialectRequest) => Promise<void>;
}
