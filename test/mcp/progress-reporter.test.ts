import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ProgressReporter, type ProgressUpdate } from "../../src/mcp/progress-reporter.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

interface Sent extends ProgressUpdate {
  readonly at: number;
}

function recorded(): { sent: Sent[]; progress: ProgressReporter } {
  const sent: Sent[] = [];
  const progress = new ProgressReporter(async (update) => {
    sent.push({ ...update, at: performance.now() });
  });
  return { sent, progress };
}

describe("the progress of a call", () => {
  it("is sent at most ten times in any second, including the last one", async () => {
    const { sent, progress } = recorded();
    for (let token = 0; token < 1000; token++) {
      progress.token("x");
      await vi.advanceTimersByTimeAsync(3);
    }
    progress.finish();
    for (const { at } of sent) {
      const within = sent.filter((other) => other.at >= at && other.at < at + 1000);
      expect(within.length).toBeLessThanOrEqual(10);
    }
    expect(sent.length).toBeGreaterThan(20);
  });

  it("loses no text, and ends with the total number of tokens", async () => {
    const { sent, progress } = recorded();
    const words = Array.from({ length: 300 }, (_, index) => `word${index} `);
    for (const word of words) {
      progress.token(word);
      await vi.advanceTimersByTimeAsync(7);
    }
    progress.finish();
    expect(sent.map(({ message }) => message).join("")).toBe(words.join(""));
    expect(sent.at(-1)?.progress).toBe(300);
  });

  it.each([
    ["while it waits", 200, ["wrong", "The text so far is dropped", "right", " one"]],
    ["at once", 0, ["wrong", "The text so far is dropped", "right one"]],
  ])("reports dropped text, and sends none that is pending: %s", async (_, ms, messages) => {
    const { sent, progress } = recorded();
    progress.token("wrong");
    progress.token(" answer \ud83d");
    progress.textDropped();
    await vi.advanceTimersByTimeAsync(ms);
    progress.token("right");
    await vi.advanceTimersByTimeAsync(ms);
    progress.token(" one");
    await vi.advanceTimersByTimeAsync(300);
    progress.finish();
    expect(sent.map(({ message }) => message)).toEqual(messages);
    // Text has whole numbers.
    for (const { progress: number, message } of sent)
      expect(Number.isInteger(number)).toBe(message !== "The text so far is dropped");
  });

  it("counts the tokens of the thinking, which it does not show", async () => {
    const { sent, progress } = recorded();
    for (let token = 0; token < 2; token += 1) {
      progress.token("");
      await vi.advanceTimersByTimeAsync(200);
    }
    progress.finish();
    expect(sent.map(({ message }) => message)).toEqual(["Thinking, 1 token", "Thinking, 2 tokens"]);
  });

  it("resets the percentage of a download at the first token", async () => {
    const { sent, progress } = recorded();
    progress.news({ step: "downloading", message: "Downloading phi", percent: 99 });
    await vi.advanceTimersByTimeAsync(300);
    for (let token = 0; token < 150; token += 1) {
      progress.token("a");
      await vi.advanceTimersByTimeAsync(20);
    }
    progress.finish();
    const text = sent.filter(({ message }) => /^a+$/.test(message));
    expect(text.map(({ message }) => message).join("")).toBe("a".repeat(150));
    expect(text.every(({ progress, total }) => total === undefined && progress % 1 === 0)).toBe(
      true,
    );
    const numbers = sent.map(({ progress: number }) => number);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
  });

  it("uses whole numbers for text also after a thousand heartbeats", async () => {
    const { sent, progress } = recorded();
    progress.waiting("Loading phi");
    await vi.advanceTimersByTimeAsync(1_500_000);
    progress.token("One");
    progress.finish();
    expect(sent.at(-1)).toMatchObject({ message: "One", progress: 2 });
  });

  it("leaves text after dropped text to the result", async () => {
    const { sent, progress } = recorded();
    progress.token("wrong");
    progress.textDropped();
    progress.token("right");
    progress.finish();
    expect(sent.map(({ message }) => message)).toEqual(["wrong", "The text so far is dropped"]);
  });

  it("does not report dropped text that was never sent", async () => {
    const { sent, progress } = recorded();
    progress.waiting("Reading the prompt");
    progress.token("wrong");
    progress.textDropped();
    progress.token("right");
    progress.finish();
    expect(sent.map(({ message }) => message)).toEqual(["Reading the prompt…", "right"]);
  });

  it.each([
    ["between its halves", ["a\ud83d", "\ude00b"], ["a", "😀b"]],
    ["before a token without text", ["a\ud83d", "", "\ude00b"], ["a", "😀b"]],
    ["alone", ["\ud83d", "\ude00"], ["😀"]],
    ["with another pair", ["😀\ud83d", "\ude00"], ["😀", "😀"]],
    ["twice", ["\ud83d", "\ude00\ud83d", "\ude00"], ["😀", "😀"]],
  ])("never splits a character that is spread over two tokens: %s", async (_, tokens, messages) => {
    const { sent, progress } = recorded();
    for (const token of tokens) {
      progress.token(token);
      await vi.advanceTimersByTimeAsync(200);
    }
    progress.finish();
    const texts = sent.map(({ message }) => message).filter((text) => !/[a-z] \w/.test(text));
    expect(texts.filter((text) => !text.startsWith("Thinking"))).toEqual(messages);
  });

  it("sends half a character at the end if its other half never came", () => {
    const { sent, progress } = recorded();
    progress.token("a\ud83d");
    progress.finish();
    expect(sent.map(({ message }) => message)).toEqual(["a", "\ud83d"]);
  });

  it("increases with every notification, waiting or not", async () => {
    const { sent, progress } = recorded();
    progress.waiting("Loading phi-4-mini");
    await vi.advanceTimersByTimeAsync(5000);
    progress.token("");
    await vi.advanceTimersByTimeAsync(3000);
    progress.token("a");
    await vi.advanceTimersByTimeAsync(500);
    progress.finish();
    const numbers = sent.map(({ progress: number }) => number);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });

  it("reports each second how long a load has taken", async () => {
    const { sent, progress } = recorded();
    progress.waiting("Loading phi-4-mini");
    await vi.advanceTimersByTimeAsync(3000);
    expect(sent.map(({ message }) => message)).toEqual([
      "Loading phi-4-mini…",
      "Loading phi-4-mini, 1 s",
      "Loading phi-4-mini, 2 s",
      "Loading phi-4-mini, 3 s",
    ]);
    progress.finish();
  });

  it("uses whole numbers for text and fractions for heartbeats", async () => {
    const { sent, progress } = recorded();
    progress.waiting("Reading the prompt");
    await vi.advanceTimersByTimeAsync(1500);
    progress.token("");
    await vi.advanceTimersByTimeAsync(200);
    progress.token("Yes");
    await vi.advanceTimersByTimeAsync(200);
    progress.finish();
    const texts = sent.filter(({ progress: number }) => Number.isInteger(number));
    expect(texts).toMatchObject([{ progress: 2, message: "Yes" }]);
  });

  it("leaves no timer and sends nothing after its end", async () => {
    const { sent, progress } = recorded();
    progress.waiting("Loading phi-4-mini");
    progress.token("a");
    progress.finish();
    const count = sent.length;
    expect(vi.getTimerCount()).toBe(0);
    progress.token("b");
    progress.waiting("Loading");
    await vi.advanceTimersByTimeAsync(5000);
    expect(sent.length).toBe(count);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("repeats an earlier status after a different one", async () => {
    const { sent, progress } = recorded();
    const finding = {
      step: "finding",
      message: "Looking for Foundry Local",
      percent: null,
    } as const;
    progress.news(finding);
    progress.waiting("Loading phi-4-mini");
    await vi.advanceTimersByTimeAsync(1500);
    progress.news(finding);
    await vi.advanceTimersByTimeAsync(1500);
    progress.finish();
    expect(sent.at(-1)?.message).toContain("Looking for Foundry Local");
  });

  it("continues with the call's own status once the service is found", async () => {
    const { sent, progress } = recorded();
    const waiting = "Loading phi-4-mini";
    progress.waiting(waiting);
    progress.news(
      { step: "finding", message: "Looking for Foundry Local", percent: null },
      waiting,
    );
    await vi.advanceTimersByTimeAsync(1500);
    progress.news({ step: "found", message: "Found Foundry Local", percent: null }, waiting);
    await vi.advanceTimersByTimeAsync(2500);
    progress.finish();
    expect(sent.at(-1)?.message).toMatch(/^Loading phi-4-mini, \d s$/);
  });

  it("words the number of ended items only when it is sent", async () => {
    const { sent, progress } = recorded();
    let worded = 0;
    for (let done = 1; done <= 500; done += 1) {
      progress.items(done, 500, () => {
        worded += 1;
        return `${done} of 500 done`;
      });
    }
    await vi.advanceTimersByTimeAsync(200);
    progress.finish();
    expect(sent.map(({ message }) => message)).toEqual(["1 of 500 done", "500 of 500 done"]);
    expect(worded).toBe(2);
  });

  it("does nothing for a caller without a progress token", () => {
    const progress = new ProgressReporter(null);
    progress.waiting("Loading phi-4-mini");
    progress.token("a");
    expect(vi.getTimerCount()).toBe(0);
    progress.finish();
  });

  it("sends nothing more to a host that does not read, and the rest at the end", async () => {
    const sent: string[] = [];
    const progress = new ProgressReporter(({ message }) => {
      sent.push(message);
      return new Promise(() => {});
    });
    progress.token("a");
    for (const letter of "bcdef") {
      progress.token(letter);
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(sent).toEqual(["a"]);
    progress.finish();
    expect(sent).toEqual(["a", "bcdef"]);
  });

  it("survives a host that is gone", async () => {
    const progress = new ProgressReporter(async () => {
      throw new Error("Not connected");
    });
    progress.token("a");
    await vi.advanceTimersByTimeAsync(1000);
    progress.finish();
  });
});
