import { onTestFinished } from "vitest";
import type { CompletionState, FoundryClient } from "../../src/jobs/index.js";
import { runKeeper } from "../../src/keeper/index.js";
import { Link, type LinkHandlers } from "../../src/keeper/link.js";
import type { RequestMessage } from "../../src/keeper/messages.js";
import { toWire } from "../../src/keeper/states.js";
import { type KeeperAddress, keeperAddress, ownUid } from "../../src/platform/index.js";
import { temporaryFolder } from "../temporary-folder.js";

export function stateOf(given: Partial<CompletionState> = {}): CompletionState {
  return {
    id: "c-before-1",
    status: "running",
    text: "",
    reasoning: null,
    finishReason: null,
    model: "talker-generic-cpu:1",
    usage: { inputTokens: null, outputTokens: null, estimated: true },
    timing: { queuedMs: 0, loadMs: 0, firstTokenMs: null, totalMs: 0, tokensPerSecond: null },
    attempts: 1,
    cached: false,
    warnings: [],
    error: null,
    place: null,
    etaMs: null,
    news: null,
    batchId: null,
    createdAt: 0,
    endedAt: null,
    ...given,
  };
}

export const SETTINGS = {};

export type Keep = Extract<RequestMessage, { do: "keep" }>;

/** A message that hands over one completion. */
export function keepOf(state: Partial<CompletionState>, more: Partial<Keep> = {}): Keep {
  const request = { prompt: "Hello" };
  return {
    do: "keep",
    n: 0,
    settings: SETTINGS,
    keptMs: 600_000,
    completions: [{ state: toWire(stateOf(state)), key: "same", request }],
    batches: [],
    loads: [],
    ...more,
  };
}

/** An address that no other test uses. */
export async function newAddress(): Promise<KeeperAddress> {
  const home = await temporaryFolder("keeper-");
  return keeperAddress({ platform: process.platform, home }, ownUid(), "test");
}

/** A keeper in this process. It ends when it holds nothing. */
export function keeperAt(
  address: KeeperAddress,
  client: FoundryClient,
  lockCheckMs?: number,
): Promise<void> {
  return runKeeper({ address, clientOf: () => client, lingerMs: 1500, lockCheckMs });
}

/** A connection as a server has it, until the test has finished. */
export async function linkTo(
  address: KeeperAddress,
  handlers: Partial<LinkHandlers> = {},
): Promise<Link> {
  for (let looks = 0; looks < 200; looks += 1) {
    const link = await Link.connect(address, {
      onPatches: () => {},
      onStop: () => {},
      ...handlers,
    });
    if (typeof link === "object") {
      onTestFinished(() => link.close());
      return link;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the keeper did not start");
}
