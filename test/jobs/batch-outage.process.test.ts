import { type Simulator, startSimulator } from "foundry-local-simulator";
import { expect, it, onTestFinished } from "vitest";
import { ServiceClient } from "../../src/foundry/index.js";
import { type Batch, Batches, Completions, FoundryClient } from "../../src/jobs/index.js";
import { Installation, running } from "../foundry/discovery/installation.js";
import { MODEL, talker } from "./fixtures.js";

const echo = ({ text }: { readonly text: string }) => ({ text: `${text} ${"word ".repeat(9)}` });
const items = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ prompt: `Item ${index}.` }));

/** Short pauses between the checks for the service. */
const QUICK = { pausesMs: [20, 100] } as const;

async function toItsEnd(batch: Batch): Promise<void> {
  const { signal } = new AbortController();
  await batch.wait({ withinMs: 150_000, signal, isEnough: () => false });
  expect(batch.hasEnded).toBe(true);
}

/**
 * Ends a service at a moment when `done` items have ended and all running ones have begun to answer: an item that
 * breaks off before its first token would be retried by the client.
 */
function dieWhenDone(
  service: Simulator,
  { completions }: FoundryClient,
  batch: Batch,
  done: number,
) {
  return new Promise<void>((resolve) => {
    const unwatch = completions.onChange(() => {
      const runs = completions.list().filter(({ status }) => status === "running");
      if (batch.done < done || runs.length < 2 || runs.some(({ text }) => text === "")) return;
      unwatch();
      resolve(service.stop());
    });
  });
}

/** The prompts of all requests to a service, with repetitions. */
const promptsAsked = (service: Simulator): string[] =>
  service.requests
    .filter(({ path }) => path === "/v1/chat/completions")
    .map(({ body }) => String(/Item \d+/.exec(JSON.stringify(body))));

it("after a crash of the service, running items of a batch end with their text and the others run once it is back", async () => {
  const { client, service } = await talker(echo, { tokensPerSecond: 60 }, { concurrency: 2 });
  const batch = new Batches(client.completions, QUICK).start(items(20));
  await dieWhenDone(service, client, batch, 4);
  await expect.poll(() => batch.outage).not.toBeNull();
  const { completed, queued } = batch.counts();
  expect(queued).toBeGreaterThan(0);
  await service.start();
  await toItsEnd(batch);
  expect(batch.outage).toBeNull();
  const ends = [...batch.ready()].map(({ state }) => state);
  const broken = ends.filter(({ status }) => status !== "completed");
  expect(broken.length).toBeLessThanOrEqual(2);
  expect(broken.filter(({ status }) => status === "interrupted").length).toBeGreaterThan(0);
  for (const { status, text } of broken) if (status === "interrupted") expect(text).not.toBe("");
  expect(completed + queued + broken.length).toBe(20);
  // No item is lost, and none was run twice.
  expect(ends).toHaveLength(20);
  expect(new Set(promptsAsked(service)).size).toBe(promptsAsked(service).length);
});

it("a service that comes back at another address is found again", async () => {
  const installation = await Installation.make();
  const models = [{ id: MODEL, loaded: true, script: echo }];
  const services = await Promise.all(
    [0, 1].map(() => startSimulator({ models, tokensPerSecond: 60 })),
  );
  const [before, after] = services;
  if (before === undefined || after === undefined) throw new Error("two were started");
  await installation.install({ "server status": { prints: running(before.url) } });
  const client = new FoundryClient(
    { cliPath: installation.cliPath, autostart: false, embedded: false, concurrency: 2 },
    installation.machine,
  );
  onTestFinished(async () => {
    await client.close();
    for (const service of services) await service.close();
  });
  const batch = new Batches(client.completions, QUICK).start(items(12));
  await dieWhenDone(before, client, batch, 2);
  await installation.install({ "server status": { prints: running(after.url) } });
  await toItsEnd(batch);
  const { completed, interrupted, failed } = batch.counts();
  expect(interrupted + failed).toBeLessThanOrEqual(2);
  expect(completed).toBe(12 - interrupted - failed);
  const asked = [...promptsAsked(before), ...promptsAsked(after)];
  expect(new Set(asked).size).toBe(asked.length);
  expect(promptsAsked(after).length).toBeGreaterThan(0);
});

it("all items fail at once with the reason of the first where there never was a service", async () => {
  const { client, service } = await talker(echo);
  await service.stop();
  const batch = new Batches(client.completions, QUICK).start(items(200));
  await toItsEnd(batch);
  const codes = new Set([...batch.ready()].map(({ state }) => state.error?.code));
  expect([...codes]).toEqual(["SERVICE_UNREACHABLE"]);
  expect(batch.counts()).toMatchObject({ failed: 200 });
  expect(service.connections).toBe(0);
});

it("a service that does not come back is waited for until the time limit", async () => {
  const { client, service } = await talker(echo, { tokensPerSecond: 60 }, { concurrency: 2 });
  const batch = new Batches(client.completions, { ...QUICK, patienceMs: 1000 }).start(items(30));
  await dieWhenDone(service, client, batch, 1);
  await expect.poll(() => batch.outage).not.toBeNull();
  const { queued } = batch.counts();
  expect(queued).toBeGreaterThan(0);
  await toItsEnd(batch);
  const { completed, failed, interrupted } = batch.counts();
  expect(completed + interrupted + failed).toBe(30);
  expect(failed).toBeGreaterThanOrEqual(queued);
});

it("a batch that waits for its service can be stopped", async () => {
  const { client, service } = await talker(echo, { tokensPerSecond: 60 }, { concurrency: 2 });
  const batch = new Batches(client.completions, QUICK).start(items(10));
  await dieWhenDone(service, client, batch, 1);
  await expect.poll(() => batch.outage).not.toBeNull();
  const { queued } = batch.counts();
  await batch.cancel();
  expect(batch.hasEnded).toBe(true);
  expect(queued).toBeGreaterThan(0);
  expect(batch.counts().cancelled).toBeGreaterThanOrEqual(queued);
  expect(batch.outage).toBeNull();
});

it("results beyond the limit are reported as evicted, each with its index and status", async () => {
  const { service } = await talker(echo);
  const client = new ServiceClient({ endpoint: service.url });
  onTestFinished(() => client.close());
  const completions = new Completions(
    client,
    // One after the other, so that the last is the last.
    { concurrency: 1, limits: { mostBytes: 300 } },
  );
  const batch = new Batches(completions).start(items(5));
  await toItsEnd(batch);
  const ends = [...batch.ready()].map(({ index, state }) => [
    index,
    state.status,
    state.error?.code,
  ]);
  expect(ends.at(0)).toEqual([0, "completed", "COMPLETION_NOT_FOUND"]);
  expect(ends.at(-1)).toEqual([4, "completed", undefined]);
  expect(batch.counts()).toMatchObject({ completed: 5 });
});
