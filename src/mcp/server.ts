import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import type { FoundryClient } from "../completions/index.js";
import type { Logger } from "../log.js";
import { VERSION } from "../version.js";
import { registerTools } from "./adapter.js";
import { type CallPolicy, DEFAULT_CALL_POLICY } from "./call-policy.js";
import { CallsInFlight } from "./calls-in-flight.js";
import { INSTRUCTIONS } from "./instructions.js";
import { RESOURCE_CAPABILITY, registerResources } from "./resources.js";
import { TOOLS } from "./tools/index.js";

/** The MCP server, not yet connected to anything. Nothing is asked of the client before a call. */
export function createServer(
  client: FoundryClient,
  log: Logger,
  policy: CallPolicy = DEFAULT_CALL_POLICY,
  calls = new CallsInFlight(),
): Server {
  const server = new Server(
    { name: "foundry-local-mcp", title: "Foundry Local", version: VERSION },
    { capabilities: { tools: {}, resources: RESOURCE_CAPABILITY }, instructions: INSTRUCTIONS },
  );
  server.onerror = (error) => log.warn({ detail: error.message }, "protocol error");
  registerTools(server, TOOLS, { client, log, policy, calls });
  registerResources(server, client.completions);
  return server;
}
