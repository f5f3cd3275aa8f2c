import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { limitMs, report, runPlan, server } from "./agent-plan.mjs";

const client = new Client({ name: "sdk-1", version: "1" });
await client.connect(new StdioClientTransport(server));
const { tools } = await client.listTools();
const options = limitMs && { timeout: limitMs };
const shown = await runPlan((name, given) =>
  client.callTool({ name, arguments: given }, undefined, options),
);
await client.close();
report(
  tools.map(({ name }) => name),
  shown,
);
