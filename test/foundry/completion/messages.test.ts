import { describe, expect, it } from "vitest";
import { prepareMessages } from "../../../src/foundry/completion/request.js";

describe("prepareMessages", () => {
  it("turns a prompt into a user message behind the system message", () => {
    expect(prepareMessages({ prompt: "Why?", system: "Be brief." })).toEqual({
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Why?" },
      ],
      characters: 13,
      warnings: [],
    });
  });

  it("leaves a conversation in its order", () => {
    const messages = [
      { role: "user", content: "a" },
      { role: "assistant", content: "b" },
      { role: "user", content: "c" },
    ] as const;
    expect(prepareMessages({ messages }).messages).toEqual(messages);
  });

  it("replaces halves of characters in any message, with a single warning", () => {
    const { messages, warnings } = prepareMessages({
      system: "\udc00",
      messages: [{ role: "user", content: "a\ud83d 🎉" }],
    });
    expect(messages).toEqual([
      { role: "system", content: "\ufffd" },
      { role: "user", content: "a\ufffd 🎉" },
    ]);
    expect(warnings).toEqual([expect.stringContaining("no valid Unicode")]);
  });
});
