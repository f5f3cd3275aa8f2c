import { expect, it } from "vitest";
import { talker } from "./fixtures.js";

const echo = ({ text }: { readonly text: string }) => ({ text });
const items = Array.from({ length: 100 }, (_, index) => ({ prompt: `Item ${index}.` }));

it.each([
  // One place has no half: a batch waits as long as another caller does.
  [1, 1],
  [4, 2],
])("a batch leaves half of %i places to waiting single completions", async (slots, most) => {
  const { client, completions, chats, service } = await talker(
    echo,
    { tokensPerSecond: 150 },
    { concurrency: slots },
  );
  const batch = client.batches.start(items);
  await service.waitFor(({ generating }) => generating === slots);
  const singles = Array.from({ length: 12 }, (_, index) =>
    completions.start({ prompt: `Single ${index}.` }, { caller: `caller ${index % 3}` }),
  );
  await Promise.all(singles.map(({ state }) => completions.wait(state.id)));
  const order = chats().map(({ body }) => JSON.stringify(body));
  const isSingle = order.map((body) => body.includes("Single"));
  const [first, last] = [isSingle.indexOf(true), isSingle.lastIndexOf(true)];
  const between = isSingle.slice(first, last).filter((single) => !single).length;
  // As long as singles wait, the batch has no more than its share of the turns.
  expect(between).toBeLessThanOrEqual(slots === 1 ? 1 : 12 + most);
  expect(completions.queue.waiting).toBe(0);
  expect(batch.hasEnded).toBe(false);
  await batch.wait({
    withinMs: 150_000,
    signal: new AbortController().signal,
    isEnough: () => false,
  });
  // None lost, none twice.
  expect(batch.counts()).toMatchObject({ completed: 100 });
  expect(new Set(chats().map(({ body }) => JSON.stringify(body))).size).toBe(112);
  expect(chats()).toHaveLength(112);
});

it("two batches take turns", async () => {
  const { client, chats } = await talker(echo, { tokensPerSecond: 300 });
  const batches = ["A", "B"].map((name) =>
    client.batches.start(
      Array.from({ length: 20 }, (_, index) => ({ prompt: `${name} ${index}.` })),
    ),
  );
  const signal = new AbortController().signal;
  await Promise.all(
    batches.map((batch) => batch.wait({ withinMs: 150_000, signal, isEnough: () => false })),
  );
  const half = chats().slice(0, 20);
  const ofA = half.filter(({ body }) => JSON.stringify(body).includes('"A ')).length;
  expect(ofA).toBeGreaterThanOrEqual(8);
  expect(ofA).toBeLessThanOrEqual(12);
});
