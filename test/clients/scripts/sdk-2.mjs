import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { limitMs, mode, report, runPlan, server } from "./agent-plan.mjs";

const MODES = { legacy: "legacy", auto: "auto", pinned: { pin: "2026-07-28" } };
const client = new Client(
  { name: "sdk-2", version: "1" },
  { versionNegotiation: { mode: MODES[mode] } },
);
await client.connect(new StdioClientTransport(server));
const { tools } = await client.listTools();
const options = limitMs && { timeout: limitMs };
const shown = await runPlan((name, given) => client.callTool({ name, arguments: given }, options));
await client.close();
report(
  tools.map(({ name }) => name),
  shown,
);
