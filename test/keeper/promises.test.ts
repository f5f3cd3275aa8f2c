import { expect, it, onTestFinished } from "vitest";
import { Promises } from "../../src/keeper/promises.js";
import { MOST_HELD_CHARACTERS } from "../../src/lib/index.js";
import { FOREVER, talker } from "../jobs/fixtures.js";

it("a completion beyond the keeper's limits is not sent, but the others are", async () => {
  const model = { id: "talker-generic-cpu:1", loaded: true, contextLength: 1e9, script: FOREVER };
  const { client, completions } = await talker(FOREVER, { models: [model] });
  // It occupies the place, so that no other is sent to the service.
  const { id } = completions.start({ prompt: "Hi" }).state;
  const prompt = "A".repeat(MOST_HELD_CHARACTERS / 4);
  const large = client.batches.start(
    ["1", "2", "3", "4"].map((each) => ({ prompt: prompt + each })),
  );
  const promises = new Promises(
    client,
    () => false,
    () => {},
  );
  onTestFinished(() => promises.close());
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
