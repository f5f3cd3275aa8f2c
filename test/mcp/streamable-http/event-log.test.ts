import { describe, expect, it } from "vitest";
import { EventLog } from "../../../src/mcp/streamable-http/sessions.js";

const message = (id: number, text = "") => ({ jsonrpc: "2.0" as const, id, result: { text } });

async function replayed(log: EventLog, after: string): Promise<number[]> {
  const ids: number[] = [];
  await log.replayEventsAfter(after, {
    send: async (_eventId, sent) => {
      if ("id" in sent) ids.push(Number(sent.id));
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
    await expect(replayed(log, first)).rejects.toThrow("not kept");
    expect(await replayed(log, ids.at(-3) ?? "")).toEqual([29, 30]);
    expect(await log.getStreamIdForEventId(ids.at(-12) ?? "")).toBeUndefined();
  });
});
