import { describe, expect, it } from "vitest";
import { runningCompletion, textOf } from "./host.js";

const FOREVER = { text: "On and on. ", forever: true };
const structured = (answer: object) => Object(Reflect.get(answer, "structuredContent"));
type Connected = Awaited<ReturnType<typeof runningCompletion>>;

async function started({ host, foundry }: Connected): Promise<string> {
  const given = { prompt: "Go", max_tokens: 3000, reply_within: 0 };
  const answer = await host.callTool({ name: "complete", arguments: given });
  const id: string = structured(answer).completion_id;
  await expect.poll(() => foundry.completions.get(id).text).toMatch(/^On and/);
  return id;
}

const cancel = ({ host }: Connected, id: string) =>
  host.callTool({ name: "cancel_completion", arguments: { completion_id: id } });

describe("cancel_completion", () => {
  it("stops a completion, keeps its text, and reports that the device is free", async () => {
    const connected = await runningCompletion(FOREVER);
    await connected.host.listTools();
    const id = await started(connected);
    const answer = await cancel(connected, id);
    expect(answer.isError).toBeFalsy();
    expect(textOf(answer)).toMatch(
      /^c-\w+-1 was cancelled after \d+ tokens?\. The device is free\. The text so far:\n\nOn/,
    );
    expect(structured(answer)).toMatchObject({
      completion_id: id,
      status: "cancelled",
      text: expect.stringMatching(/^On/),
      device_busy: false,
    });
    await connected.service.waitFor(({ generating }) => generating === 0);
  });

  it("reports that the service continues to generate", async () => {
    const connected = await runningCompletion(FOREVER, "auto", { version: "2.0.1" });
    const answer = await cancel(connected, await started(connected));
    expect(textOf(answer)).toContain("The device stays busy with it for a while");
    expect(structured(answer)).toMatchObject({ device_busy: true });
  });

  it("reports that it is unknown whether the service continues", async () => {
    const connected = await runningCompletion(FOREVER, "auto", { dialect: "openai" });
    const answer = await cancel(connected, await started(connected));
    expect(textOf(answer)).toContain("It is unknown whether the device still works on it.");
    expect(structured(answer)).not.toHaveProperty("device_busy");
  });

  it("ends a waiting call with an error and the text so far", async () => {
    const connected = await runningCompletion(FOREVER);
    const id = await started(connected);
    const waiting = connected.host.callTool({
      name: "get_completion",
      arguments: { completion_ids: [id] },
    });
    await expect.poll(() => connected.foundry.completions.watchersOf(id)).toBe(1);
    await cancel(connected, id);
    const answer = await waiting;
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toMatch(/^CANCELLED: The completion was cancelled before its end\./);
    expect(textOf(answer)).toContain("On and");
  });

  it("reports a completion that had already ended, and an unknown one", async () => {
    const connected = await runningCompletion(FOREVER);
    const id = await started(connected);
    await cancel(connected, id);
    const again = await cancel(connected, id);
    expect(textOf(again)).toMatch(
      /^c-\w+-1 had already ended \(cancelled\); there is nothing to cancel/,
    );
    expect(again.isError).toBeFalsy();
    const none = await cancel(connected, "c-000000-7");
    expect(none.isError).toBe(true);
    expect(textOf(none)).toMatch(/^COMPLETION_NOT_FOUND: /);
  });
});
