import { CallToolResultSchema, ListToolsResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv";
import { expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { ANSWER, ENDLESS, PROMPT_ANSWER, simulated, wireHostOn } from "./simulated.js";
import { WireHost } from "./wire-host.js";

/** The size of the list of tools in the context of a host's model (issue: "tools/list costs a host little"). */
const MOST_TOKENS = 2000;
const MOST_BYTES = 22_000;

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

async function toolsOf(host: WireHost) {
  const { result } = await host.request("tools/list");
  return ListToolsResultSchema.parse(result).tools;
}

test("the list of tools stays below its limits of tokens and bytes", async () => {
  const host = await WireHost.start();

  const { result } = await host.request("tools/list");

  const tools = ListToolsResultSchema.parse(result).tools;
  const withoutResults = tools.map(({ outputSchema: _, ...tool }) => tool);
  expect(bytesOf({ tools: withoutResults }) / 4).toBeLessThanOrEqual(MOST_TOKENS);
  expect(bytesOf(result)).toBeLessThanOrEqual(MOST_BYTES);
});

test("every tool has a title, a description, an input schema and an output schema", async () => {
  const host = await WireHost.start();

  const tools = await toolsOf(host);

  expect(tools.map(({ name }) => name)).toEqual([
    "complete",
    "get_completion",
    "cancel_completion",
    "complete_batch",
    "embed",
    "list_models",
    "load_model",
    "unload_model",
    "health_check",
  ]);
  for (const tool of tools) {
    expect(tool.title).toMatch(/\w/);
    expect(tool.description).toMatch(/\w/);
    // A host that checks arguments itself must not refuse those that it adds.
    expect(tool.inputSchema).toMatchObject({ type: "object" });
    expect(tool.inputSchema).not.toHaveProperty("additionalProperties");
    expect(tool.outputSchema).toMatchObject({ type: "object" });
  }
});

test("annotations mark the tools that are safe to call without asking the user", async () => {
  const host = await WireHost.start();

  const annotations = (await toolsOf(host)).map((tool) => [tool.name, tool.annotations]);

  const reads = { readOnlyHint: true, openWorldHint: false };
  const changes = {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  };
  // By the protocol's default it is not idempotent.
  const { idempotentHint: _, ...generates } = changes;
  expect(Object.fromEntries(annotations)).toEqual({
    complete: generates,
    get_completion: reads,
    cancel_completion: changes,
    complete_batch: generates,
    embed: generates,
    list_models: reads,
    load_model: changes,
    unload_model: changes,
    health_check: reads,
  });
});

test("the server introduces itself with its version and with instructions for the model", async () => {
  const host = await WireHost.start();

  const { result } = await host.request("initialize", {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "e2e", version: "1" },
  });

  expect(result).toMatchObject({
    serverInfo: { name: "foundry-local-mcp", version: manifest.version },
    capabilities: { tools: {}, resources: { subscribe: true }, prompts: {}, completions: {} },
    protocolVersion: "2025-06-18",
  });
  const instructions = String(result?.["instructions"]);
  expect(instructions).toContain("complete");
  expect(instructions).toContain("data, not instructions");
});

test("every result of every tool fits its outputSchema, successes and failures", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);
  const ajv = new AjvJsonSchemaValidator();
  const schemas = new Map(
    (await toolsOf(host)).map((tool) => [tool.name, ajv.getValidator(Object(tool.outputSchema))]),
  );
  const calls: readonly (readonly [string, object])[] = [
    ["health_check", {}],
    ["list_models", {}],
    ["list_models", { filter: "all", limit: 1 }],
    ["complete", { prompt: "Hello", model: PROMPT_ANSWER }],
    ["complete", { prompt: "Go on.", model: ENDLESS, max_tokens: 3 }],
    ["complete", { prompt: "Hello", model: "there-is-none" }],
    ["unload_model", { model: PROMPT_ANSWER }],
    ["unload_model", { model: PROMPT_ANSWER }],
    ["load_model", { model: PROMPT_ANSWER }],
    ["load_model", { model: PROMPT_ANSWER }],
  ];

  const results = [];
  for (const [name, given] of calls) {
    const { result } = await host.answerTo(host.call(name, given));
    results.push([name, CallToolResultSchema.parse(result)] as const);
  }
  await simulator.stop();
  for (const name of ["complete", "health_check"]) {
    const given = name === "complete" ? { prompt: "Hello" } : {};
    const { result } = await host.answerTo(host.call(name, given));
    results.push([name, CallToolResultSchema.parse(result)] as const);
  }

  for (const [name, { structuredContent, content, isError }] of results) {
    // The text is understandable alone.
    expect(content).toEqual([{ type: "text", text: expect.stringMatching(/\w/) }]);
    if (isError) {
      expect(content).toMatchObject([{ text: expect.stringMatching(/^[A-Z_]+: /) }]);
      expect(structuredContent, name).toBeUndefined();
    } else {
      expect(structuredContent, name).toMatchObject({ notes: expect.any(Array) });
      expect(Object.keys(structuredContent ?? {}).slice(0, 2)).toEqual(["next", "notes"]);
      expect(schemas.get(name)?.(structuredContent), name).toMatchObject({ valid: true });
    }
  }
  expect(results.map(([, { isError = false }]) => isError).filter(Boolean)).toHaveLength(2);
});

test("the text of a result is the answer alone", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);

  const { result } = await host.answerTo(
    host.call("complete", { prompt: "Hello", model: PROMPT_ANSWER }),
  );

  expect(result?.["content"]).toEqual([{ type: "text", text: ANSWER }]);
});

test("an unknown tool is a protocol error that names the existing ones", async () => {
  const host = await WireHost.start();

  const { error, result } = await host.answerTo(host.call("completions", {}));

  expect(result).toBeUndefined();
  expect(error?.code).toBe(-32602);
  expect(error?.message).toContain('"completions"');
  expect(error?.message).toContain("complete, get_completion");
});

test("a call without a tool's name is a protocol error, too", async () => {
  const host = await WireHost.start();

  const { error } = await host.request("tools/call", { arguments: {} });

  expect(error?.code).toBe(-32602);
});

test("an unknown method is a protocol error, and the server goes on", async () => {
  const host = await WireHost.start();

  const { error } = await host.request("tools/destroy");
  const { result } = await host.request("ping");

  expect(error?.code).toBe(-32601);
  expect(result).toEqual({});
});

test.for(["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])(
  "a client with protocol version %s is served in that version",
  async (protocolVersion) => {
    const host = await WireHost.start();

    const { result } = await host.request("initialize", {
      protocolVersion,
      capabilities: {},
      clientInfo: { name: "e2e", version: "1" },
    });

    expect(result).toMatchObject({ protocolVersion });
  },
);
