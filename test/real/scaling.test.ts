import { existsSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Completion,
  type CompletionStream,
  FoundryClient,
  type FoundryClientOptions,
  FoundryError,
} from "../../src/index.js";
import { failureText } from "../../src/mcp/tool.js";
import { type Answer, Host } from "../e2e/host.js";
import { TEXTS } from "../e2e/target.js";
import { CannotRunHere } from "../installed.js";
import { type Child, startChild } from "./child.js";
import { LITELLM_KEY, type LiteLlm, startLiteLlm } from "./litellm.js";
import { findPython } from "./python.js";
import {
  exampleWith,
  freePorts,
  headersOf,
  kill,
  LONG,
  type Machines,
  startMachines,
} from "./scaling.js";

/** The examples of docs/scaling.md on two real cores. */
function skipped(title: string, reason: string): void {
  process.stderr.write(`Skipped: ${title}: ${reason}\n`);
  describe(title, () => {
    test.skip(`needs what this machine does not have: ${reason}`, () => {});
  });
}

/**
 * Two long answers at once, so one on each core; then the first core dies. One answer comes to its
 * end, the other is an error with the received text: half a text is never reported as complete.
 *
 * @returns the id of the request in that error.
 */
async function killedInTheMiddle(
  options: FoundryClientOptions,
  model: string,
  { first }: Machines,
): Promise<string> {
  const client = new FoundryClient(options);
  try {
    const one = client.streamComplete({ ...LONG, model });
    await firstText(one);
    // The first core is busy now, which the router counts.
    const other = client.streamComplete({ ...LONG, model });
    await firstText(other);
    await kill(first);
    const ends = await Promise.all([one, other].map(endOf));

    const [whole, broken] = ends.sort((a, b) => Number(a.words !== "") - Number(b.words !== ""));
    expect(whole?.completion).toMatchObject({ status: "completed", finishReason: "length" });
    expect(broken?.completion).toMatchObject({ status: "interrupted" });
    expect(broken?.completion.text).toMatch(/^The/);
    return idIn(broken?.words);
  } finally {
    await client.close();
  }
}

/** The request id in an error. */
function idIn(words = ""): string {
  const [, id] = /Id of the request in the service's log: (\S+)/.exec(words) ?? [];
  if (id === undefined) throw new Error(`No id of a request in: ${words}`);
  return id;
}

async function firstText(stream: CompletionStream): Promise<void> {
  for (;;) {
    const { done, value } = await stream[Symbol.asyncIterator]().next();
    if (done === true || value.type === "text") return;
  }
}

/** The status, with the error's text for an agent. */
async function endOf(stream: CompletionStream): Promise<{ completion: Completion; words: string }> {
  let words = "";
  try {
    for await (const _ of stream);
  } catch (thrown) {
    words = thrown instanceof FoundryError ? failureText(thrown) : String(thrown);
  }
  return { completion: stream.snapshot(), words };
}

async function answersOf(host: Host, model: string, count: number): Promise<Answer[]> {
  const calls = Array.from({ length: count }, () =>
    host.complete({ prompt: "Say something.", model, join: false }),
  );
  return Promise.all(calls);
}

const ANSWERED = { isError: false, result: { status: "completed", text: TEXTS.ends } };

const liteLlm = "two cores behind LiteLLM";
const behindLiteLlm = await startMachines("core-2-newest");
if (typeof behindLiteLlm === "string") {
  skipped(liteLlm, behindLiteLlm);
} else {
  const { first, second, stop } = behindLiteLlm;
  afterAll(stop);
  const proxy = await findPython()
    .then(async (python) => {
      const { ends, slow } = first.models;
      const groupsOf = async (name: string, id: string, more: Readonly<Record<string, string>>) =>
        exampleWith("config.yaml", {
          "10.0.0.11:5273": new URL(first.url).host,
          "10.0.0.12:5273": new URL(second.url).host,
          "phi-4-mini": name,
          "Phi-4-mini-instruct-generic-cpu:5": id,
          ...more,
        });
      const example = await groupsOf("phi-4-mini", ends.id, { "rpm: 60": "rpm: 1" });
      // A model that was registered has routes of its own.
      const own = await groupsOf("slow", slow.id, { "/v1": "/catalogs/local/v1" });
      const ofOwn = own.slice(own.indexOf("  - model_name"), own.indexOf("router_settings:"));
      const config = example.replace("router_settings:", `${ofOwn}router_settings:`);
      return startLiteLlm(python, config);
    })
    .catch((error: unknown) => {
      if (error instanceof CannotRunHere) return error.message;
      throw error;
    });
  if (typeof proxy === "string") skipped(liteLlm, proxy);
  else {
    afterAll(() => proxy.stop());
    describe(liteLlm, () => describeLiteLlm(proxy, behindLiteLlm));
  }
}

