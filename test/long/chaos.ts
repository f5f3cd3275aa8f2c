import { setTimeout as delay } from "node:timers/promises";
import { test } from "vitest";
import { seeded } from "./chance.js";
import { Calls } from "./chaos-calls.js";
import { type Lives, ServiceLife } from "./chaos-life.js";

export interface Chaos extends Lives {
  readonly name: string;
  readonly restarts: number;
  readonly seed: number;
}

/** A seed for all machines instead of their own, to search for more failures. */
const SEED = process.env["FOUNDRY_TEST_SEED"];
/** Whether to print the outcomes of the calls. */
const TELLS = process.env["FOUNDRY_TEST_TELL"] !== undefined;

/**
 * Services are killed and come back at random moments, while calls of all kinds are in flight: several
 * machines at the same time, since most of it is waiting.
 */
export function chaos(name: string, machines: readonly Chaos[]): void {
  test(name, { timeout: 240_000 }, async () => {
    await Promise.all(machines.map(survive));
  });
}

async function survive(machine: Chaos): Promise<void> {
  const seed = Number(SEED ?? machine.seed);
  const life = await ServiceLife.start(machine);
  const host = await life.machine.host({
    FOUNDRY_CLI: life.program,
    FOUNDRY_AUTOSTART: String(machine.autostart),
    FOUNDRY_EMBEDDED: "false",
    FOUNDRY_TIMEOUT: "15",
    FOUNDRY_STALL_TIMEOUT: "15",
    FOUNDRY_LOAD_TIMEOUT: "15",
  });
  const calls = new Calls(host, life);
  try {
    await manyLives(machine, life, calls, seed);
  } catch (error) {
    const { message, stack } = Object(error);
    throw new Error(`${machine.name}, FOUNDRY_TEST_SEED=${seed}: ${message}\n${stack}`);
  }
  if (TELLS) process.stdout.write(`${machine.name}\n${calls.told()}\n`);
}

/** Calls continue all the time, while the service goes and comes back. */
async function manyLives(
  { autostart, restarts }: Chaos,
  life: ServiceLife,
  calls: Calls,
  seed: number,
): Promise<void> {
  const over = new AbortController();
  const { complete, list, load, health } = calls;
  const callers = [complete, complete, complete, list, load, health].map(async (call, index) => {
    // Each has its own random numbers, as the order among them varies.
    const chance = seeded(seed * 100 + index);
    while (!over.signal.aborted) {
      await call();
      await delay(chance.upTo(100));
    }
  });
  const ended = Promise.all(callers);
  // The first failure of any of them ends the test.
  ended.catch(() => over.abort());
  const chance = seeded(seed);
  try {
    for (let restart = 1; restart <= restarts && !over.signal.aborted; restart += 1) {
      await delay(chance.upTo(250));
      await life.crash();
      await delay(chance.upTo(!autostart && chance.oneOf(4) === 0 ? 300 : 50));
      await life.comeBack(chance);
      await calls.settled();
    }
  } finally {
    over.abort();
    await ended;
  }
}
