// Vercel AI SDK: generateText with the tools of the MCP server.
// Needs Node 22, and: npm install ai @ai-sdk/mcp @ai-sdk/openai-compatible zod
//
//   node examples/ai-sdk.js http://127.0.0.1:5273 MODEL  the address of Foundry Local, and a loaded
//     model that calls tools; node dist/main.js doctor shows both
//   node examples/ai-sdk.js                              on the simulator, started in another terminal:
//     node dist/main.js simulate --port 5273 --answers examples/answers.json
import { fileURLToPath } from "node:url";
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as StdioTransport } from "@ai-sdk/mcp/mcp-stdio";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, isStepCount } from "ai";

const [endpoint = "http://127.0.0.1:5273", agentModel = "Phi-4-mini-instruct-generic-cpu:5"] =
  process.argv.slice(2);
const main = new URL("./dist/main.js", import.meta.resolve("foundry-local-mcp/package.json"));

const mcp = await createMCPClient({
  transport: new StdioTransport({
    command: process.execPath,
    args: [fileURLToPath(main), "--endpoint", endpoint, "--log-level", "warn"],
  }),
});

// The agent thinks with a local model, too. A hosted model gives better agents, and reads what they read.
const local = createOpenAICompatible({ name: "local", baseURL: `${endpoint}/v1` });

try {
  const { complete, get_completion } = await mcp.tools();
  const { text, steps } = await generateText({
    model: local(agentModel),
    tools: { complete, get_completion },
    instructions: "Give all writing to the local model with the tool complete.",
    prompt: "Have the local model write one line about Oslo.",
    stopWhen: isStepCount(10),
  });
  for (const { toolName } of steps.flatMap((step) => step.toolCalls)) console.error(toolName);
  console.log(text);
} finally {
  await mcp.close();
}
