import { describe, expect, it } from "vitest";
import { errorOfFailure } from "../../../src/foundry/dialects/failures.js";
import { SEARCHED_OF_BODY } from "../../../src/lib/limits.js";
import { clientOf } from "../fixtures.js";
import { chatEngine, events, json } from "./chat-engine.js";

const HEADERS = { "content-type": "application/json", "x-request-id": "req-7" };
const ASK = { prompt: "Hi", model: "m" };
const RETRY = { retries: 3, initialPauseMs: 1 };

describe("an error inside a whole answer", () => {
  it("has the id of its request, and counts all that were sent", async () => {
    const { url, chats } = await chatEngine(({ stream }) => {
      if (stream === true) return json({ error: "stream is not supported" }, 400);
      const answer = chats.length < 4 ? json({ error: "busy" }, 503) : json({ error: "it broke" });
      return { ...answer, headers: HEADERS };
    });
    const error = await clientOf(url, { retry: RETRY })
      .complete(ASK)
      .catch((thrown) => thrown);
    expect(error).toMatchObject({ requestId: "req-7", attempts: chats.length });
    expect(chats).toHaveLength(4);
  });
});

describe("the part of an error's body that is kept", () => {
  it("is as long as the part that is searched", () => {
    const body = "x".repeat(1_000_000);
    const failure = { status: 400, message: "no", kinds: [], body, brokeOff: null };
    const { detail } = errorOfFailure({ ...failure, retryAfterMs: null }, { doing: "chat" });
    expect(detail?.length).toBeLessThanOrEqual(SEARCHED_OF_BODY);
  });
});

describe("a known context limit", () => {
  it("causes no further list of models", async () => {
    const overflow =
      "This model's maximum context length is 4096 tokens. However, you requested 5020 tokens (3996 in the messages, 1024 in the completion).";
    const { url, asked } = await chatEngine(({ max_tokens: most }) =>
      Number(most) > 500
        ? json({ error: { message: overflow } }, 400)
        : events({ choices: [{ delta: { content: "Hello" }, finish_reason: "stop" }] }),
    );
    const client = clientOf(url);
    await client.complete(ASK);
    const before = asked.length;
    for (let call = 0; call < 3; call += 1) await client.complete(ASK);
    // Each chat is refused once and repeated, and the list is requested once to learn the limit.
    const lists = asked.slice(before).filter((each) => each === "GET /v1/models");
    expect(lists.length).toBeLessThanOrEqual(1);
    expect(asked.slice(before).filter((each) => each.startsWith("POST"))).toHaveLength(6);
  });
});
