import type { PromptSeen } from "foundry-local-simulator";
import { expect, it } from "vitest";
import { connectedHost, simulatedService, textOf } from "./host.js";

const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } } },
    },
  },
];
const CALL = '{"name":"get_weather","arguments":{"city":"Oslo"}}';

it("tool calls are returned as the model wrote them, also in the text", async () => {
  const given = { city: null, note: "use `loadModel`" };
  const script = { text: JSON.stringify([{ name: "get_weather", arguments: given }]) };
  const parameters = { type: "object", properties: { city: {}, note: { type: "string" } } };
  const models = [{ id: "agent-generic-cpu:1", loaded: true, script }];
  const { url } = await simulatedService({ models });
  const { host } = await connectedHost({ endpoint: url });

  const answer = await host.callTool({
    name: "complete",
    arguments: {
      prompt: "Oslo?",
      tools: [{ type: "function", function: { name: "get_weather", parameters } }],
      tool_choice: "required",
    },
  });

  const [call] = Object(answer.structuredContent).tool_calls;
  expect(call).toMatchObject({ name: "get_weather", arguments: given });
  expect(textOf(answer)).toContain(`tool_calls: ${JSON.stringify([call])}`);
});

it("complete returns tool calls, says what to do with them, and accepts their results", async () => {
  const script = ({ messages }: PromptSeen) => {
    const last = messages.at(-1);
    return { text: last?.role === "tool" ? `It is ${last.content}.` : `[${CALL}]` };
  };
  const models = [{ id: "agent-generic-cpu:1", loaded: true, script }];
  const { url } = await simulatedService({ models });
  const { host } = await connectedHost({ endpoint: url });
  const complete = async (given: object) => {
    const answer = await host.callTool({ name: "complete", arguments: { ...given } });
    return Object(answer.structuredContent);
  };

  const asked = await complete({ prompt: "Oslo?", tools, tool_choice: "required" });

  expect(asked).toMatchObject({
    finish_reason: "tool_calls",
    tool_calls: [{ name: "get_weather", arguments: { city: "Oslo" } }],
    next: expect.stringContaining("Run the tool_calls"),
  });
  const answered = await complete({
    tools,
    messages: [
      { role: "user", content: "Oslo?" },
      { role: "assistant", content: asked.text, tool_calls: asked.tool_calls },
      { role: "tool", tool_call_id: asked.tool_calls[0].id, content: "3 degrees" },
    ],
  });
  expect(answered).toMatchObject({ text: "It is 3 degrees.", next: null });
});
