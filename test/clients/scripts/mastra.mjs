import { Agent } from "@mastra/core/agent";
import { MCPClient } from "@mastra/mcp";
import { asText, limitMs, Plan, report, server } from "./agent-plan.mjs";

const plan = new Plan();
const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };

function answerTo(prompt) {
  const { role, content } = prompt.at(-1);
  const next = plan.next(role === "tool" ? asText(content.at(-1).output.value) : undefined);
  if (next === undefined) return { finishReason: "stop", part: null };
  const toolCallId = `call-${plan.shown.length}`;
  const input = JSON.stringify(next[1]);
  const part = { type: "tool-call", toolCallId, toolName: `foundry_${next[0]}`, input };
  return { finishReason: "tool-calls", part };
}

const model = {
  specificationVersion: "v2",
  provider: "scripted",
  modelId: "scripted",
  supportedUrls: {},
  async doGenerate({ prompt }) {
    const { finishReason, part } = answerTo(prompt);
    return { finishReason, usage, warnings: [], content: [part ?? { type: "text", text: "done" }] };
  },
  async doStream({ prompt }) {
    const { finishReason, part } = answerTo(prompt);
    const text = [
      { type: "text-start", id: "t" },
      { type: "text-delta", id: "t", delta: "done" },
      { type: "text-end", id: "t" },
    ];
    const parts = [
      { type: "stream-start", warnings: [] },
      ...(part === null ? text : [part]),
      { type: "finish", finishReason, usage },
    ];
    return { stream: ReadableStream.from(parts) };
  },
};

const client = new MCPClient({
  servers: { foundry: { ...server, ...(limitMs && { timeout: limitMs }) } },
});
const tools = await client.listTools();
const agent = new Agent({ id: "agent", name: "agent", instructions: "go", model, tools });
await agent.generate("go", { maxSteps: 40 });
await client.disconnect();
report(
  Object.keys(tools).map((name) => name.replace(/^foundry_/, "")),
  plan.shown,
);
process.exit(0);
