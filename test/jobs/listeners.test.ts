import { expect, it } from "vitest";
import { FoundryClient } from "../../src/jobs/index.js";
import { Listeners } from "../../src/jobs/listeners.js";
import { type Logger, silentLogger } from "../../src/log.js";
import { talker } from "./fixtures.js";

function noted(): { log: Logger; said: string[] } {
  const said: string[] = [];
  return { log: { ...silentLogger, error: (_fields, message) => said.push(message) }, said };
}

it("a listener that throws is logged, and the others are still called", () => {
  const { log, said } = noted();
  const listeners = new Listeners<[number]>(log);
  const told: number[] = [];
  listeners.add(() => {
    throw new Error("of a listener");
  });
  const forget = listeners.add((figure) => told.push(figure), [1]);
  listeners.notify(2);
  forget();
  listeners.notify(3);
  expect(told).toEqual([1, 2]);
  expect(said).toEqual(["a listener threw", "a listener threw"]);
});

it("a listener of changes that throws has no effect on a completion", async () => {
  const { service } = await talker({ text: "It is blue." });
  const { log, said } = noted();
  const client = new FoundryClient({ endpoint: service.url, log });
  client.completions.onChange(() => {
    throw new Error("of a listener");
  });
  const { state } = client.completions.start({ prompt: "Why?" });
  expect(await client.completions.wait(state.id)).toMatchObject({
    status: "completed",
    text: "It is blue.",
  });
  await client.close();
  expect(said).toContain("a listener threw");
});
