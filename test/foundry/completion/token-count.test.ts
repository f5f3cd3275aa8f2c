import { describe, expect, it } from "vitest";
import { askedOf, clientOf, simulate } from "../fixtures.js";

const MODEL = { id: "narrow-generic-cpu:1", alias: "narrow", contextLength: 1000, loaded: true };
const COUNT = "/v1/chat/completions/tokenizer/encode/count";

const start = async (countsTokens: boolean, more: object = {}) => {
  const models = [{ ...MODEL, ...more }];
  const simulator = await simulate({ dialect: "S", switches: { countsTokens }, models });
  const counts = () => askedOf(simulator, COUNT);
  const chats = () => askedOf(simulator, "/v1/chat/completions").length - counts().length;
  return { simulator, client: clientOf(simulator.url), counts, chats };
};

/** Words of six letters, a token each on the simulator, and 2 by their length. */
const words = (count: number): string => "abcdef ".repeat(count);

describe("the token count of a prompt by the service", () => {
  it("refuses a prompt near the limit that does not fit, and names the count", async () => {
    const { client, counts, chats } = await start(true);
    await expect(
      client.complete({ prompt: words(1000), model: "narrow", maxTokens: 10 }),
    ).rejects.toMatchObject({
      code: "CONTEXT_LENGTH_EXCEEDED",
      message: expect.stringMatching(/^The prompt has 10\d\d tokens, by the count of the service/),
    });
    expect([counts().length, chats()]).toEqual([1, 0]);
  });

  it("lets a prompt pass that fits", async () => {
    const { client, counts, chats } = await start(true);
    await client.complete({ prompt: words(600), model: "narrow", maxTokens: 10 });
    expect([counts().length, chats()]).toEqual([1, 1]);
  });

  it.each<[string, boolean, string, object]>([
    ["for a short prompt", true, words(10), {}],
    ["for a model that is not loaded", true, words(600), { loaded: false }],
  ])("is not asked for %s", async (_what, countsTokens, prompt, more) => {
    const { client, counts, chats } = await start(countsTokens, more);
    await client.complete({ prompt, model: "narrow", maxTokens: 10 });
    expect([counts().length, chats()]).toEqual([0, 1]);
  });

  it("is requested only once where the route does not exist", async () => {
    const { client, counts, chats } = await start(false);
    for (const _time of [1, 2]) {
      await client.complete({ prompt: words(600), model: "narrow", maxTokens: 10 });
    }
    expect([counts().length, chats()]).toEqual([1, 2]);
  });

  it.each(["", "nonsense", '{"tokenCount":-1}', '{"tokenCount":"7"}', "[]"])(
    "is ignored where it is %j",
    async (body) => {
      const { simulator, client, chats } = await start(true);
      simulator.addFault({ kind: "status", status: 200, body, on: { path: COUNT } });
      await client.complete({ prompt: words(600), model: "narrow", maxTokens: 10 });
      expect(chats()).toBe(1);
    },
  );

  it.each(["C1", "C2", "openai"] as const)("is not requested on %s", async (dialect) => {
    const simulator = await simulate({ dialect, models: [MODEL] });
    await clientOf(simulator.url).complete({
      prompt: words(600),
      model: MODEL.id,
      maxTokens: 10,
    });
    expect(askedOf(simulator, COUNT)).toEqual([]);
  });
});
