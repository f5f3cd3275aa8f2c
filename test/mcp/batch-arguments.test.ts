import { describe, expect, it } from "vitest";
import { batchInputOf } from "../../src/mcp/tools/shared/batch-requests.js";
import { connectedHost } from "./host.js";

/** The list of tools needs no service: nothing listens at this address. */
const NOWHERE = { endpoint: "http://127.0.0.1:9" };

/** Arguments of `complete` that concern the call, not the request. The batch has its own or needs none. */
const LEFT_OUT_OF_ITEMS = ["reply_within", "join", "write_to"];

/** A valid item of `complete_batch` for each argument that an item can have. */
const ITEMS = {
  prompt: { prompt: "Hi" },
  messages: { messages: [{ role: "user", content: "Hi" }] },
  system: { prompt: "Hi", system: "Be brief." },
  model: { prompt: "Hi", model: "phi-4-mini" },
  models: { prompt: "Hi", models: ["phi-4-mini", "auto"] },
  temperature: { prompt: "Hi", temperature: 0 },
  stop: { prompt: "Hi", stop: ["END"] },
  seed: { prompt: "Hi", seed: 1 },
  max_tokens: { prompt: "Hi", max_tokens: 5 },
  top_p: { prompt: "Hi", top_p: 0.5 },
  reasoning: { prompt: "Hi", reasoning: "include" },
  reasoning_budget: { prompt: "Hi", reasoning_budget: 100 },
  tools: { prompt: "Hi", tools: [{ type: "function", function: { name: "now" } }] },
  tool_choice: { prompt: "Hi", tool_choice: "required" },
  response_schema: { prompt: "a", response_schema: { type: "string" } },
};

/** An item gives these itself; the batch cannot share them. */
const NOT_SHARED = ["prompt", "messages", "models", "tools", "tool_choice"];

describe("the arguments of complete_batch", () => {
  it("include each argument of complete in the items and in the shared settings", async () => {
    const { host } = await connectedHost(NOWHERE);
    const { tools } = await host.listTools();
    const argumentsOf = (name: string): string[] =>
      Object.keys(tools.find((tool) => tool.name === name)?.inputSchema.properties ?? {});
    const wanted = argumentsOf("complete").filter((name) => !LEFT_OUT_OF_ITEMS.includes(name));
    expect(new Set(wanted)).toEqual(new Set(Object.keys(ITEMS)));
    const shared = wanted.filter((name) => !NOT_SHARED.includes(name));
    expect(argumentsOf("complete_batch")).toEqual(expect.arrayContaining(shared));
  });

  it.each(Object.entries(ITEMS))("accept an item with %s", async (_, item) => {
    const { entries } = await batchInputOf({ requests: [item], settings: {}, aboutFiles: Object });
    // It arrives in the request, whatever its name there.
    const values = Object.values(item).map((value) => JSON.stringify(value));
    const request = Object.values(Object(entries[0])).map((value) => JSON.stringify(value));
    expect(request).toEqual(expect.arrayContaining(values));
  });
});
