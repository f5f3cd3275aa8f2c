import { setTimeout as delay } from "node:timers/promises";
import type { Simulator } from "foundry-local-simulator";
import { describe, expect, test } from "vitest";
import { deferred } from "../../src/lib/index.js";
import { FoundryMachine } from "../e2e/foundry-machine.js";
import type { Answer, Host } from "../e2e/host.js";
import { hostOn, simulated, wireHostOn } from "../e2e/simulated.js";
import { type Chance, seeded } from "./chance.js";

/** By its alias: C1 lists no versions of what is not in memory. */
const MODEL = "teller";
const answerTo = (prompt: string): string =>
  `You said ${prompt}; ${Array.from({ length: 40 }, (_, at) => `${at} 🌊 größer`).join(", ")}.`;
/** An answer takes about a second. */
const TOKENS_PER_SECOND = 200;
const MODELS = [
  {
    id: `${MODEL}-generic-cpu:1`,
    script: ({ text }: { text: string }) => ({ text: answerTo(text) }),
    loadMs: 30,
  },
];

/** Another seed than its own for every machine, to look for more. */
const SEED = process.env["FOUNDRY_TEST_SEED"];
const ENDS = ["completed", "interrupted", "failed"];
/** What a completion may fail with while the service is away. */
const ALLOWED = [
  "NO_ENDPOINT",
  "SERVICE_UNREACHABLE",
  "SERVER_CRASHED",
  "STREAM_INTERRUPTED",
  "CIRCUIT_OPEN",
];

/** The only completion in a result. */
const toldOf = ({ result }: Answer): Readonly<Record<string, unknown>> =>
  Object(Array.isArray(result["completions"]) ? result["completions"][0] : result);

/** The text received of a completion until its end, and its status. */
interface Lived {
  readonly prompt: string;
  readonly received: string;
  readonly last: Answer;
  /** The id, where a result contained it. */
  readonly id?: unknown;
}

/** One call that waits for the end and gets the text as progress. */
async function inOneCall(
  host: Host,
  prompt: string,
  onText: () => void = () => {},
): Promise<Lived> {
  let received = "";
  const last = await host.complete(
    { prompt, model: MODEL, max_tokens: 1000 },
    {
      onProgress: ({ progress, message }) => {
        // A whole number counts tokens, and comes with their text.
        if (!Number.isInteger(progress)) return;
        received += message;
        onText();
      },
    },
  );
  return { prompt, received, last };
}

/** Many short calls of get_completion, each for the new text. */
async function inManyLooks(host: Host, prompt: string): Promise<Lived> {
  let received = "";
  let last = await host.complete({ prompt, model: MODEL, max_tokens: 1000, reply_within: 0 });
  const id = toldOf(last)["completion_id"];
  while (toldOf(last)["next_from"] !== undefined) {
    received += String(toldOf(last)["text"]);
    last = await host.call("get_completion", {
      completion_ids: [id],
      from: toldOf(last)["next_from"],
      reply_within: 0.05,
    });
  }
  // A failure without new text is only text.
  return { prompt, received: received + String(toldOf(last)["text"] ?? ""), last, id };
}

/** No received text is lost, whatever the outcome. Returns the status. */
async function assertKept(
  host: Host,
  { prompt, received, last, id = toldOf(last)["completion_id"] }: Lived,
): Promise<string> {
  const whole = answerTo(prompt);
  const kept =
    id === undefined ? {} : toldOf(await host.call("get_completion", { completion_ids: [id] }));
  const text = String(kept["text"] ?? "");
  const { status = kept["status"] ?? "failed" } = toldOf(last);
  if (!ENDS.includes(String(status))) throw new Error(`${prompt} ended ${status}: ${last.text}`);
  if (last.code !== null && !ALLOWED.includes(last.code)) throw new Error(last.text);
  expect(last.isError).toBe(status !== "completed");
  expect(kept["status"] ?? "failed").toBe(status);
  expect(whole.startsWith(text)).toBe(true);
  expect(text.startsWith(received)).toBe(true);
  if (status === "completed") expect(text).toBe(whole);
  if (status === "interrupted") expect(text).not.toBe("");
  if (status === "failed") expect(text).toBe("");
  return String(status);
}

