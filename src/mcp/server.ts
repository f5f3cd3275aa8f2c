import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { FoundryClient } from "../jobs/index.js";
import { LONGEST_ERROR, printable, SecretMask, VERSION } from "../lib/index.js";
import type { Logger } from "../log.js";
import { type CallPolicy, DEFAULT_CALL_POLICY } from "./call-policy.js";
import { CallsInFlight } from "./calls-in-flight.js";
import { INSTRUCTIONS } from "./instructions.js";
import { guardedClock } from "./progress-reporter.js";
import { RESOURCE_CAPABILITY, registerResources } from "./resources/index.js";
import { registerTools } from "./tool-registry.js";
import { TOOLS } from "./tools/index.js";
import { GuardedTransport, LogThrottle } from "./transport/index.js";

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
