import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { FoundryClient } from "../../src/jobs/index.js";
import { HeldCompletions, type Owner } from "../../src/keeper/held.js";
import { HeldLoads } from "../../src/keeper/held-loads.js";
import { REGENERATED, toWire } from "../../src/keeper/states.js";
import { MOST_HELD, MOST_HELD_CHARACTERS } from "../../src/lib/index.js";
import { FOREVER, talker } from "../jobs/fixtures.js";
import { keepOf, SETTINGS, stateOf } from "./fixtures.js";

const owner = (): Owner => ({ stop: () => {} });

function heldBy(client: FoundryClient) {
  const time = { now: 0 };
  const held = new HeldCompletions({
    clientOf: () => client,
    now: () => time.now,
    onChange: () => {},
  });
  held.follow(client);
  const stateOfHeld = (id = "c-before-1") => held.foundOne(id)?.state;
  const untilEnded = () => expect.poll(() => stateOfHeld()?.endedAt ?? null).not.toBeNull();
  return { held, time, stateOfHeld, untilEnded };
}

const ANSWER = { text: "It is a simulated answer." };

/** A batch with a result that was returned in part, and an item that runs. */
const HALF_RETURNED = keepOf(
  { id: "c-before-1", batchId: "b-before-1", status: "completed", endedAt: 5 },
  {
    batches: [
      {
        id: "b-before-1",
        key: "same",
        items: [
          { id: "c-before-1", status: "completed", isTaken: true },
          { id: "c-before-2", status: "running", isTaken: false },
        ],
      },
    ],
  },
);

