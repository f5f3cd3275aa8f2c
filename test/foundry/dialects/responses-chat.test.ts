import { expect, it, onTestFinished } from "vitest";
import type { ChatEvent } from "../../../src/foundry/dialects/dialect.js";
import { responsesChat } from "../../../src/foundry/dialects/responses-chat.js";
import { HttpTransport } from "../../../src/http/index.js";
import { knownModel } from "../models/known-model.js";
import { httpService } from "./http-service.js";

const REQUEST = {
  model: knownModel("tiny-talk-generic-cpu:1"),
  messages: [{ role: "user", content: "Hi" }],
  maxTokens: 64,
} as const;

/** The events read from a response without streaming. */
async function readWhole(response: object): Promise<ChatEvent[]> {
  const { url } = await httpService((_request, answer) => {
    answer.writeHead(200, { "content-type": "application/json" });
    answer.end(JSON.stringify({ object: "response", ...response }));
  });
  const transport = new HttpTransport({ baseUrl: url, retry: { retries: 0 } });
  onTestFinished(() => transport.close());
  const stream = await responsesChat(transport, REQUEST, { path: "/v1/responses" }, { limits: {} });
  const events: ChatEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

const said = (text: string) => ({
  type: "message",
  role: "assistant",
  content: [{ type: "output_text", text }],
});

it.each([
  ["its end", { status: "completed" }, "stop"],
  ["its limit", { incomplete_details: { reason: "max_output_tokens" } }, "length"],
  ["a filter", { incomplete_details: { reason: "content_filter" } }, "content_filter"],
])("a response without streaming that ended at %s", async (_end, state, reason) => {
  const events = await readWhole({ ...state, output: [said("A boat.")] });
  expect(events).toEqual([
    { type: "text", text: "A boat." },
    { type: "finish", reason },
  ]);
});

it("a response whose items have no type is read", async () => {
  const [{ content }] = [said("A boat.")];
  expect(
    await readWhole({ status: "completed", output: [{ role: "assistant", content }] }),
  ).toEqual([
    { type: "text", text: "A boat." },
    { type: "finish", reason: "stop" },
  ]);
});

it("a refusal in a response becomes the text, and is reported as a refusal", async () => {
  const content = [{ type: "refusal", refusal: "I cannot." }];
  expect(await readWhole({ status: "completed", output: [{ type: "message", content }] })).toEqual(
    expect.arrayContaining([
      { type: "text", text: "I cannot." },
      { type: "warning", warning: expect.stringContaining("refused") },
    ]),
  );
});

it.each([
  ["content", { content: [{ type: "reasoning_text", text: "Water, sail." }] }],
  ["summary", { summary: [{ type: "summary_text", text: "Water, sail." }] }],
  [
    "summary beside an empty content",
    {
      summary: [{ type: "summary_text", text: "Water, sail." }],
      content: [{ type: "reasoning_text", text: "" }],
    },
  ],
])("the thinking in a response is no part of its text: %s", async (_where, thought) => {
  const output = [{ type: "reasoning", ...thought }, said("A boat.")];
  expect(await readWhole({ status: "completed", output })).toEqual([
    { type: "reasoning", text: "Water, sail." },
    { type: "text", text: "A boat." },
    { type: "finish", reason: "stop" },
  ]);
});
