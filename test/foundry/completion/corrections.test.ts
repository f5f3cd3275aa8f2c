import { describe, expect, it } from "vitest";
import type { CompletionEvent } from "../../../src/foundry/index.js";
import { type ChatAnswer, type ChatBody, chatEngine, events } from "../dialects/chat-engine.js";
import { askedOf, clientOf, simulate } from "../fixtures.js";

const SCHEMA = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
const request = { prompt: "How many?", schema: SCHEMA };
const ofText = (content: string): ChatAnswer =>
  events({ choices: [{ delta: { content }, finish_reason: "stop" }] });

/** A client of an engine that gives these answers, one for each request. */
async function answering(...answers: readonly ((body: ChatBody) => ChatAnswer)[]) {
  const left = [...answers];
  const { url } = await chatEngine((body) => left.shift()?.(body) ?? null);
  return clientOf(url);
}

it("An answer that a content filter ended is not requested again", async () => {
  const filtered = { choices: [{ delta: { content: '{"n":' }, finish_reason: "content_filter" }] };
  const { url, chats } = await chatEngine(() => events(filtered));

  await expect(clientOf(url).complete({ ...request, model: "m" })).rejects.toMatchObject({
    code: "SCHEMA_MISMATCH",
    message: "The answer does not fit the schema: a content filter ended it.",
    action: "Rephrase the prompt, or try another model.",
    retryable: false,
  });
  expect(chats).toHaveLength(1);
});

describe("an answer that was corrected", () => {
  it("has no warning about the answer that was dropped", async () => {
    const client = await answering(
      () => events({ choices: [{ delta: { refusal: "I cannot." }, finish_reason: "why_not" }] }),
      () => ofText('{"n":1}'),
    );

    const completion = await client.complete({ ...request, model: "m" });

    expect(completion).toMatchObject({ data: { n: 1 }, warnings: [] });
  });

  it("has each warning about the request once", async () => {
    const refusal = { error: { message: "Unsupported parameter: 'seed'" } };
    const refused = (): ChatAnswer => ({ status: 400, body: JSON.stringify(refusal) });
    const client = await answering(
      refused,
      () => ofText("none"),
      () => ofText("[]"),
      () => ofText('{"n":1}'),
    );

    const completion = await client.complete({ ...request, model: "m", seed: 7 });

    expect(completion).toMatchObject({
      data: { n: 1 },
      warnings: ["This engine refuses seed, so the request was sent without it."],
    });
  });

  it.each(["S", "C1", "C2"] as const)("comes of one load of its model, on %s", async (dialect) => {
    const answers = ["none", '{"n":1}'];
    const script = () => ({ text: answers.shift() ?? "" });
    const id = "writer-generic-cpu:1";
    const simulator = await simulate({ dialect, models: [{ id, loaded: false, script }] });
    const statuses: CompletionEvent[] = [];

    for await (const event of clientOf(simulator.url).streamComplete({ ...request, model: id })) {
      if (event.type === "status") statuses.push(event);
      if (event.type === "completed") expect(event.completion.data).toEqual({ n: 1 });
    }

    const paths = simulator.requests.map(({ path }) => path);
    expect(paths.filter((path) => /\/load\//.test(path))).toHaveLength(1);
    expect(askedOf(simulator, "/v1/chat/completions")).toHaveLength(2);
    expect(statuses.map((event) => "status" in event && event.status)).toEqual([
      "loading",
      "running",
      "running",
    ]);
  });
});
