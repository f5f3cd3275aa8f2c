import {
  headLength,
  type RawRequest,
  type RawResponse,
  rawExchange,
} from "../../../test/real/raw_http.js";
import type { Simulator } from "../src/index.js";
import type { RecordedExchange } from "./recording.js";

/** Enough for a version that detects the disconnect of its client, too few for the end of one that does not. */
const NOTICE_TOKENS = 3;

/** Where the recorder had a fresh service. */
const ON_A_FRESH_SERVICE: readonly string[] = [
  "load-before-unload-during-chat",
  "load-before-embeddings-with-chat-model",
  "shutdown",
];

/** Exchanges that ran concurrently when they were recorded: the second begins before the first. */
const BEGINS_BEFORE: Readonly<Record<string, string>> = {
  "unload-during-chat": "chat-during-unload",
};

/**
 * Sends every request of a recording to a simulator, in the order and concurrency in which they
 * were recorded. Gives the answers by the exchanges' names.
 */
export async function replay(
  exchanges: readonly RecordedExchange[],
  simulator: Simulator,
): Promise<Map<string, RawResponse>> {
  const answers = new Map<string, Promise<RawResponse>>();
  const begin = async (exchange: RecordedExchange) => {
    const before = simulator.requests.length;
    const answer = rawExchange(simulator.url, requestOf(exchange, simulator.url));
    answers.set(exchange.name, answer);
    await Promise.race([answer, simulator.waitFor((s) => s.requests.length > before)]);
    return answer;
  };
  const exchangeNamed = (name: string | undefined) => exchanges.find((e) => e.name === name);
  for (const exchange of exchanges) {
    if (answers.has(exchange.name)) continue;
    const group = duringLoad(exchanges);
    const company = group.includes(exchange) ? group : [];
    const earlier = exchangeNamed(BEGINS_BEFORE[exchange.name]);
    if (earlier !== undefined) {
      const running = simulator.generating;
      void begin(earlier);
      // What was written before it broke off.
      const isCut = earlier.response.connection !== undefined;
      const written = isCut ? (earlier.response.events?.length ?? 0) : 0;
      await simulator.waitFor(
        (s) => s.generating > running && (s.requests.at(-1)?.tokensGenerated ?? 0) >= written,
      );
    }
    if (company.length > 0) {
      await Promise.all(company.map((member) => begin(member)));
      continue;
    }
    if (ON_A_FRESH_SERVICE.includes(exchange.name)) await refresh(simulator);
    await untilReady(exchange, simulator);
    await begin(exchange);
    // The concurrent exchange ends before the next one begins.
    if (earlier !== undefined) await answers.get(earlier.name);
    if (exchange.response.connection === "closed by the client") await noticed(simulator);
  }
  const settled = [...answers].map(async ([name, answer]) => [name, await answer] as const);
  return new Map(await Promise.all(settled));
}

/** The load, which is the previous exchange, and the requests sent while it ran. */
function duringLoad(exchanges: readonly RecordedExchange[]): RecordedExchange[] {
  const marked = exchanges.map(({ when }) => when !== undefined);
  const first = marked.indexOf(true);
  return first < 1 ? [] : exchanges.slice(first - 1, marked.lastIndexOf(true) + 1);
}

async function refresh(simulator: Simulator): Promise<void> {
  for (const id of simulator.loaded) simulator.setLoaded(id, false);
  if (!simulator.listening) await simulator.start();
}

/** Some were recorded by polling until they had this result. */
async function untilReady({ name }: RecordedExchange, simulator: Simulator): Promise<void> {
  if (name.endsWith("-later")) await simulator.waitFor((s) => s.generating === 0);
  if (name === "loaded-after-left-load") {
    await simulator.waitFor((s) => s.loaded.some((id) => id.startsWith("slow-load")));
  }
}

async function noticed(simulator: Simulator): Promise<void> {
  const left = simulator.requests.at(-1);
  const before = left?.tokensGenerated ?? 0;
  await simulator.waitFor(
    (s) => s.generating === 0 || (left?.tokensGenerated ?? 0) >= before + NOTICE_TOKENS,
  );
}

function requestOf({ request, response }: RecordedExchange, url: string): RawRequest {
  const { method, path } = request;
  const body = bodyOf(request.body);
  const sent = { method, path, ...(body === undefined ? {} : { body }) };
  const leaves = response.connection === "closed by the client";
  const events = (response.events ?? []).join("").match(/^data:/gm)?.length ?? 0;
  const leaving = events > 0 ? { leaveAfterEvents: events } : { leaveAfterMilliseconds: 100 };
  const headers = filled(request.headers, (filler) =>
    headLength(url, { method, path, headers: { ...request.headers, "X-Filler": filler } }),
  );
  return { ...sent, headers, ...(leaves ? leaving : {}) };
}

/** Recordings name long headers by their length. */
function filled(
  headers: Readonly<Record<string, string>>,
  headLengthWith: (filler: string) => number,
): Readonly<Record<string, string>> {
  const shown = headers["X-Filler"];
  if (shown === undefined) return headers;
  const count = /^a × (\d+)$/.exec(shown)?.[1];
  const total = /^a until the head has (\d+) bytes$/.exec(shown)?.[1];
  const length = count === undefined ? Number(total) - headLengthWith("") : Number(count);
  return { ...headers, "X-Filler": "a".repeat(length) };
}

function bodyOf(recorded: unknown): string | Uint8Array | undefined {
  if (recorded === null || recorded === undefined) return undefined;
  if (typeof recorded !== "string") return JSON.stringify(recorded);
  const bytes = /^bytes ([0-9a-f]+)$/.exec(recorded)?.[1];
  return bytes === undefined ? recorded : Buffer.from(bytes, "hex");
}
