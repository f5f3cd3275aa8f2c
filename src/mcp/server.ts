import type { Readable, Writable } from "node:stream";
import {
  type CacheHint,
  type ProtocolEra,
  Server,
  type Transport,
} from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import type { FoundryClient } from "../jobs/index.js";
import { LONGEST_ERROR, printable, SecretMask, VERSION } from "../lib/index.js";
import type { Logger } from "../log.js";
import { type CallPolicy, DEFAULT_CALL_POLICY } from "./call-policy.js";
import { INSTRUCTIONS } from "./instructions.js";
import { guardedClock } from "./progress-reporter.js";
import { RESOURCE_CAPABILITY, registerResources } from "./resources/index.js";
import { CallsInFlight, registerTools } from "./tool-registry.js";
import { TOOLS } from "./tools/index.js";
import { GuardedTransport, LineTransport, LogThrottle } from "./transport/index.js";

/** The SDK's server, which whatever comes over the transport cannot harm. */
class GuardedServer extends Server {
  override connect(transport: Transport): Promise<void> {
    return super.connect(new GuardedTransport(transport));
  }
}

export interface ServerParts {
  readonly client: FoundryClient;
  readonly log: Logger;
  /** Default: answer within 45 s; a cancelled call stops its work unless it timed out. */
  readonly policy?: CallPolicy | undefined;
  /** Default: those of this server alone. */
  readonly calls?: CallsInFlight | undefined;
  /** Hidden in what a service says of itself and its models. Default: none. */
  readonly secrets?: SecretMask | undefined;
  /** `modern` since protocol version 2026-07-28, which has no handshake. Default: `legacy`. */
  readonly era?: ProtocolEra | undefined;
}

/** What `tools/list` and `server/discover` answer is the same as long as the process runs. */
const FIXED: CacheHint = { ttlMs: 300_000, cacheScope: "public" };

/** The MCP server, not yet connected to anything. Nothing is asked of the client before a call. */
export function createServer({
  client,
  log,
  policy = DEFAULT_CALL_POLICY,
  calls = new CallsInFlight(),
  secrets = new SecretMask([]),
  era = "legacy",
}: ServerParts): Server {
  const server = new GuardedServer(
    { name: "foundry-local-mcp", title: "Foundry Local", version: VERSION },
    {
      capabilities: { tools: {}, resources: RESOURCE_CAPABILITY },
      instructions: INSTRUCTIONS,
      cacheHints: {
        "tools/list": FIXED,
        "resources/templates/list": FIXED,
        "server/discover": FIXED,
      },
    },
  );
  server.onerror = reporterOf(log);
  const clock = guardedClock(log);
  registerTools(server, TOOLS, { client, log, policy, calls, clock, secrets });
  registerResources(server, client.completions, { era, clock });
  return server;
}

/** Logs what is wrong with what a host sends, at a bounded rate. */
function reporterOf(log: Logger): (error: Error) => void {
  const protocolErrors = new LogThrottle(log);
  return ({ message }) =>
    protocolErrors.warn({ detail: printable(message, LONGEST_ERROR) }, "protocol error");
}

export interface ServeOptions extends Pick<ServerParts, "log" | "policy" | "secrets"> {
  readonly input: Readable;
  readonly output: Writable;
  /** Ends the client and the serving; calls in flight are answered with what there is. */
  readonly signal: AbortSignal;
}

/** Answering what was ended takes a moment, unless the host does not read. */
const ANSWERS_MS = 500;
/** Each `subscriptions/listen` stays open, and the transport bounds the open requests. */
const MOST_LISTENERS = 100;

/**
 * Serves one host over a pair of streams, in the protocol version that its first message speaks.
 * Resolves when the host is gone, by when all calls in flight are aborted and none of them is
 * answered; or after the signal came.
 */
export async function serveOverStdio(
  client: FoundryClient,
  { input, output, signal, ...parts }: ServeOptions,
): Promise<void> {
  const calls = new CallsInFlight();
  const transport = new LineTransport(input, output);
  const connection = serveStdio(({ era }) => createServer({ ...parts, client, calls, era }), {
    transport,
    onerror: reporterOf(parts.log),
    maxSubscriptions: MOST_LISTENERS,
  });
  const { onclose } = transport;
  const closed = new Promise<void>((resolve) => {
    transport.onclose = () => {
      onclose?.();
      resolve();
    };
  });
  const stop = async (): Promise<void> => {
    await client.close();
    await calls.answered(ANSWERS_MS);
    await connection.close();
  };
  signal.addEventListener("abort", () => void stop(), { once: true });
  if (signal.aborted) void stop();
  await closed;
}
