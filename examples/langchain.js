// LangChain: an agent that gives work to the local model through the MCP server.
// Needs Node 22, and: npm install langchain @langchain/core @langchain/openai @langchain/mcp-adapters
//
//   node examples/langchain.js http://127.0.0.1:5273 MODEL  the address of Foundry Local, and a loaded
//     model that calls tools; node dist/main.js doctor shows both
//   node examples/langchain.js                              on the simulator, started in another terminal:
//     node dist/main.js simulate --port 5273 --answers examples/answers.json
import { fileURLToPath } from "node:url";
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { ChatOpenAI } from "@langchain/openai";
import { createAgent } from "langchain";

const [endpoint = "http://127.0.0.1:5273", agentModel = "Phi-4-mini-instruct-generic-cpu:5"] =
  process.argv.slice(2);
const main = new URL("./dist/main.js", import.meta.resolve("foundry-local-mcp/package.json"));

const mcp = new MultiServerMCPClient({
  mcpServers: {
    foundry: {
      command: process.execPath,
      args: [fileURLToPath(main), "--endpoint", endpoint, "--log-level", "warn"],
      // Above the 45 seconds after which the server returns the text so far.
      defaultToolTimeout: 60_000,
    },
  },
});

// The agent thinks with a local model, too. A hosted model gives better agents, and reads what they read.
const model = new ChatOpenAI({
  model: agentModel,
  apiKey: "none",
  configuration: { baseURL: `${endpoint}/v1` },
});

try {
  const tools = (await mcp.getTools()).filter(({ name }) => /complet/.test(name));
  const agent = createAgent({
    model,
    tools,
    systemPrompt: "Give all writing to the local model with the tool complete.",
  });
  const { messages } = await agent.invoke({
    messages: [{ role: "user", content: "Have the local model write one line about Oslo." }],
  });
  console.log(messages.at(-1)?.text);
} finally {
  await mcp.close();
}
