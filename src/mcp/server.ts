import type { Readable, Writable } from "node:stream";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
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

/** The MCP server, not yet connected to anything. Nothing is asked of the client before a call. */
export function createServer(
  client: FoundryClient,
  log: Logger,
  policy: CallPolicy = DEFAULT_CALL_POLICY,
  calls = new CallsInFlight(),
  secrets = new SecretMask([]),
): Server {
  const server = new GuardedServer(
    { name: "foundry-local-mcp", title: "Foundry Local", version: VERSION },
    { capabilities: { tools: {}, resources: RESOURCE_CAPABILITY }, instructions: INSTRUCTIONS },
  );
  const protocolErrors = new LogThrottle(log);
  server.onerror = ({ message }) =>
    protocolErrors.warn({ detail: printable(message, LONGEST_ERROR) }, "protocol error");
  const clock = guardedClock(log);
  registerTools(server, TOOLS, { client, log, policy, calls, clock, secrets });
  registerResources(server, client.completions, clock);
  return server;
}

export interface ServeOptions {
  readonly log: Logger;
  /** Default: answer within 45 s; a cancelled call stops its work unless it timed out. */
  readonly policy?: CallPolicy | undefined;
  /** Hidden in what a service says of itself and its models. */
  readonly secrets?: SecretMask | undefined;
  readonly input: Readable;
  readonly output: Writable;
  /** Ends the client and the serving; calls in flight are answered with what there is. */
  readonly signal: AbortSignal;
}

/** Answering what was ended takes a moment, unless the host does not read. */
const ANSWERS_MS = 500;

/**
 * Serves one host over a pair of streams. Resolves when the host is gone, by when all calls in flight
 * are aborted and none of them is answered; or after the signal came.
 */
export async function serveOverStdio(client: FoundryClient, options: ServeOptions): Promise<void> {
  const calls = new CallsInFlight();
  const server = createServer(client, options.log, options.policy, calls, options.secrets);
  const { onclose } = server;
  const closed = new Promise<void>((resolve) => {
    server.onclose = () => {
      onclose?.();
      resolve();
    };
  });
  const stop = async (): Promise<void> => {
    await client.close();
    await calls.answered(ANSWERS_MS);
    await server.close();
  };
  options.signal.addEventListener("abort", () => void stop(), { once: true });
  await server.connect(new LineTransport(options.input, options.output));
  if (options.signal.aborted) void stop();
  await closed;
}
