import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { startSimulator } from "foundry-local-simulator";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";

/** The form that Claude Desktop, Claude Code and Cursor read. */
const example = z.strictObject({
  mcpServers: z.record(
    z.string(),
    z.strictObject({
      command: z.string(),
      args: z.array(z.string()),
    }),
  ),
});

const root = fileURLToPath(new URL("../../", import.meta.url));

test("mcp.json.example starts the server with the user's path in it", async () => {
  const { mcpServers } = example.parse(
    JSON.parse(readFileSync(new URL("../../mcp.json.example", import.meta.url), "utf8")),
  );
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());

  for (const { command, args } of Object.values(mcpServers)) {
    const client = new Client({ name: "example", version: "1" });
    onTestFinished(() => client.close());

    await client.connect(
      new StdioClientTransport({
        command,
        args: args.map((arg) => arg.replace("/path/to/foundry-local-mcp/", root)),
        // The example needs none; a test must not find the developer's own Foundry Local.
        env: { FOUNDRY_ENDPOINT: simulator.url, FOUNDRY_LOG_LEVEL: "warn" },
      }),
    );
    const answer = await client.callTool({ name: "health_check", arguments: {} });

    expect(answer.structuredContent).toMatchObject({ status: "healthy" });
  }
});
