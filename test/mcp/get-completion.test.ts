import { describe, expect, it } from "vitest";
import { connectedHost, runningCompletion, simulatedService, textOf } from "./host.js";

const TEXT = "One two three four five six seven eight nine ten.";
const FOREVER = { text: "On and on. ", forever: true };
const structured = (answer: object) => Object(Reflect.get(answer, "structuredContent"));
type Host = Awaited<ReturnType<typeof runningCompletion>>["host"];

const get = (host: Host, given: object = {}) =>
  host.callTool({ name: "get_completion", arguments: { ...given } });

/** Asks for a completion and does not wait for it; returns its id. */
async function started(host: Host, given: object = {}): Promise<string> {
  const answer = await host.callTool({
    name: "complete",
    arguments: {
      prompt: "Go",
      model: "talker-generic-cpu:1",
      max_tokens: 3000,
      reply_within: 0,
      ...given,
    },
  });
  return structured(answer).completion_id;
}

describe("get_completion", () => {
  it("waits for the end and returns the answer alone", async () => {
    const { host } = await runningCompletion({ text: TEXT });
    await host.listTools();
    const id = await started(host);
    const answer = await get(host, { completion_ids: [id] });
    expect(textOf(answer)).toBe(TEXT);
    expect(structured(answer)).toMatchObject({
      completions: [{ completion_id: id, status: "completed", text: TEXT, finish_reason: "stop" }],
    });
    // Members without information are absent.
    const [read] = structured(answer).completions;
    for (const name of ["from", "next_from", "total_chars", "place", "attempts", "reasoning"]) {
      expect(read).not.toHaveProperty(name);
    }
    expect(structured(answer)).not.toHaveProperty("errors");
  });

  it("returns each part once, and the parts add up to the text", async () => {
    const text = `${TEXT} 🌍🌍 ${TEXT}`;
    const { host } = await runningCompletion({ text }, "auto", { tokensPerSecond: 60 });
    const id = await started(host);
    let joined = "";
    for (let from: number | undefined = 0; from !== undefined; ) {
      const answer = await get(host, { completion_ids: [id], from, reply_within: 0.1 });
      const [part] = structured(answer).completions;
      expect(part.from ?? 0).toBe(joined.length);
      if (part.next_from !== undefined) {
        expect(textOf(answer)).toMatch(/^Not finished: /);
        expect(textOf(answer)).toContain(`["${id}"]`);
      }
      joined += part.text;
      from = part.next_from;
    }
    expect(joined).toBe(text);
  });

  it("returns no offset into an answer with a schema, which its value replaces", async () => {
    const value = Array.from({ length: 40 }, (_, at) => `item ${at}`);
    const { host } = await runningCompletion({ text: JSON.stringify(value, null, 8) });
    const id = await started(host, { response_schema: { type: "array" } });
    const soFar = async () => {
      const answer = await get(host, { completion_ids: [id], reply_within: 0.1 });
      const { next, completions } = structured(answer);
      return { next, ...completions[0] };
    };
    await expect.poll(soFar).toMatchObject({
      status: "running",
      text: expect.stringContaining("item 1"),
      next: expect.stringContaining("to get the answer."),
      next_from: 0,
    });

    const whole = await get(host, { completion_ids: [id], from: 0 });

    expect(structured(whole).completions[0]).toMatchObject({ status: "completed", data: value });
    expect(textOf(whole)).toBe(JSON.stringify(value));
  });

  it("limits the thinking of several completions, too", async () => {
    const thought = "a thought ".repeat(2000);
    const { host } = await runningCompletion(
      { tokens: [`<think>${thought}</think>`, "Yes."] },
      "auto",
      { tokensPerSecond: 2000 },
    );
    const ids: string[] = [];
    for (let seed = 0; seed < 20; seed += 1) ids.push(await started(host, { seed }));

    const answer = await get(host, { completion_ids: ids });

    const completions: { text: string; reasoning: string }[] = structured(answer).completions;
    expect(completions.map(({ text }) => text)).toEqual(ids.map(() => "Yes."));
    const lengths = completions.map(({ reasoning }) => reasoning.length);
    expect(Math.min(...lengths)).toBeGreaterThan(2000);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThan(61_000);
  });

  it("reports that nothing is left where everything was read", async () => {
    const { host } = await runningCompletion({ text: TEXT });
    const id = await started(host);
    const answer = await get(host, { completion_ids: [id], from: 0 });
    const rest = await get(host, { completion_ids: [id], from: TEXT.length });
    expect(textOf(answer)).toBe(TEXT);
    expect(textOf(rest)).toBe("Note: Finished: there is no text after character 49.");
  });

  it("sends progress to a host that requests it, as complete does", async () => {
    const { host } = await runningCompletion({ text: TEXT }, "auto", { tokensPerSecond: 10 });
    const id = await started(host);
    let told = "";
    await host.callTool(
      { name: "get_completion", arguments: { completion_ids: [id] } },
      undefined,
      {
        onprogress: ({ progress, message = "" }) => {
          if (Number.isInteger(progress)) told += message;
        },
      },
    );
    expect(told).not.toBe("");
    expect(TEXT.endsWith(told)).toBe(true);
  });

  it("refuses an offset beyond the end at once, with the length of the text", async () => {
    const { host } = await runningCompletion({ text: TEXT });
    const id = await started(host);
    await get(host, { completion_ids: [id] });
    const answer = await get(host, { completion_ids: [id], from: 50 });
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toContain(
      `INVALID_ARGUMENT: from is 50, but the text of ${id} has 49 characters.`,
    );
  });

  it("says so of a text of one character, too", async () => {
    const { host } = await runningCompletion({ text: "A" });
    const id = await started(host);
    await get(host, { completion_ids: [id] });
    const refused = await get(host, { completion_ids: [id], from: 2 });
    expect(textOf(refused)).toContain(`the text of ${id} has 1 character.`);
    expect(textOf(await get(host))).toContain(", 1 character: A");
  });

  it.each([
    ["shorter", "It is blue."],
    ["longer", `It is blue${", and blue".repeat(9)}.`],
  ])(
    "returns to the beginning where the text that was read turned out to be thinking, of a %s answer",
    async (_length, said) => {
      // A model whose template opens the thinking sends only the end tag.
      const thought = "I have to think about this for a while. ".repeat(10);
      const text = `${thought}\n</think>\n\n${said}`;
      const { host, foundry } = await runningCompletion({ text });
      const id = await started(host);
      await expect.poll(() => foundry.completions.get(id).text.length).toBeGreaterThan(20);
      const answer = await get(host, { completion_ids: [id], from: 20 });
      const note =
        "The text returned earlier was the model's thinking. This is the answer from its beginning.";
      expect(textOf(answer)).toBe(`${said}\n\nNote: ${note}`);
      expect(structured(answer)).toMatchObject({ notes: [note], completions: [{}] });
      // From now on, offsets are those of the answer.
      const rest = await get(host, { completion_ids: [id], from: 6 });
      expect(structured(rest)).toMatchObject({ notes: [], completions: [{ from: 6 }] });
    },
  );

  it("continues where the text that was thinking was not returned", async () => {
    const said = `It is blue${", and blue".repeat(9)}.`;
    const { host } = await runningCompletion({ text: `I think.\n</think>\n\n${said}` });
    const id = await started(host, { reply_within: 60 });
    const answer = await get(host, { completion_ids: [id], from: 6 });
    expect(textOf(answer)).toBe(said.slice(6));
  });

  it.each([
    [{ completion_ids: Array.from({ length: 51 }, (_, n) => `c-${n}`) }, "1 to 50 completion_ids"],
    [{ completion_ids: ["c-1"], from: -1 }, "a whole number of characters, 0 or more"],
    [{ completion_ids: ["c-1"], from: 1.5 }, "a whole number of characters, 0 or more"],
    [
      { completion_ids: ["c-1", "c-2"], from: 1 },
      "from requires exactly one completion_id, but several were given",
    ],
    [{ from: 1 }, "from requires exactly one completion_id, but none was given"],
    [{ completion_ids: ["c-1"], reply_within: 4000 }, "from 0 to 3600"],
  ])("refuses %j", async (given, said) => {
    const { host } = await runningCompletion({ text: TEXT });
    const answer = await get(host, given);
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toMatch(/^INVALID_ARGUMENT: /);
    expect(textOf(answer)).toContain(said);
  });

  it.each([
    ["hello", 'There is no completion "hello".'],
    ["c-000000-1", "from an earlier run of this program"],
    ["b-000000-1", "the id of a batch"],
  ])("reports what is wrong with the id %s", async (id, said) => {
    const { host } = await runningCompletion({ text: TEXT });
    const answer = await get(host, { completion_ids: [id] });
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toMatch(/^COMPLETION_NOT_FOUND: /);
    expect(textOf(answer)).toContain(said);
  });

  it("returns an error with the text so far where the completion failed", async () => {
    const script = { text: TEXT, failAfterTokens: 4 };
    const { host } = await runningCompletion(script);
    await host.listTools();
    const id = await started(host);
    const answer = await get(host, { completion_ids: [id] });
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toMatch(/^INFERENCE_FAILED: (.|\n)*\(incomplete\):\nOne two/);
    expect(structured(answer).completions).toMatchObject([{ status: "interrupted" }]);
  });
});

