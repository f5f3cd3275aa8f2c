import { describe, expect, it } from "vitest";
import * as z from "zod";
import { connectedHost, simulatedService, textOf } from "./host.js";

const MODELS = [
  { id: "talker-generic-cpu:1", loaded: true },
  { id: "embedder-generic-cpu:1", task: "embeddings" },
] as const;
const TEXTS = ["the cat sat on the mat", "stock prices fell sharply", "a cat on a mat"];

const resultSchema = z.looseObject({
  model: z.string(),
  ranking: z.array(z.object({ index: z.int(), score: z.number(), text: z.string() })).optional(),
  vectors: z.array(z.array(z.number())).optional(),
});

async function embedding() {
  const { url } = await simulatedService({ models: MODELS });
  const { host } = await connectedHost({ endpoint: url });
  await host.listTools();
  return async (given: Record<string, unknown>) => {
    const answer = await host.callTool({ name: "embed", arguments: given });
    const result = resultSchema.safeParse(answer.structuredContent).data;
    return { text: textOf(answer), result, isError: answer.isError === true };
  };
}

describe("embed", () => {
  it("ranks texts by a query, in the structured result and in the text", async () => {
    const embed = await embedding();

    const { text, result } = await embed({ texts: TEXTS, query: "cat on mat", limit: 2 });

    expect(result?.ranking?.map(({ index }) => index)).toEqual([0, 2]);
    expect(result?.model).toBe("embedder-generic-cpu:1");
    expect(result?.vectors).toBeUndefined();
    expect(text).toMatch(/^0\.\d{3} \[0\] the cat sat on the mat\n0\.\d{3} \[2\] a cat/);
  });

  it("reports progress also while the first texts are embedded by a loaded model", async () => {
    const [, embedder] = MODELS;
    const { url } = await simulatedService({ models: [{ ...embedder, loaded: true }] });
    const { host } = await connectedHost({ endpoint: url });
    const messages: string[] = [];

    await host.callTool({ name: "embed", arguments: { texts: TEXTS, query: "cat" } }, undefined, {
      onprogress: ({ message = "" }) => void messages.push(message),
    });

    expect(messages).toContain("Embedding the texts…");
  });

  it("returns only the beginning of a long text", async () => {
    const embed = await embedding();

    const { result } = await embed({ texts: ["word ".repeat(1000)], query: "word" });

    expect(result?.ranking?.[0]?.text.length).toBeLessThan(250);
  });

  it("returns vectors on request, with a summary in the text", async () => {
    const embed = await embedding();

    const { text, result } = await embed({ texts: TEXTS, vectors: true });

    expect(result?.vectors).toHaveLength(3);
    expect(text).toContain(`3 vectors of ${result?.vectors?.[0]?.length} numbers`);
    expect(text).not.toContain("0.");
  });

  it("refuses more vectors than one result can contain, with the maximum", async () => {
    const embed = await embedding();
    const texts = Array.from({ length: 300 }, (_, index) => `text ${index}`);

    const { text, isError } = await embed({ texts, vectors: true });
    const most = Number(/at most (\d+) texts/.exec(text)?.[1]);

    expect(isError).toBe(true);
    expect(most).toBeGreaterThan(10);
    expect((await embed({ texts: texts.slice(0, most - 5), vectors: true })).isError).toBe(false);
  });

  it.each([
    [{ texts: TEXTS }, "Neither query nor vectors"],
    [{ texts: [], query: "a" }, "texts"],
    [{ texts: ["a", " "], query: "a" }, "texts"],
    [
      { query: "a" },
      "texts is missing.\nGive texts: a list of 1 to 1000 strings that are not blank.\n",
    ],
    [{ documents: TEXTS }, 'texts is missing. Unknown arguments were ignored: "documents".'],
    [{ texts: TEXTS, query: "a", model: "talker-generic-cpu:1" }, "MODEL_CANNOT_EMBED"],
    [{ texts: TEXTS, query: "a", model: "none" }, "MODEL_NOT_FOUND"],
  ])("refuses %j", async (given, words) => {
    const embed = await embedding();

    const { text, isError } = await embed(given);

    expect(isError).toBe(true);
    expect(text).toContain(words);
  });

  it("accepts one text as a list of one, and texts as JSON", async () => {
    const embed = await embedding();

    expect((await embed({ texts: "a cat", query: "cat" })).result?.ranking).toHaveLength(1);
    expect((await embed({ texts: '["a","b"]', query: "a" })).result?.ranking).toHaveLength(2);
  });
});
