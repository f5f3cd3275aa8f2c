import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import type { FoundryClient } from "../foundry/index.js";
import type { Logger } from "../log.js";
import { VERSION } from "../version.js";
import { registerTools } from "./adapter.js";
import { INSTRUCTIONS } from "./instructions.js";
import { TOOLS } from "./tools/index.js";

/** The MCP server, not yet connected to anything. Nothing is asked of the client before a call. */
export function createServer(client: FoundryClient, log: Logger): Server {
  const server = new Server(
    { name: "foundry-local-mcp", title: "Foundry Local", version: VERSION },
    { capabilities: { tools: {} }, instructions: INSTRUCTIONS },
  );
  server.onerror = (error) => log.warn({ detail: error.message }, "protocol error");
  registerTools(server, TOOLS, { client, log });
  return server;
}
