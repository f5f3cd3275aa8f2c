import { expect, test } from "vitest";
import { run } from "./executable.js";
import { ANSWER, chatRequest, hostOn, PROMPT_ANSWER, simulated } from "./simulated.js";

const ROUTES = {
  code: {
    model: "tiny",
    system: "Answer with code only.",
    temperature: 0.2,
    tool: true,
    description: "Writes code with the local model for it",
  },
  creative: { models: ["nope", "tiny"], temperature: 1.2, max_tokens: 50 },
};

test("a route can be used as a model, and a route with `tool` as a tool of its own", async () => {
  const simulator = await simulated();
  const host = await hostOn(simulator.url, { FOUNDRY_ROUTES: JSON.stringify(ROUTES) });
  const { tools } = await host.client.listTools();
  expect(tools.map(({ name }) => name).at(-1)).toBe("complete_code");

  const creative = await host.complete({ prompt: "Hello", model: "Creative" });
  expect(creative.result).toMatchObject({ text: ANSWER, model: PROMPT_ANSWER });
  expect(creative.text).toContain('"nope" was not used');
  expect(chatRequest(simulator).body).toMatchObject({ temperature: 1.2, max_tokens: 50 });

  const code = await host.call("complete_code", { prompt: "Hello" });
  expect(code.result).toMatchObject({ text: ANSWER, model: PROMPT_ANSWER });
  expect(chatRequest(simulator).body).toMatchObject({
    temperature: 0.2,
    messages: [{ role: "system", content: "Answer with code only." }, { role: "user" }],
  });

  const batch = await host.call("complete_batch", { prompts: ["Hello"], model: "code" });
  expect(batch.result).toMatchObject({ results: [{ text: ANSWER }] });
  expect(chatRequest(simulator).body).toMatchObject({ temperature: 0.2 });
});

test("the list of tools is the usual one without routes", async () => {
  const simulator = await simulated();
  const host = await hostOn(simulator.url);
  const { tools } = await host.client.listTools();
  expect(tools.filter(({ name }) => name.startsWith("complete_"))).toMatchObject([
    { name: "complete_batch" },
  ]);
  expect(JSON.stringify(tools)).not.toContain("Or a purpose");
});

test("a terminal command takes a route as its model", async () => {
  const simulator = await simulated();
  const settings = { FOUNDRY_ENDPOINT: simulator.url, FOUNDRY_ROUTES: JSON.stringify(ROUTES) };
  const { stdout, code } = await run(["ask", "--model", "code", "Hello"], settings);
  expect([code, stdout.trim()]).toEqual([0, ANSWER]);
});
