// The least that an MCP server over stdio can cost: JSON-RPC by hand, one tool, no dependency.
import { request } from "node:http";
import { createInterface } from "node:readline";

const endpoint = process.env.FOUNDRY_ENDPOINT;
const TOOL = {
  name: "complete",
  description: "Completes a prompt.",
  inputSchema: {
    type: "object",
    properties: { prompt: { type: "string" }, model: { type: "string" } },
    required: ["prompt"],
  },
};

const complete = ({ prompt, model }) =>
  new Promise((resolve, reject) => {
    const call = request(
      `${endpoint}/v1/chat/completions`,
      { method: "POST", headers: { "content-type": "application/json" } },
      (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (text) => {
          body += text;
        });
        answer.on("end", () => resolve(JSON.parse(body).choices[0].message.content));
      },
    );
    call.once("error", reject);
    call.end(JSON.stringify({ model, messages: [{ role: "user", content: prompt }] }));
  });

async function resultOf({ method, params }) {
  if (method === "initialize") {
    return {
      protocolVersion: params.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: "floor", version: "1" },
    };
  }
  if (method === "tools/list") return { tools: [TOOL] };
  return { content: [{ type: "text", text: await complete(params.arguments) }] };
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const message = JSON.parse(line);
  if (message.id === undefined) return;
  const result = await resultOf(message);
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id: message.id, result })}\n`);
});
