import { readdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { startSimulator } from "foundry-local-simulator";
import { expect, onTestFinished } from "vitest";
import { isProcessAlive, keeperAddress, ownUid } from "../../src/platform/index.js";
import { temporaryFolder } from "../temporary-folder.js";
import type { Settings } from "./executable.js";
import { WireHost } from "./wire-host.js";

export const MODEL = "teller-generic-cpu:1";
const TEXT = Array.from({ length: 60 }, (_, at) => `word${at} `).join("");
export const TOKENS_PER_SECOND = 20;
export const WHOLE = TEXT.trim();

/** A service that takes some seconds for an answer, and a user with a home of their own. */
export async function userWith(options: Parameters<typeof startSimulator>[0] = {}) {
  const service = await startSimulator({
    models: [{ id: MODEL, loaded: true, script: { text: WHOLE } }],
    tokensPerSecond: TOKENS_PER_SECOND,
    ...options,
  });
  onTestFinished(() => service.close());
  const home = await temporaryFolder("keeper-");
  const settings: Settings = {
    FOUNDRY_ENDPOINT: service.url,
    FOUNDRY_KEEP: "auto",
    FOUNDRY_MODEL: MODEL,
    FOUNDRY_LOG_LEVEL: "warn",
    HOME: home,
    USERPROFILE: home,
  };
  const address = keeperAddress({ platform: process.platform, home }, ownUid(), hostname());
  const keeperPids = async (): Promise<number[]> => {
    const folder = join(address.directory, "lock");
    const names = await readdir(folder).catch(() => []);
    const texts = await Promise.all(
      names.map((name) => readFile(join(folder, name), "utf8").catch(() => "")),
    );
    return texts.flatMap((text) => {
      const [, digits] = /"pid":(\d+)/.exec(text) ?? [];
      return digits === undefined || !isProcessAlive(Number(digits)) ? [] : [Number(digits)];
    });
  };
  onTestFinished(async () => {
    for (const pid of await keeperPids()) process.kill(pid, "SIGKILL");
  });
  const chats = () => service.requests.filter(({ path }) => path === "/v1/chat/completions");
  return { service, settings, address, keeperPids, chats };
}

export type User = Awaited<ReturnType<typeof userWith>> & {
  /** That a host starts the server in. Default: this one. */
  readonly folder?: string;
};
export type End = "end of input" | "kill -9" | "kill -9 of its group";

/** One call in a server process of its own, which ends after it. */
export async function callAlone(
  { settings, folder }: User,
  name: string,
  given: object,
  end: End = "end of input",
): Promise<{ text: string; result: Record<string, unknown> }> {
  const host = await WireHost.start(settings, [], folder);
  const call = host.call(name, given);
  const { result } = await host.when(name, () => host.answers(call)[0], 60_000);
  if (end === "kill -9") host.signal("SIGKILL");
  else if (end === "end of input") host.endInput();
  else process.kill(-host.pid, "SIGKILL");
  await host.ended;
  const { content, structuredContent } = Object(result);
  return { text: String(content?.[0]?.text), result: Object(structuredContent) };
}

/** Asks in further processes until the completion has ended. */
export async function readToTheEnd(user: User, id: unknown): Promise<Record<string, unknown>> {
  for (let calls = 0; calls < 30; calls += 1) {
    const { text, result } = await callAlone(user, "get_completion", {
      completion_ids: [id],
      reply_within: 20,
    });
    const { completions } = result;
    const [state] = Array.isArray(completions) ? completions : [];
    if (state === undefined) throw new Error(text);
    if (state.status !== "running" && state.status !== "queued") return state;
  }
  throw new Error("the completion did not end");
}

export const untilGone = async ({ keeperPids }: User): Promise<void> => {
  await expect.poll(keeperPids, { timeout: 30_000 }).toEqual([]);
};

export const resultsOf = ({ result }: { result: Record<string, unknown> }): unknown[] =>
  Array.isArray(result["results"]) ? result["results"] : [];
