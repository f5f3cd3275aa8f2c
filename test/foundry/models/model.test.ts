import { describe, expect, it } from "vitest";
import { canChat } from "../../../src/foundry/models/model.js";

describe("canChat", () => {
  it.each([
    ["chat-completion", true],
    ["chat", true],
    ["vision-language-chat", true],
    ["text-generation", true],
    ["embeddings", false],
    ["embedding", false],
    ["automatic-speech-recognition", false],
    ["text-ranking", false],
    ["typed-decision", false],
  ])("says for the task %s: %j", (task, able) => {
    expect(canChat({ id: "m-generic-cpu:1", task })).toBe(able);
  });

  it.each(["qwen3-embedding-0.6b-generic-cpu:1", "openai-whisper-tiny-generic-cpu:2"])(
    "concludes from the name of %s that it cannot, when no task is known",
    (id) => {
      expect(canChat({ id, task: null })).toBe(false);
    },
  );

  it("lets a known task outrank the name", () => {
    expect(canChat({ id: "whisper-of-the-llama:1", task: "chat-completion" })).toBe(true);
  });

  it("does not guess where neither task nor name says anything", () => {
    expect(canChat({ id: "My_Own.Talker:7", task: null })).toBeNull();
  });
});