describe("get_completion for several ids", () => {
  it("waits for all, and returns each completion by its id, with the errors of invalid ids", async () => {
    const { host } = await runningCompletion({ text: "Short." });
    await host.listTools();
    const ids = [await started(host), await started(host, { prompt: "Another" })];
    const answer = await get(host, { completion_ids: [...ids, "hello", ids[0]] });
    expect(answer.isError).toBeFalsy();
    expect(structured(answer)).toMatchObject({
      completions: ids.map((id) => ({ completion_id: id, status: "completed", text: "Short." })),
      errors: [{ completion_id: "hello", code: "COMPLETION_NOT_FOUND" }],
    });
    expect(textOf(answer)).toMatch(
      /^2 of 3 have ended, and 1 was not found\.\n\nCOMPLETION_NOT_FOUND: /,
    );
    for (const id of ids) expect(textOf(answer)).toContain(`${id}, completed:\nShort.`);
  });

  it.each([
    ["get_completion", (host: Host, ids: readonly string[]) => get(host, { completion_ids: ids })],
    [
      "cancel_completion",
      (host: Host, [id]: readonly string[]) =>
        host.callTool({ name: "cancel_completion", arguments: { completion_id: id } }),
    ],
    [
      "resources/read",
      (host: Host, [id]: readonly string[]) =>
        host.readResource({ uri: `foundry://completions/${id}` }),
    ],
  ])(
    "reads on at an offset after %s returned an answer that was generated again",
    async (_name, read) => {
      const regenerated = new Set<string>();
      const service = await simulatedService({
        models: [{ id: "talker-generic-cpu:1", loaded: true, script: { text: TEXT } }],
      });
      const { host, foundry } = await connectedHost({ endpoint: service.url }, undefined, [], {
        isRegenerated: (id) => regenerated.has(id),
        answeredRegenerated: (id) => void regenerated.delete(id),
      });
      const ids = [await started(host), await started(host, { prompt: "Another" })] as const;
      const [id] = ids;
      await foundry.completions.wait(id);
      regenerated.add(id);
      await read(host, ids);
      const answer = await get(host, { completion_ids: [id], from: 4 });
      expect(structured(answer).completions).toMatchObject([{ from: 4, text: TEXT.slice(4) }]);
    },
  );

  it("says in its progress for how many it waits", async () => {
    const { host } = await runningCompletion({ text: TEXT });
    const id = await started(host);
    const messages: (string | undefined)[] = [];
    const given = { completion_ids: [id, "hello"] };
    await host.callTool({ name: "get_completion", arguments: given }, undefined, {
      onprogress: ({ message }) => void messages.push(message),
    });
    expect(messages[0]).toBe("Waiting for 1 completion…");
  });

  it("names running completions, and is an error only where every id is unknown", async () => {
    const { host, foundry } = await runningCompletion(FOREVER);
    const ids = [await started(host), await started(host, { prompt: "Another" })];
    await expect.poll(() => foundry.completions.get(ids[1] ?? "").place).toBe(1);
    const answer = await get(host, { completion_ids: ids, reply_within: 0 });
    expect(textOf(answer)).toContain(
      `Not finished: 2 of 2 go on. Call get_completion with completion_ids ${JSON.stringify(ids)}`,
    );
    expect(textOf(answer)).toContain(`${ids[1]}, waiting, place 1:`.replace(/:$/, ""));
    const none = await get(host, { completion_ids: ["hello", "there"] });
    expect(none.isError).toBe(true);
    expect(none.structuredContent).toBeUndefined();
    expect(textOf(none).match(/COMPLETION_NOT_FOUND: /g)).toHaveLength(2);
  });

  it("divides the space of one result among them", async () => {
    const long = "Around and around. ".repeat(4000);
    const { host } = await runningCompletion({ tokens: [long] });
    const ids = [await started(host), await started(host, { prompt: "Another" })];
    const answer = await get(host, { completion_ids: ids });
    const texts: { text: string; next_from: number }[] = structured(answer).completions;
    expect(texts.map(({ text }) => text.length)).toEqual([30_000, 30_000]);
    expect(texts.map(({ next_from }) => next_from)).toEqual([30_000, 30_000]);
    const { next, notes } = structured(answer);
    expect([next, ...notes].join()).toMatch(
      new RegExp(ids.map((id) => `\\["${id}"\\]`).join(".*")),
    );
    expect(textOf(answer).match(/from 30000 to read on/g)).toHaveLength(2);
  });
});

describe("get_completion without ids", () => {
  it("lists the latest completions, so that a lost id can be found", async () => {
    const { host } = await runningCompletion({ text: TEXT });
    await host.listTools();
    const id = await started(host);
    await get(host, { completion_ids: [id] });
    const answer = await get(host);
    expect(structured(answer)).not.toHaveProperty("completions");
    expect(structured(answer)).toMatchObject({
      next: "Call get_completion with completion_ids for their text.",
      latest: [{ completion_id: id, status: "completed", total_chars: 49, beginning: TEXT }],
    });
    expect(textOf(answer)).toMatch(
      /^Call .*\.\n\nc-\w+-1: completed, talker-generic-cpu:1, \d+ s ago, 49 /,
    );
  });

  it.each([{ completion_ids: [] }, { completion_ids: [""], from: 0 }, { from: 0 }])(
    "is also a call with %j",
    async (given) => {
      const { host } = await runningCompletion({ text: TEXT });
      await host.listTools();
      expect(structured(await get(host, given))).toMatchObject({ next: null, latest: [] });
    },
  );

  it("reports that there are none", async () => {
    const { host } = await runningCompletion({ text: TEXT });
    expect(textOf(await get(host))).toMatch(/^There are no completions/);
  });
});
