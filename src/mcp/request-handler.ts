import type { ServerContext } from "@modelcontextprotocol/server";
import type { Vectors } from "../documents/index.js";
import type { AllowedFolders } from "../files/index.js";
import type { FoundryClient } from "../jobs/index.js";
import type { Kept } from "../keeper/index.js";
import type { SecretMask } from "../lib/index.js";
import type { Logger } from "../log.js";
import type { CallPolicy } from "./call-policy.js";

/** The request that a handler answers, as the SDK describes it. */
export type RequestContext = Pick<
  ServerContext["mcpReq"],
  "_meta" | "send" | "envelope" | "inputResponses" | "signal" | "notify"
>;
/** Answers requests of one method. */
export type RequestHandler = (
  params: unknown,
  request: RequestContext,
) => Record<string, unknown> | Promise<Record<string, unknown>>;

/** The methods whose handlers are not loaded at the start. */
export const LAZY_METHODS = [
  "tools/call",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "completion/complete",
  "skills/list",
  "skills/get",
] as const;
/** Those of the Tasks extension, which hosts without a handshake may use. */
export const TASK_METHODS = ["tasks/get", "tasks/update", "tasks/cancel"] as const;
type LazyMethod = (typeof LAZY_METHODS)[number] | (typeof TASK_METHODS)[number];

export interface Handlers<M extends LazyMethod = LazyMethod> {
  readonly methods: Readonly<Record<M, RequestHandler>>;
  /** Ends the notifications. */
  close(): void;
}

/** What `monitor` is shown of this process. */
export interface Publication {
  /** The host's name for itself, where there is one host. */
  host: string | null;
  /** Where it serves MCP over HTTP. */
  url: string | null;
  close(): Promise<void>;
}

/** What the handlers of a server work with. */
export interface Backend {
  readonly client: FoundryClient;
  readonly log: Logger;
  readonly policy: CallPolicy;
  /** Hidden in what a service says of itself and its models. */
  readonly secrets: SecretMask;
  /** As they are logged at the start: those that differ from the defaults, without secrets. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** What outlives this process. Default: nothing. */
  readonly kept?: Kept | undefined;
  /** Default: nothing is shown. */
  readonly publication?: Publication | undefined;
  /** The folders that tools may read and write in. Default: none. */
  readonly files?: AllowedFolders | undefined;
  /** What exports spans and metrics. Default: nothing. */
  readonly telemetry?: { close(): Promise<void> } | undefined;
  /** The vectors of texts that were read. Default: none yet, in memory. */
  readonly vectors?: Vectors | undefined;
}

/** Leaves what was promised to the keeper, and ends the rest. */
export async function closeBackend(backend: Backend | null): Promise<void> {
  await backend?.publication?.close();
  await backend?.kept?.close();
  await backend?.client.close();
  await backend?.telemetry?.close();
}