describe("a completion held by the keeper", () => {
  it("is left to its process until the process ends", async () => {
    const { client, chats } = await talker(ANSWER);
    const { held, stateOfHeld, untilEnded } = heldBy(client);
    const process = owner();
    held.keep(keepOf({ text: "It is", warnings: ["Before."] }), process);
    await setImmediate();
    expect(chats()).toHaveLength(0);
    held.takeOver(process);
    await untilEnded();
    expect(stateOfHeld()).toMatchObject({
      status: "completed",
      text: ANSWER.text,
      warnings: ["Before."],
    });
    expect(chats()).toHaveLength(1);
  });

  it("waits also in a full queue, since it was promised", async () => {
    const { client, service } = await talker(FOREVER, { tokensPerSecond: 50 }, { queueLimit: 1 });
    const { held } = heldBy(client);
    const process = owner();
    const ids = ["c-before-1", "c-before-2", "c-before-3"];
    for (const id of ids) held.keep(keepOf({ id }), process);
    held.takeOver(process);
    await service.waitFor(({ generating }) => generating > 0);
    await expect.poll(() => client.completions.queue).toEqual({ running: 1, waiting: 2 });
    expect(ids.map((id) => held.foundOne(id)?.state.status)).not.toContain("interrupted");
  });

  it("begins also beside many batches, since it was promised", async () => {
    const { client } = await talker(FOREVER, { tokensPerSecond: 50 });
    const { held } = heldBy(client);
    const process = owner();
    const ids = Array.from({ length: 25 }, (_, at) => `c-before-${at}`);
    for (const [at, id] of ids.entries()) {
      const batchId = `b-before-${at}`;
      const items = [{ id, status: "running" as const, isTaken: false }];
      held.keep(keepOf({ id, batchId }, { batches: [{ id: batchId, key: "", items }] }), process);
    }
    held.takeOver(process);
    const errors = ids.map((id) => held.foundOne(id)?.state.error ?? null);
    expect(errors).toEqual(ids.map(() => null));
  });

  it("is not generated again if it has ended", async () => {
    const { client, chats } = await talker(ANSWER);
    const { held, stateOfHeld } = heldBy(client);
    const process = owner();
    held.keep(keepOf({ text: "The end.", status: "completed", endedAt: 5 }), process);
    held.takeOver(process);
    await setImmediate();
    expect(stateOfHeld()).toMatchObject({ status: "completed", text: "The end." });
    expect(chats()).toHaveLength(0);
  });

  it("reports once that another answer replaced the earlier one", async () => {
    const { client } = await talker(ANSWER);
    const { held, stateOfHeld, untilEnded } = heldBy(client);
    const process = owner();
    held.keep(keepOf({ text: "There was another beginning" }), process);
    held.takeOver(process);
    await untilEnded();
    expect(stateOfHeld()).toMatchObject({ text: ANSWER.text, warnings: [REGENERATED] });
    expect(held.foundOne("c-before-1")?.isRegenerated).toBe(true);
    held.seen(["c-before-1"]);
    expect(held.foundOne("c-before-1")?.isRegenerated).toBe(false);
  });

  it("is dropped when its time to be kept after its end is over", async () => {
    const { client } = await talker(ANSWER);
    const { held, time } = heldBy(client);
    held.keep(keepOf({ status: "completed", endedAt: 5 }), owner());
    held.keep(keepOf({ id: "c-before-2" }), owner());
    time.now = 600_001;
    held.prune();
    expect(held.foundOne("c-before-1")).toBeNull();
    expect(held.foundOne("c-before-2")).not.toBeNull();
  });

  it("is kept with the other results of its batch, until the last of them is old", async () => {
    const { client } = await talker(ANSWER);
    const { held, time } = heldBy(client);
    const batchId = "b-before-1";
    const early = keepOf({ id: "c-before-1", batchId, status: "completed", endedAt: 5 });
    const late = keepOf({ id: "c-before-2", batchId });
    const process = owner();
    held.keep(early, process);
    held.keep(late, process);
    time.now = 600_001;
    held.prune();
    expect(held.foundOne("c-before-1")).not.toBeNull();
    held.keep(keepOf({ id: "c-before-2", batchId, status: "completed", endedAt: 6 }), process);
    time.now = 1_200_001;
    held.prune();
    expect(held.foundOne("c-before-1")).not.toBeNull();
    time.now = 1_200_002;
    held.prune();
    expect(held.size).toBe(0);
  });

  it("is kept if it is a batch's result that was returned only in part", async () => {
    const { client } = await talker(ANSWER);
    const { held } = heldBy(client);
    const process = owner();
    held.keep(HALF_RETURNED, process);
    held.keep({ ...HALF_RETURNED, completions: [] }, process);
    expect(held.foundOne("c-before-1")).not.toBeNull();
  });

  it("is kept if it was returned only in part before the rest of its batch was returned", async () => {
    const { client } = await talker(ANSWER);
    const { held } = heldBy(client);
    const process = owner();
    held.keep(HALF_RETURNED, process);
    held.keep(keepOf({ id: "c-before-2", batchId: "b-before-1" }), process);
    held.release([], ["b-before-1"]);
    expect(held.foundOne("c-before-1")).not.toBeNull();
    expect(held.foundOne("c-before-2")).toBeNull();
  });

  it("is kept for its batch if it was returned by itself", async () => {
    const { client } = await talker(ANSWER);
    const { held } = heldBy(client);
    const batchId = "b-before-1";
    const items = [{ id: "c-before-1", status: "running" as const, isTaken: false }];
    const batches = [{ id: batchId, key: "same", items }];
    const state = { batchId, status: "completed" as const, endedAt: 5 };
    held.keep(keepOf(state, { batches }), owner());
    held.release(["c-before-1"], []);
    expect(held.find({ ids: [], batch: batchId, same: null }).completions).toHaveLength(1);
    held.release([], [batchId]);
    expect(held.size).toBe(0);
  });

  it("is joined by an identical request only after its process has ended", async () => {
    const { client } = await talker(ANSWER);
    const { held } = heldBy(client);
    const process = owner();
    held.keep(keepOf({ status: "completed", endedAt: 5 }), process);
    const same = { kind: "completion", key: "same", settings: SETTINGS } as const;
    const found = () => held.find({ ids: [], batch: null, same }).completions.length;
    expect(found()).toBe(0);
    held.takeOver(process);
    expect(found()).toBe(1);
    const settings = { FOUNDRY_MODEL: "other" };
    expect(held.find({ ids: [], batch: null, same: { ...same, settings } }).completions).toEqual(
      [],
    );
  });

  it("is refused beyond the limits of number and size", async () => {
    const { client } = await talker(ANSWER);
    const { held } = heldBy(client);
    const many = Array.from({ length: MOST_HELD + 1 }, (_, at) => ({
      state: toWire(stateOf({ id: `c-before-${at}` })),
      key: null,
      request: null,
    }));
    expect(held.keep(keepOf({}, { completions: many }), owner())).toBe(false);
    expect(held.keep(keepOf({}, { completions: many.slice(1) }), owner())).toBe(true);
    held.release(
      many.map(({ state }) => state.id),
      [],
    );
    const text = "x".repeat(MOST_HELD_CHARACTERS + 1);
    expect(held.keep(keepOf({ text }), owner())).toBe(false);
    expect(held.size).toBe(0);
  });

  it("is measured once, however often it is looked for what is too old or too much", async () => {
    const { client } = await talker(ANSWER);
    const { held } = heldBy(client);
    let measured = 0;
    const toJSON = () => {
      measured += 1;
      return "A long text";
    };
    const content = [Object.assign({ type: "text" as const, text: "A long text" }, { toJSON })];
    const request = { messages: [{ role: "user" as const, content }] };
    const completions = [{ state: toWire(stateOf({ id: "c-before-1" })), key: null, request }];
    held.keep(keepOf({}, { completions }), owner());
    for (let looks = 0; looks < 10; looks += 1) held.prune();
    expect(measured).toBe(1);
    expect(held.size).toBe(1);
  });

  it("is generated no longer when it is released", async () => {
    const { client, service } = await talker(FOREVER, { tokensPerSecond: 50 });
    const { held } = heldBy(client);
    const process = owner();
    held.keep(keepOf({}), process);
    held.takeOver(process);
    await service.waitFor(({ generating }) => generating > 0);
    held.release(["c-before-1"], []);
    await expect.poll(() => client.completions.list()[0]?.status).toBe("cancelled");
    expect(held.foundOne("c-before-1")).toBeNull();
  });

  it("is stopped by the process that runs it", async () => {
    const { client } = await talker(ANSWER);
    const { held } = heldBy(client);
    const stopped: string[] = [];
    held.keep(keepOf({}), { stop: (id) => void stopped.push(id) });
    held.cancel("c-before-1");
    expect(stopped).toEqual(["c-before-1"]);
  });
});

it("the keeper holds no load that it cannot start", () => {
  const clientOf = (): FoundryClient => {
    throw new Error("These settings are of another version.");
  };
  const held = new HeldLoads({ clientOf, now: () => 0 });
  const process = owner();
  const wish = { device: undefined, download: false, force: false, idleSeconds: undefined };
  held.keep(
    [
      { model: "a", wish },
      { model: "b", wish },
    ],
    SETTINGS,
    process,
  );
  held.takeOver(process);
  expect(held.size).toBe(0);
});
