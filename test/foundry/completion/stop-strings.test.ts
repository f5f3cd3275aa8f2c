import { describe, expect, it } from "vitest";
import { StopCutter } from "../../../src/foundry/completion/text-filters.js";
import { WEATHER } from "../../e2e/target.js";
import { chatEngine, events } from "../dialects/chat-engine.js";
import { clientOf } from "../fixtures.js";

function cut(stops: readonly string[], ...pieces: readonly string[]): [string, boolean] {
  const cutter = new StopCutter(stops);
  const text = pieces.map((piece) => cutter.push(piece)).join("") + cutter.end();
  return [text, cutter.isCut];
}

describe("StopCutter", () => {
  it.each([
    { what: "without any", stops: [], whole: "a STOP b", left: "a STOP b", isCut: false },
    {
      what: "that does not come",
      stops: ["STOP"],
      whole: "a STO b",
      left: "a STO b",
      isCut: false,
    },
    { what: "in the middle", stops: ["STOP"], whole: "a STOP b", left: "a ", isCut: true },
    { what: "at the beginning", stops: ["STOP"], whole: "STOP b", left: "", isCut: true },
    { what: "at the end", stops: ["STOP"], whole: "a STOP", left: "a ", isCut: true },
    {
      what: "that only begins at the end",
      stops: ["STOP"],
      whole: "a STO",
      left: "a STO",
      isCut: false,
    },
    { what: "that comes twice", stops: ["."], whole: "a. b. c", left: "a", isCut: true },
    {
      what: "of several, the first in the text",
      stops: ["c", "b"],
      whole: "a b c",
      left: "a ",
      isCut: true,
    },
    {
      what: "that repeats its own beginning",
      stops: ["aab"],
      whole: "xaaab",
      left: "xa",
      isCut: true,
    },
    {
      what: "that is a line break",
      stops: ["\n\n"],
      whole: "a\nb\n\nc",
      left: "a\nb",
      isCut: true,
    },
    {
      what: "beside one that begins like it",
      stops: ["ab", "abcd"],
      whole: "xabcd",
      left: "x",
      isCut: true,
    },
    {
      what: "that another one begins before",
      stops: ["bcx", "cd"],
      whole: "abcd",
      left: "ab",
      isCut: true,
    },
    { what: "of many bytes", stops: ["ß🎉"], whole: "a ß🎉 b", left: "a ", isCut: true },
  ])(
    "cuts at a stop string $what, wherever the text is cut in two",
    ({ stops, whole, left, isCut }) => {
      for (let at = 0; at <= whole.length; at++) {
        expect(cut(stops, whole.slice(0, at), whole.slice(at))).toEqual([left, isCut]);
      }
      expect(cut(stops, ...whole.split(""))).toEqual([left, isCut]);
    },
  );

  it("returns text at once that cannot belong to a stop string", () => {
    const cutter = new StopCutter(["STOP", "\n"]);
    expect(cutter.push("Hello ST")).toBe("Hello ");
    expect(cutter.push("ART S")).toBe("START ");
  });

  it("returns nothing after the cut", () => {
    const cutter = new StopCutter(["."]);
    cutter.push("a.");
    expect([cutter.push("more"), cutter.end()]).toEqual(["", ""]);
  });

  it("restarts its search after the end of a part", () => {
    const cutter = new StopCutter(["\n#"]);
    expect(cutter.push("think\n") + cutter.end()).toBe("think\n");
    expect(cutter.push("# Title")).toBe("# Title");
    expect(cutter.isCut).toBe(false);
  });
});

it.each([
  ["as reasoning", { reasoning_content: "One. STOP Two." }],
  ["in an open tag", { content: "<think>One. STOP Two." }],
])("A stop string ends an answer that came %s alone", async (_how, delta) => {
  const { url } = await chatEngine(() =>
    events({ choices: [{ delta }] }, { choices: [{ finish_reason: "stop" }] }),
  );
  const request = { prompt: "Hi", model: "m", stop: ["STOP"] };
  expect(await clientOf(url).complete(request)).toMatchObject({
    text: "One. ",
    reasoning: null,
    finishReason: "stop",
  });
});

it("A stop string does not match the blank lines between thinking and answer", async () => {
  const { url } = await chatEngine(() =>
    events(
      { choices: [{ delta: { reasoning_content: "Hm." } }] },
      { choices: [{ delta: { content: "\n\nOne.\n\nTwo." } }] },
      { choices: [{ finish_reason: "stop" }] },
    ),
  );
  const request = { prompt: "Hi", model: "m", stop: ["\n\n"] };
  expect(await clientOf(url).complete(request)).toMatchObject({ text: "One." });
});

describe("a stop string that is held back as the beginning of a tag until the answer ends", () => {
  async function answered(delta: object, finish_reason: "stop" | "length") {
    const { url } = await chatEngine(() =>
      events({ choices: [{ delta }] }, { choices: [{ finish_reason }] }),
    );
    return clientOf(url).complete({ prompt: "Hi", model: "m", stop: ["<thi"] });
  }

  it("ends the answer, whatever ended the generation", async () => {
    expect(await answered({ content: "One <thi" }, "length")).toMatchObject({
      text: "One ",
      finishReason: "stop",
    });
  });

  const call = (given: string) => ({
    tool_calls: [{ index: 0, id: "a", function: { name: "get_weather", arguments: given } }],
  });

  it.each(["<thi", "<too"])("ends the answer beside a call, too: %s", async (stop) => {
    const delta = { content: `One ${stop}`, ...call('{"city":"Oslo"}') };
    const { url } = await chatEngine(() =>
      events({ choices: [{ delta }] }, { choices: [{ finish_reason: "length" }] }),
    );

    const request = { prompt: "Hi", model: "m", stop: [stop], tools: [WEATHER.tool] };
    expect(await clientOf(url).complete(request)).toMatchObject({
      text: expect.stringMatching(/^One ?$/),
      finishReason: "tool_calls",
      toolCalls: [{ name: "get_weather", arguments: { city: "Oslo" } }],
    });
  });

  it("leaves no value to be made up beside a call that was cut off", async () => {
    const schema = {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "string" } },
    };
    const whole = { a: 1, b: "x y" };
    const cutOff = { content: '{"a":1,"b":"x <thi', ...call('{"city":') };
    const { url, chats } = await chatEngine(() => {
      const delta = chats.length === 1 ? cutOff : { content: JSON.stringify(whole) };
      return events({ choices: [{ delta }] }, { choices: [{ finish_reason: "stop" }] });
    });

    const request = { prompt: "Hi", model: "m", stop: ["<thi"], tools: [WEATHER.tool], schema };
    expect(await clientOf(url).complete(request)).toMatchObject({ data: whole, attempts: 2 });
  });

  it("does not make the thinking an answer", async () => {
    const delta = { reasoning_content: "Hm.", content: "<thi" };
    expect(await answered(delta, "stop")).toMatchObject({
      text: "",
      reasoning: "Hm.",
      warnings: ["The model gave no text."],
    });
  });
});
