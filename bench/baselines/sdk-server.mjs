// A server as the SDK's own documentation writes it: SDK 1, one tool, `fetch`.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

const endpoint = process.env.FOUNDRY_ENDPOINT;
const server = new McpServer({ name: "sdk-server", version: "1" });

server.registerTool(
  "complete",
  {
    description: "Completes a prompt.",
    inputSchema: { prompt: z.string(), model: z.string().optional() },
  },
  async ({ prompt, model }) => {
    const answer = await fetch(`${endpoint}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, messages: [{ role: "user", content: prompt }] }),
    });
    const { choices } = await answer.json();
    return { content: [{ type: "text", text: choices[0].message.content }] };
  },
);

await server.connect(new StdioServerTransport());
