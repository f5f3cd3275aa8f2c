import { Agent, MCPServerStdio, run, setTracingDisabled, Usage } from "@openai/agents";
import { asText, limitMs, Plan, report, server } from "./agent-plan.mjs";

setTracingDisabled(true);
const plan = new Plan();
const usage = new Usage({ requests: 1, inputTokens: 1, outputTokens: 1, totalTokens: 2 });

const model = {
  async getResponse({ input }) {
    const latest = Array.isArray(input) ? input.at(-1) : undefined;
    const isResult = latest?.type === "function_call_result";
    const next = plan.next(isResult ? asText(latest.output) : undefined);
    const status = "completed";
    const output =
      next === undefined
        ? { type: "message", role: "assistant", content: [{ type: "output_text", text: "done" }] }
        : {
            type: "function_call",
            callId: `call-${plan.shown.length}`,
            name: next[0],
            arguments: JSON.stringify(next[1]),
          };
    return { usage, output: [{ ...output, status }], responseId: `r-${plan.shown.length}` };
  },
};

const mcp = new MCPServerStdio({
  name: "foundry",
  ...server,
  ...(limitMs && { timeout: limitMs }),
});
await mcp.connect();
const tools = await mcp.listTools();
await run(new Agent({ name: "agent", model, mcpServers: [mcp] }), "go", { maxTurns: 40 });
await mcp.close();
report(
  tools.map(({ name }) => name),
  plan.shown,
);
