import { describe, expect, it } from "vitest";
import { get } from "../ask.js";
import { chat, core1, errorOf } from "./ask.js";

const MUTE = {
  status: 200,
  chunks: [],
  connection: "closed by the service before the end of its answer",
};

describe("C1 on some machines", () => {
  it("cuts a stream that cannot begin, without an error", async () => {
    await using simulator = await core1();
    expect(await chat(simulator, { model: "nope:1", stream: true })).toMatchObject(MUTE);
  });

  it("crashes at a long prompt", async () => {
    await using simulator = await core1({ switches: { deadlyPromptBytes: 20_000 } });
    const messages = (length: number) => [{ role: "user", content: "x".repeat(length) }];
    expect((await chat(simulator, { messages: messages(20_000) })).status).toBe(200);
    const answer = await chat(simulator, { messages: messages(20_001), stream: true });
    expect(answer.status).toBeUndefined();
    expect(simulator.listening).toBe(false);
  });

  it("lists no model while its catalog is unreachable, but still answers chats", async () => {
    await using simulator = await core1({ switches: { catalogAccess: "unreachable" } });
    const list = await get(simulator.url, "/v1/models");
    expect(list.status).toBe(500);
    expect(errorOf(list)).toMatch(/^Failed to retrieve model list: Catalog request failed across/);
    for (const verb of ["load", "unload"]) {
      const answer = await get(simulator.url, `/models/${verb}/talker`);
      expect(answer).toMatchObject({ status: 500, chunks: [] });
    }
    expect((await get(simulator.url, "/status")).status).toBe(200);
    expect((await chat(simulator)).status).toBe(200);
  });
});
