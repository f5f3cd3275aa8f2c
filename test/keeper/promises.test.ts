import { expect, it, onTestFinished } from "vitest";
import type { Batch, FoundryClient } from "../../src/jobs/index.js";
import type { Patch } from "../../src/keeper/messages.js";
import { Promises } from "../../src/keeper/promises.js";
import { patched } from "../../src/keeper/states.js";
import { MOST_HELD_CHARACTERS } from "../../src/lib/index.js";
import { FOREVER, talker } from "../jobs/fixtures.js";

const ANSWER = { text: "It is a simulated answer." };
const oneEnds = ({ text }: { readonly text: string }) => (text === "One" ? { text } : FOREVER);

/** What this process promises, without a keeper. */
function promisesOf(client: FoundryClient, patches: Patch[] = []): Promises {
  const promises = new Promises(
    client,
    () => false,
    (more) => patches.push(...more),
  );
  onTestFinished(() => promises.close());
  return promises;
}

async function endedBatch(client: FoundryClient): Promise<Batch> {
  const batch = client.batches.start([{ prompt: "One" }, { prompt: "Two" }]);
  const { signal } = new AbortController();
  await batch.wait({ withinMs: 10_000, signal, isEnough: () => false });
  return batch;
}

it("a completion beyond the keeper's limits is not sent, but the others are", async () => {
  const model = { id: "talker-generic-cpu:1", loaded: true, contextLength: 1e9, script: FOREVER };
  const { client, completions } = await talker(FOREVER, { models: [model] });
  // It occupies the place, so that no other is sent to the service.
  const { id } = completions.start({ prompt: "Hi" }).state;
  const prompt = "A".repeat(MOST_HELD_CHARACTERS / 4);
  const large = client.batches.start(
    ["1", "2", "3", "4"].map((each) => ({ prompt: prompt + each })),
  );
  const promises = promisesOf(client);
  promises.addBatch(large);
  promises.add(id);
  const first = promises.unsent();
  expect(first.completions.map(({ state }) => state.id)).toEqual([id]);
  expect(first).toMatchObject({ batches: [], isTooMuch: true });

  const other = client.batches.start([{ prompt: "Small." }]);
  promises.addBatch(other);
  const { completions: sent, batches, isTooMuch } = promises.unsent();
  expect(sent.map(({ state }) => state.batchId)).toEqual([other.id]);
  expect(batches.map(({ id }) => id)).toEqual([other.id]);
  expect(isTooMuch).toBe(false);
});

it("what was delivered while it was sent is not sent again", async () => {
  const { client, completions } = await talker(ANSWER);
  const promises = promisesOf(client);
  const { id } = completions.start({ prompt: "Hi" }).state;
  await completions.wait(id);
  const [whole, rest] = [await endedBatch(client), await endedBatch(client)];
  promises.add(id);
  promises.addBatch(whole);
  promises.addBatch(rest);
  expect(promises.unsent().completions).toHaveLength(5);
  promises.delete(id);
  promises.deleteBatch(whole);
  rest.take(0);
  promises.addBatch(rest);
  promises.forgetSent();
  promises.unsend();
  const { completions: sent, batches } = promises.unsent();
  expect(sent.map(({ state }) => state.id)).toEqual(rest.pending);
  expect(batches.map((each) => each.id)).toEqual([rest.id]);
});

it("the rest of a result of a running batch is sent again where the keeper had not replied", async () => {
  const { client, completions } = await talker(oneEnds);
  const promises = promisesOf(client);
  const batch = client.batches.start([{ prompt: "One" }, { prompt: "Two" }]);
  const [cut = ""] = batch.pending;
  await completions.wait(cut);
  batch.take(0);
  promises.addBatch(batch);
  promises.add(cut);
  promises.unsent();
  promises.forgetSent();
  promises.unsend();
  const sent = promises.unsent().completions.map(({ state }) => state.id);
  expect(new Set(sent)).toEqual(new Set([cut, ...batch.pending]));
});

it("results of a running batch are sent again after the keeper has ended", async () => {
  const { client, completions } = await talker(oneEnds);
  const promises = promisesOf(client);
  const batch = client.batches.start([{ prompt: "One" }, { prompt: "Two" }]);
  const [first = ""] = batch.pending;
  await completions.wait(first);
  promises.addBatch(batch);
  promises.unsent();
  promises.forgetSent();
  const sent = promises.unsent().completions.map(({ state }) => state);
  expect(new Set(sent.map(({ id }) => id))).toEqual(new Set(batch.pending));
  expect(sent).toContainEqual(
    expect.objectContaining({ id: first, status: "completed", text: "One" }),
  );
});

it.each([
  ["before a call is answered", (promises: Promises) => void promises.unsent()],
  ["when its process ends", (promises: Promises) => promises.close()],
])("the keeper has all text of a completion %s", async (_when, act) => {
  const { client, completions } = await talker(FOREVER, { tokensPerSecond: 50 });
  const patches: Patch[] = [];
  const promises = promisesOf(client, patches);
  const { id } = completions.start({ prompt: "Hi" }).state;
  promises.add(id);
  const sent = promises.unsent().completions[0]?.state;
  if (sent === undefined) throw new Error("nothing was sent");
  // At the first token, before the merged changes are due.
  const text = await new Promise<string>((resolve) => {
    completions.onChange((_id, what) => {
      if (what !== "text") return;
      act(promises);
      resolve(completions.get(id).text);
    });
  });
  const known = patches.reduce((state, patch) => patched(patch, state), sent);
  expect(known.text).toMatch(/^On/);
  expect(known.text).toBe(text);
});
