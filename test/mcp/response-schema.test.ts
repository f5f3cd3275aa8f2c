import { describe, expect, it } from "vitest";
import { connectedHost, simulatedService, textOf } from "./host.js";

const response_schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};

async function hostOf(text: string) {
  const models = [{ id: "writer-generic-cpu:1", loaded: true, script: { text } }];
  const { url } = await simulatedService({ models });
  const { host } = await connectedHost({ endpoint: url });
  await host.listTools();
  return (name: string, given: object) => host.callTool({ name, arguments: { ...given } });
}

describe("response_schema", () => {
  it("gives complete a value beside its JSON", async () => {
    const call = await hostOf('Here: ```json\n{"city": "Oslo"}\n```');

    const answer = await call("complete", { prompt: "Where?", response_schema });

    expect(textOf(answer)).toMatch(/^\{"city":"Oslo"\}\n\nNote: Used writer/);
    expect(answer.structuredContent).toMatchObject({
      status: "completed",
      data: { city: "Oslo" },
      method: "constrained",
    });
    expect(answer.structuredContent).not.toHaveProperty("text");
  });

  it("gives each item of a batch a value", async () => {
    const call = await hostOf('{"city": "Oslo"}');

    const answer = await call("complete_batch", { prompts: ["a", "b"], response_schema });

    expect(answer.structuredContent).toMatchObject({
      results: [{ data: { city: "Oslo" } }, { data: { city: "Oslo" } }],
    });
  });

  it("fails with the validation errors and the last answer", async () => {
    const call = await hostOf('{"city": 5}');

    const answer = await call("complete", { prompt: "Where?", response_schema });

    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toMatch(/^SCHEMA_MISMATCH: .*city must be string/);
    expect(textOf(answer)).toContain("\n\nThe last answer:\n");
    expect(textOf(answer)).toContain('{"city": 5}');
  });

  it("may be sent as JSON in a string", async () => {
    const call = await hostOf('{"city": "Oslo"}');
    const given = { prompt: "Where?", response_schema: JSON.stringify(response_schema) };

    expect((await call("complete", given)).structuredContent).toMatchObject({
      data: { city: "Oslo" },
    });
  });

  it("may be wrapped as in the response_format of OpenAI's API", async () => {
    const call = await hostOf('{"city": "Oslo"}');
    const wrapped = { type: "json_schema", json_schema: { name: "x", schema: response_schema } };

    const answer = await call("complete", { prompt: "Where?", response_schema: wrapped });

    expect(answer.structuredContent).toMatchObject({ data: { city: "Oslo" } });
  });

  it.each([[{ type: "objekt" }], ["object"], [{ $ref: "https://example.com/a" }]])(
    "of %j is refused",
    async (schema) => {
      const call = await hostOf('{"city": "Oslo"}');

      const answer = await call("complete", { prompt: "Where?", response_schema: schema });

      expect(answer.isError).toBe(true);
      expect(textOf(answer)).toContain("INVALID_ARGUMENT");
    },
  );

  it.each([{}, [], "", null])("that is empty (%j) counts as absent", async (schema) => {
    const call = await hostOf("Plain words.");

    const answer = await call("complete", { prompt: "Where?", response_schema: schema });

    expect(answer.structuredContent).toMatchObject({ text: "Plain words." });
  });

  it("may allow null", async () => {
    const call = await hostOf("null");

    const answer = await call("complete", { prompt: "?", response_schema: { type: "null" } });

    expect(answer.structuredContent).toMatchObject({ status: "completed", data: null });
  });
});