/** A search that found nothing answers for a second, and a busy machine is late by some more. */
const REMEMBERED_MS = 15_000;

async function assertWorks(host: Host, prompt: string): Promise<void> {
  const until = performance.now() + REMEMBERED_MS;
  for (;;) {
    const { code, text, result } = await host.complete({ prompt, model: MODEL, max_tokens: 3 });
    if (code === null) {
      expect(result).toMatchObject({ status: "completed", finish_reason: "length" });
      return;
    }
    if (code !== "NO_ENDPOINT" || performance.now() > until) throw new Error(`${prompt}: ${text}`);
    await delay(50);
  }
}

interface Outages {
  readonly host: Host;
  readonly simulator: Simulator;
  readonly comeBack: () => Promise<void>;
  readonly kills: number;
  readonly chance: Chance;
}

/** @returns how many completions ended how. */
async function survive({ host, simulator, comeBack, kills, chance }: Outages) {
  const ends = new Map<string, number>();
  for (let kill = 1; kill <= kills; kill += 1) {
    const hasText = deferred();
    const one = inOneCall(host, `${kill} one`, hasText.resolve);
    const under = [one, inManyLooks(host, `${kill} many`)];
    // At a random moment, or else certainly in the middle of an answer.
    if (kill % 3 === 0) await delay(chance.upTo(350));
    else await Promise.race([hasText.promise, one]);
    await simulator.stop();
    // The loaded models are lost with it.
    for (const id of simulator.loaded) simulator.setLoaded(id, false);
    await delay(chance.oneOf(3) === 0 ? chance.upTo(100) : 0);
    await comeBack();
    for (const lived of await Promise.all(under)) {
      const end = await assertKept(host, lived);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    await assertWorks(host, `${kill} next`);
  }
  return Object.fromEntries(ends);
}

test("no received text is lost when the service is killed a hundred times", async () => {
  const settings = { FOUNDRY_AUTOSTART: "false", FOUNDRY_EMBEDDED: "false" };
  const simulator = { models: MODELS, tokensPerSecond: TOKENS_PER_SECOND };
  const atEndpoint = async (service: { dialect: "C1" } | { version: string }, kills: number) => {
    const started = await simulated({ ...service, ...simulator });
    const host = await hostOn(started.url, settings);
    return { host, kills, simulator: started, comeBack: () => started.start() };
  };
  const discovered = async (dialect: "S" | "C2", kills: number) => {
    const generation = dialect === "S" ? "service" : "server";
    const machine = await FoundryMachine.start({ dialect, generation, simulator });
    const host = await machine.host(settings);
    return {
      host,
      kills,
      simulator: machine.simulator,
      comeBack: () => machine.simulator.start(0),
    };
  };
  // Services with one place take twice as long for each.
  const machines = await Promise.all([
    atEndpoint({ version: "2.2.1" }, 26),
    atEndpoint({ version: "2.0.1" }, 26),
    atEndpoint({ dialect: "C1" }, 11),
    discovered("S", 11),
    discovered("C2", 26),
  ]);

  const ends = await Promise.all(
    machines.map((machine, index) => {
      const seed = Number(SEED ?? 400) + index;
      return survive({ ...machine, chance: seeded(seed) }).catch((error: unknown) => {
        const { message, stack } = Object(error);
        throw new Error(
          `machine ${index}, FOUNDRY_TEST_SEED=${seed - index}: ${message}\n${stack}`,
        );
      });
    }),
  );

  if (process.env["FOUNDRY_TEST_TELL"] !== undefined)
    process.stdout.write(`${JSON.stringify(ends)}\n`);
  // Otherwise the test would not have shown anything.
  for (const { interrupted = 0 } of ends) expect(interrupted).toBeGreaterThan(5);
});

const FOREVER = "endless-generic-cpu:1";
const LATE = "late-generic-cpu:1";
const LINE = "On and 🌊 on and on it goes. ";
const ENDLESS_MODELS = [
  { id: FOREVER, script: { text: LINE, forever: true }, tokensPerSecond: 50, loaded: true },
  { id: LATE, script: { text: "Late." }, loadMs: 60_000 },
];
const endlessly = (number: number) => ({
  prompt: `Go on, ${number}.`,
  model: FOREVER,
  max_tokens: 2000,
});

describe("five running completions whose service crashes", () => {
  test("each end interrupted with their text, which can still be read", async () => {
    const simulator = await simulated({ models: ENDLESS_MODELS });
    const host = await hostOn(simulator.url, { FOUNDRY_CONCURRENCY: "5" });
    const calls = [1, 2, 3, 4, 5].map((number) => host.complete(endlessly(number)));
    await simulator.waitFor(
      ({ requests }) => requests.filter(({ tokensSent }) => tokensSent > 8).length === 5,
    );
    const before = await host.call("get_completion");

    await simulator.stop();
    const answers = await Promise.all(calls);
    const ids = answers.map(({ result }) => result["completion_id"]);
    const kept = await host.call("get_completion", { completion_ids: ids });
    await simulator.start();
    const next = await host.complete({ ...endlessly(6), max_tokens: 3 });

    const latest = Array.isArray(before.result["latest"]) ? before.result["latest"] : [];
    for (const { code, result, text } of answers) {
      const seen = latest.find(({ completion_id }) => completion_id === result["completion_id"]);
      expect(code).toBe("SERVER_CRASHED");
      expect(result["status"]).toBe("interrupted");
      expect(text).toContain(String(result["text"]));
      expect(String(result["text"]).length).toBeGreaterThanOrEqual(Number(seen?.total_chars));
      expect(LINE.repeat(100).startsWith(String(result["text"]))).toBe(true);
    }
    expect(kept.result["completions"]).toMatchObject(
      answers.map(({ result }) => ({ status: "interrupted", text: result["text"] })),
    );
    expect(next).toMatchObject({ isError: false });
  });
});

describe("SIGTERM with work in flight", () => {
  test.skipIf(process.platform === "win32")(
    "answers each call: a running one with the text so far, get_completion, a queued one and a load",
    async () => {
      const simulator = await simulated({ models: ENDLESS_MODELS });
      const host = await wireHostOn(simulator.url, { FOUNDRY_CONCURRENCY: "1" });
      const runs = host.call("complete", endlessly(1));
      await simulator.waitFor(({ requests }) => requests.some(({ tokensSent }) => tokensSent > 8));
      const waits = host.call("complete", endlessly(2));
      const begins = host.call("complete", { ...endlessly(3), reply_within: 0 });
      const { result } = await host.answerTo(begins);
      const { completion_id: id } = Object(result?.["structuredContent"]);
      const looks = host.call("get_completion", { completion_ids: [id] });
      const several = host.call("get_completion", { completion_ids: [id, "nonsense"] });
      const loads = host.call("complete", { prompt: "Hello", model: LATE });
      const loadsOnly = host.call("load_model", { model: LATE });
      await simulator.waitFor(({ requests }) =>
        requests.some(({ path }) => path.includes("/load/")),
      );
      const signalledAt = performance.now();

      host.signal("SIGTERM");
      const answers = await Promise.all(
        [runs, waits, looks, several, loads, loadsOnly].map((call) => host.answerTo(call)),
      );
      const { code, at } = await host.ended;

      expect(code).toBe(0);
      // Far less than the load and the running completion take.
      expect(at - signalledAt).toBeLessThan(20_000);
      const [run, wait, look, both, load, loadOnly] = answers.map((answer) => answer.result);
      expect(run).toMatchObject({ isError: true, structuredContent: { status: "cancelled" } });
      const { text } = Object(run?.["structuredContent"]);
      expect(text).not.toBe("");
      expect(LINE.repeat(100).startsWith(text)).toBe(true);
      for (const waiting of [wait, load]) {
        expect(waiting).toMatchObject({ isError: true });
        expect(waiting).not.toHaveProperty("structuredContent");
        expect(JSON.stringify(waiting)).toContain("CLIENT_CLOSED");
      }
      expect(look).toMatchObject({ isError: true });
      expect(JSON.stringify(look)).toContain("CLIENT_CLOSED");
      expect(both).toMatchObject({
        structuredContent: { completions: [{ completion_id: id, status: "cancelled" }] },
      });
      expect(loadOnly).toMatchObject({ isError: true });
      await simulator.waitFor(({ generating }) => generating === 0);
    },
  );
});