function describeLiteLlm({ url }: LiteLlm, machines: Machines): void {
  let host: Host;
  beforeAll(async () => {
    host = await Host.start({ FOUNDRY_ENDPOINT: url, FOUNDRY_API_KEY: LITELLM_KEY });
  });
  afterAll(() => host?.close());

  test("an agent gets an answer to each of many calls", async () => {
    for (const answer of await answersOf(host, "phi-4-mini", 8)) {
      expect(answer).toMatchObject(ANSWERED);
    }
  });

  test("above the limit of a machine, the fallback gives the answer at once", async () => {
    const served = await headersOf(
      url,
      "phi-4-mini-first",
      "x-litellm-model-api-base",
      LITELLM_KEY,
    );
    expect(served).toEqual(new Set([`${machines.first.url}/v1`, `${machines.second.url}/v1`]));

    const startedAt = performance.now();
    for (const answer of await answersOf(host, "phi-4-mini-first", 3)) {
      expect(answer).toMatchObject(ANSWERED);
    }
    // After a 429, LiteLLM by default waits up to a minute.
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  test("a model that the chosen machine has unloaded is an error with its name", async () => {
    const { second } = machines;
    const alone = await Host.start({ FOUNDRY_ENDPOINT: second.url });
    const model = second.models.ends.id;
    const unload = await alone.call("unload_model", { model });
    // The group of this machine alone, which has no fallback.
    const call = { prompt: "Say something.", model: "phi-4-mini-second", join: false };
    const refused = await host.complete(call);
    const load = await alone.call("load_model", { model });
    await alone.close();

    expect(unload).toMatchObject({ isError: false, result: { status: "unloaded" } });
    expect(refused).toMatchObject({ isError: true, code: "MODEL_NOT_LOADED" });
    expect(refused.text).toContain("phi-4-mini-second is not loaded");
    expect(load).toMatchObject({ isError: false, result: { status: "loaded" } });
    expect(await host.complete(call)).toMatchObject(ANSWERED);
  });

  test("two long answers run on one machine each; the one whose core is killed keeps its text", async () => {
    await killedInTheMiddle({ endpoint: url, apiKey: LITELLM_KEY }, "slow", machines);
  });

  test("later calls are answered by the remaining machine", async () => {
    for (const answer of await answersOf(host, "phi-4-mini", 4)) {
      expect(answer).toMatchObject(ANSWERED);
    }
    for (const answer of await answersOf(host, "phi-4-mini-first", 2)) {
      expect(answer).toMatchObject(ANSWERED);
    }
  });

  test("without any machine, a call is one clear error", async () => {
    await kill(machines.second);
    const answer = await host.complete({ prompt: "Say something.", model: "phi-4-mini" });
    expect(answer).toMatchObject({ isError: true, code: "SERVICE_BUSY" });
    expect(await latestAttempts(host)).toBeLessThanOrEqual(4);
    expect(idIn(answer.text)).toMatch(/^[0-9a-f-]{36}$/);
  });
}

/** Debian puts it where only root looks. */
const haproxyPath = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"]
  .map((folder) => join(folder, "haproxy"))
  .find((path) => existsSync(path));

const haproxyTitle = "two cores behind HAProxy";
if (haproxyPath === undefined) skipped(haproxyTitle, "no haproxy on PATH");
else {
  // Here all models are in the public catalog, which is what HAProxy shows.
  const machines = await startMachines("core-2-oldest");
  if (typeof machines === "string") skipped(haproxyTitle, machines);
  else {
    afterAll(machines.stop);
    describe(haproxyTitle, () => describeHaproxy(haproxyPath, machines));
  }
}

function describeHaproxy(command: string, machines: Machines): void {
  const { first, second } = machines;
  let child: Child;
  let host: Host;
  let url: string;
  let firstAlone: string;
  beforeAll(async () => {
    const [chat, one, two] = await freePorts(3);
    url = `http://127.0.0.1:${chat}`;
    firstAlone = `http://127.0.0.1:${one}`;
    const config = await exampleWith("haproxy.cfg", {
      "10.0.0.11:5273": new URL(first.url).host,
      "10.0.0.12:5273": new URL(second.url).host,
      "127.0.0.1:4000": `127.0.0.1:${chat}`,
      "127.0.0.1:4001": `127.0.0.1:${one}`,
      "127.0.0.1:4002": `127.0.0.1:${two}`,
    });
    child = await startHaproxy(command, config, url);
    host = await Host.start({ FOUNDRY_ENDPOINT: url });
  });
  afterAll(async () => {
    await host?.close();
    await child?.stop();
  });

  const logOf = (id: string) => child.lines.filter((line) => line.includes(id));

  test("it is an OpenAI-compatible engine, so nothing is loaded through it", async () => {
    const { result } = await host.call("health_check");
    expect(result).toMatchObject({ status: "healthy", dialect: "openai" });
    const load = await host.call("load_model", { model: first.models.ends.id });
    expect(load).toMatchObject({ isError: true, code: "UNSUPPORTED_BY_SERVER" });
  });

  test("the requests for one model are distributed over both machines", async () => {
    const served = await headersOf(url, first.models.ends.id, "x-served-by");
    expect(served).toEqual(new Set(["first", "second"]));
  });

  test("an agent gets an answer to each of many calls", async () => {
    for (const answer of await answersOf(host, first.models.ends.id, 8)) {
      expect(answer).toMatchObject(ANSWERED);
    }
  });

  test("the port of one machine leads to that machine, with its loads", async () => {
    const alone = await Host.start({ FOUNDRY_ENDPOINT: firstAlone });
    const { result } = await alone.call("health_check");
    expect(result).toMatchObject({ dialect: "C2" });
    const load = await alone.call("load_model", { model: first.models.ends.id });
    expect(load).toMatchObject({ isError: false, result: { status: "already_loaded" } });
    await alone.close();
  });

  test("two long answers run on one machine each; the one whose core is killed keeps its text", async () => {
    const id = await killedInTheMiddle({ endpoint: url }, first.models.slow.id, machines);
    // HAProxy's code: the machine closed the connection (S) while it sent its answer (D).
    await expect.poll(() => logOf(id)).toEqual([`${id} {} first 200 SD`]);
  });

  test("later calls are answered by the remaining machine", async () => {
    for (const answer of await answersOf(host, first.models.ends.id, 4)) {
      expect(answer).toMatchObject(ANSWERED);
    }
  });

  test("without any machine, a call is one clear error", async () => {
    await kill(second);
    const answer = await host.complete({ prompt: "Hi", model: first.models.ends.id });
    expect(answer).toMatchObject({ isError: true, code: "SERVICE_BUSY" });
    expect(await latestAttempts(host)).toBeLessThanOrEqual(4);
    expect(answer.text).toContain("503");
    const id = idIn(answer.text);
    await expect.poll(() => logOf(id)).toEqual([expect.stringContaining(" 503 ")]);
  });
}

function startHaproxy(command: string, config: string, url: string): Promise<Child> {
  return startChild({
    name: "haproxy",
    command,
    // -db: in the foreground, so that it ends with its signal.
    args: (folder) => ["-db", "-f", written(folder, config)],
    isReady: async () => {
      while (!(await isAnswering(`${url}/v1/models`))) await setTimeout(200);
    },
  });
}

const isAnswering = async (url: string): Promise<boolean> => {
  const answer = await fetch(url).catch(() => null);
  await answer?.text();
  return answer?.ok === true;
};

function written(folder: string, config: string): string {
  const path = join(folder, "haproxy.cfg");
  writeFileSync(path, config);
  return path;
}

/** How often the request of the latest completion was sent. */
async function latestAttempts(host: Host): Promise<number> {
  const { result } = await host.call("get_completion");
  const [{ completion_id: id }] = Object(result["latest"]);
  const { contents } = await host.client.readResource({ uri: `foundry://completions/${id}/state` });
  return JSON.parse(String(Object(contents[0]).text)).attempts;
}
