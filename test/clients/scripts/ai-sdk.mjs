import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as StdioTransport } from "@ai-sdk/mcp/mcp-stdio";
import { generateText, isStepCount } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { asText, Plan, report, server } from "./agent-plan.mjs";

const plan = new Plan();
const usage = { inputTokens: { total: 1, noCache: 1 }, outputTokens: { total: 1, text: 1 } };

const model = new MockLanguageModelV4({
  doGenerate: async ({ prompt }) => {
    const { role, content } = prompt.at(-1);
    const next = plan.next(role === "tool" ? asText(content.at(-1).output.value) : undefined);
    const base = { usage, warnings: [] };
    if (next === undefined) {
      const finishReason = { unified: "stop", raw: "stop" };
      return { ...base, finishReason, content: [{ type: "text", text: "done" }] };
    }
    const [toolName, given] = next;
    const toolCallId = `call-${prompt.length}`;
    return {
      ...base,
      finishReason: { unified: "tool-calls", raw: "tool_calls" },
      content: [{ type: "tool-call", toolCallId, toolName, input: JSON.stringify(given) }],
    };
  },
});

const client = await createMCPClient({ transport: new StdioTransport(server) });
const tools = await client.tools();
await generateText({ model, tools, prompt: "go", stopWhen: isStepCount(40) });
await client.close();
report(Object.keys(tools), plan.shown);
