import { startSimulator } from "foundry-local-simulator";
import { expect, it, onTestFinished } from "vitest";
import { clientOf } from "../foundry/fixtures.js";
import { RETRIES } from "./cells.js";
import { FAULTS } from "./faults.js";
import { FaultProxy } from "./proxy.js";

it("every completion ends in bounded time with a bounded number of requests under random faults", async () => {
  const seed = Number(process.env["FAULT_SEED"] ?? 14);
  const random = seeded(seed);
  // The others end by a limit of time, which costs seconds each, or keep their connection; the matrix has them.
  const quick = FAULTS.filter(
    ({ name, proxy }) => proxy === undefined && !/no answer|silence|50 MB/.test(name),
  );
  const model = { id: "talker-generic-cpu:1", loaded: true, script: { text: "One two three." } };
  const simulator = await startSimulator({ models: [model] });
  const faulty = await FaultProxy.start(simulator.url);
  onTestFinished(async () => {
    await faulty.close();
    await simulator.close();
  });
  const client = clientOf(faulty.url, { circuit: { failures: 1_000_000 }, stallTimeoutMs: 10_000 });
  await client.listModels();
  let chats = 0;
  faulty.schedule(({ path }) => {
    if (path !== "/v1/chat/completions") return null;
    chats += 1;
    return random() < 0.5 ? null : (quick[Math.floor(random() * quick.length)] ?? null);
  });
  const asked = 60;
  const ended = await Promise.allSettled(
    Array.from({ length: asked }, () => client.complete({ prompt: "Hi" })),
  );
  const codes = ended.map((each) => (each.status === "rejected" ? each.reason.code : "ok"));
  expect(codes, `FAULT_SEED=${seed}`).toHaveLength(asked);
  expect(codes, `FAULT_SEED=${seed}`).toContain("ok");
  expect(codes, `FAULT_SEED=${seed}`).not.toContain("INTERNAL");
  expect(chats, `FAULT_SEED=${seed}`).toBeLessThanOrEqual(asked * (1 + RETRIES));
});

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
