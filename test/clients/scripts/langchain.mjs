import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage } from "@langchain/core/messages";
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { createAgent } from "langchain";
import { asText, limitMs, Plan, report, server } from "./agent-plan.mjs";

const plan = new Plan();

class ScriptedModel extends BaseChatModel {
  _llmType() {
    return "scripted";
  }

  bindTools() {
    return this;
  }

  async _generate(messages) {
    const latest = messages.at(-1);
    const next = plan.next(latest.getType() === "tool" ? asText(latest.content) : undefined);
    const id = `call-${messages.length}`;
    const message =
      next === undefined
        ? new AIMessage("done")
        : new AIMessage({ content: "", tool_calls: [{ id, name: next[0], args: next[1] }] });
    return { generations: [{ text: "", message }] };
  }
}

const client = new MultiServerMCPClient({
  mcpServers: { foundry: { ...server, ...(limitMs && { defaultToolTimeout: limitMs }) } },
});
const tools = await client.getTools();
const agent = createAgent({ model: new ScriptedModel({}), tools });
await agent.invoke({ messages: [{ role: "user", content: "go" }] }, { recursionLimit: 100 });
await client.close();
report(
  tools.map(({ name }) => name),
  plan.shown,
);
