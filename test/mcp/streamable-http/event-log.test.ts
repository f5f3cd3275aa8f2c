import { describe, expect, it } from "vitest";
import { EventLog } from "../../../src/mcp/streamable-http/sessions.js";

const message = (number: number, text = "") => ({
  jsonrpc: "2.0" as const,
  method: "notifications/message",
  params: { number, text },
});
const answer = { jsonrpc: "2.0" as const, id: 1, result: {} };

async function replayed(log: EventLog, after: string): Promise<number[]> {
  const ids: number[] = [];
  await log.replayEventsAfter(after, {
    send: async (_eventId, sent) => {
      if ("params" in sent) ids.push(Number(sent.params?.["number"]));
    },
  });
  return ids;
}

describe("the events of a session", () => {
  it("are replayed after the last one that arrived, only of the same stream", async () => {
    const log = new EventLog();
    const first = await log.storeEvent("a", message(1));
    await log.storeEvent("b", message(2));
    await log.storeEvent("a", message(3));
    await log.storeEvent("a", message(4));
    expect(await log.getStreamIdForEventId(first)).toBe("a");
    expect(await replayed(log, first)).toEqual([3, 4]);
  });

  it("are kept up to a number of characters, the latest first", async () => {
    const log = new EventLog();
    const first = await log.storeEvent("a", message(0));
    const ids: string[] = [];
    for (let id = 1; id <= 30; id += 1) {
      ids.push(await log.storeEvent("a", message(id, "x".repeat(100_000))));
    }
    expect((await replayed(log, first)).at(0)).toBeGreaterThan(20);
    expect(await replayed(log, ids.at(-3) ?? "")).toEqual([29, 30]);
  });

  it("are those of a stream also after its last one is not kept any more", async () => {
    const log = new EventLog();
    const last = await log.storeEvent("quiet", message(0));
    for (let id = 1; id <= 30; id += 1) await log.storeEvent("a", message(id, "x".repeat(100_000)));
    await log.storeEvent("quiet", message(31));
    expect(await log.getStreamIdForEventId(last)).toBe("quiet");
    expect(await replayed(log, last)).toEqual([31]);
  });

  it("are none for a stream whose answer is not kept any more", async () => {
    const log = new EventLog();
    const asked = await log.storeEvent("asked", message(0));
    await log.storeEvent("asked", answer);
    for (let id = 1; id <= 30; id += 1) await log.storeEvent("a", message(id, "x".repeat(100_000)));
    expect(await log.getStreamIdForEventId(asked)).toBeUndefined();
  });

  it("are replayed of a stream of two calls whose first answer arrived and is not kept", async () => {
    const log = new EventLog();
    await log.storeEvent("asked", answer);
    const last = await log.storeEvent("asked", message(1));
    for (let id = 2; id <= 31; id += 1) await log.storeEvent("a", message(id, "x".repeat(100_000)));
    await log.storeEvent("asked", message(32));
    expect(await replayed(log, last)).toEqual([32]);
  });

  it("are none for an id that was not given", async () => {
    const log = new EventLog();
    const given = await log.storeEvent("a", message(1));
    const ofOtherSession = await new EventLog().storeEvent("a", message(1));
    for (const id of [given.replace("1", "2"), ofOtherSession, "1_a", "1", "a", ""]) {
      expect(await log.getStreamIdForEventId(id)).toBeUndefined();
    }
  });
});
