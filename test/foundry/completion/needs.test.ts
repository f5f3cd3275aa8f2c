import { describe, expect, it } from "vitest";
import { isAboutCode, needsOf } from "../../../src/foundry/completion/model-choice.js";

describe("isAboutCode", () => {
  it.each([
    "What does this do?\n```ts\nconst a = 1;\n```",
    "Write a function that reverses a list.",
    "Please fix the code below.",
    "Implement quicksort in Python",
    "Review this:\ndiff --git a/x b/x\n@@ -1 +1 @@",
    "Write a regex for e-mail addresses",
    "Translate this SQL to plain words",
    "Add unit tests for the parser",
    "port it to C++",
    "#!/bin/sh\necho hi\nWhy does it print twice?",
  ])("is true for: %s", (text) => {
    expect(isAboutCode(text)).toBe(true);
  });

  it.each([
    "Summarise this letter.",
    "Write an e-mail to my landlord about the heating.",
    "What is the capital of Norway?",
    "The function of the heart is to pump blood. Is that right?",
    "Create a class schedule for the week",
    "Python is a snake that lives in Asia.",
    "",
  ])("is false for: %s", (text) => {
    expect(isAboutCode(text)).toBe(false);
  });
});

describe("needsOf", () => {
  const messages = [{ role: "user" as const, content: "word ".repeat(1000) }];

  it("counts the prompt, the schema, the tools and the answer", () => {
    const tool = {
      type: "function" as const,
      function: { name: "a", description: "x".repeat(700) },
    };
    const plain = needsOf({}, messages, 1024);
    expect(plain).toMatchObject({ tools: false, code: false, likelyTokens: 1429 + 1024 });
    expect(needsOf({ maxTokens: 10 }, messages, 1024).likelyTokens).toBe(1429 + 10);
    const withTools = needsOf({ tools: [tool] }, messages, 1024);
    expect(withTools.tools).toBe(true);
    expect(withTools.likelyTokens).toBeGreaterThan(plain.likelyTokens + 200);
    expect(needsOf({ tools: [tool], toolChoice: "none" }, messages, 1024).tools).toBe(false);
    const schema = { type: "object", description: "x".repeat(700) };
    expect(needsOf({ schema }, messages, 1024).likelyTokens).toBeGreaterThan(
      plain.likelyTokens + 200,
    );
  });

  it("reads the last message of the user", () => {
    const of = (...contents: string[]) =>
      needsOf(
        {},
        contents.map((content) => ({ role: "user" as const, content })),
        10,
      ).code;
    expect(of("Fix this code", "Now tell me a story")).toBe(false);
    expect(of("Tell me a story", "Now fix this code")).toBe(true);
  });
});
