import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { startSimulator } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { keeperHolds } from "../../src/keeper/index.js";
import { isProcessAlive, keeperAddress, ownUid } from "../../src/platform/index.js";
import { installEmbedded } from "../foundry/discovery/embedded-installation.js";
import { temporaryFolder } from "../temporary-folder.js";
import { run, type Settings } from "./executable.js";
import { WireHost } from "./wire-host.js";

const MODEL = "teller-generic-cpu:1";
const TEXT = Array.from({ length: 60 }, (_, at) => `word${at} `).join("");
const TOKENS_PER_SECOND = 20;
const WHOLE = TEXT.trim();
const OTHER = `Something else: ${WHOLE.slice(0, 150)}`;

/** A service that takes some seconds for an answer, and a user with a home of their own. */
async function userWith(options: Parameters<typeof startSimulator>[0] = {}) {
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

type User = Awaited<ReturnType<typeof userWith>> & {
  /** That a host starts the server in. Default: this one. */
  readonly folder?: string;
};

/** Windows has no groups of processes. */
const ENDS =
  process.platform === "win32"
    ? (["end of input", "kill -9"] as const)
    : (["end of input", "kill -9", "kill -9 of its group"] as const);
type End = "end of input" | "kill -9" | "kill -9 of its group";

/** One call in a server process of its own, which ends after it. */
async function callAlone(
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
async function readToTheEnd(user: User, id: unknown): Promise<Record<string, unknown>> {
  for (let calls = 0; calls < 30; calls += 1) {
    const { text, result } = await callAlone(user, "get_completion", {
      completion_ids: [id],
      reply_within: 2,
    });
    const { completions } = result;
    const [state] = Array.isArray(completions) ? completions : [];
    if (state === undefined) throw new Error(text);
    if (state.status !== "running" && state.status !== "queued") return state;
  }
  throw new Error("the completion did not end");
}

const untilGone = async ({ keeperPids }: User): Promise<void> => {
  await expect.poll(keeperPids, { timeout: 30_000 }).toEqual([]);
};

describe("a promised completion", () => {
  it.each(ENDS)("is delivered completely by a later process after %s of its own", async (end) => {
    const user = await userWith();
    const begun = await callAlone(user, "complete", { prompt: "Hello", reply_within: 1 }, end);
    // On a busy machine it has not begun after a second.
    expect(begun.result).toMatchObject({ status: expect.stringMatching(/^(queued|running)$/) });
    const state = await readToTheEnd(user, begun.result["completion_id"]);
    expect(state).toMatchObject({ status: "completed", text: WHOLE });
    await untilGone(user);
    const again = await callAlone(user, "get_completion", {
      completion_ids: [begun.result["completion_id"]],
    });
    expect(again.text).toContain("COMPLETION_NOT_FOUND");
  });

  it("is generated again by the SDK in the folder that its server was started in", async () => {
    const { folder, remove } = await installEmbedded();
    onTestFinished(remove);
    const user = await userWith();
    const { FOUNDRY_ENDPOINT: _, ...others } = user.settings;
    const settings = {
      ...others,
      FOUNDRY_EMBEDDED: "true",
      FOUNDRY_MODEL: "tiny:2",
      STAND_IN_SDK: "slow answers",
    };
    const inFolder = { ...user, settings, folder };
    const given = { prompt: "Hello", reply_within: 1 };
    const begun = await callAlone(inFolder, "complete", given, "kill -9");
    const state = await readToTheEnd(inFolder, begun.result["completion_id"]);
    expect(state).toMatchObject({ status: "completed", model: "tiny:2" });
  });

  it.skipIf(process.platform !== "linux")("puts no key into the list of processes", async () => {
    const user = await userWith();
    const key = "sk-0123456789abcdef";
    const host = await WireHost.start({ ...user.settings, FOUNDRY_API_KEY: key });
    await host.answerTo(host.call("complete", { prompt: "Hello", reply_within: 1 }));
    const keepers = await user.keeperPids();
    expect(keepers).toHaveLength(1);
    for (const pid of [host.pid, ...keepers]) {
      expect(await readFile(`/proc/${pid}/cmdline`, "utf8")).not.toContain(key);
    }
    // The keeper receives the key over its socket.
    expect(await readFile(`/proc/${keepers[0]}/environ`, "utf8")).not.toContain(key);
  });

  it.skipIf(process.platform === "win32")("outlives a defect of the keeper", async () => {
    const user = await userWith();
    const code = `process.on("SIGUSR2", () => void Promise.reject(new Error("provoked")))`;
    const host = await WireHost.start({
      ...user.settings,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}`,
    });
    const call = host.call("complete", { prompt: "Hello", reply_within: 1 });
    const { result } = await host.answerTo(call);
    const { completion_id: id } = Object(result?.["structuredContent"]);
    const [keeper = 0] = await user.keeperPids();
    process.kill(keeper, "SIGUSR2");
    host.signal("SIGKILL");
    await host.ended;
    expect(await readToTheEnd(user, id)).toMatchObject({ status: "completed", text: WHOLE });
  });

  it("continues at an offset where the second generation repeats the first", async () => {
    const user = await userWith({ tokensPerSecond: 5 });
    const host = await WireHost.start(user.settings);
    const begun = await host.answerTo(host.call("complete", { prompt: "Hello", reply_within: 2 }));
    const { completion_id: id, next_from } = Object(begun.result?.["structuredContent"]);
    const from = await firstFrom(host, id, next_from);
    host.endInput();
    await host.ended;
    const { result } = await callAlone(user, "get_completion", {
      completion_ids: [id],
      from,
      reply_within: 60,
    });
    expect(result["completions"]).toMatchObject([{ text: WHOLE.slice(from), from }]);
  });

  it("is joined by an identical call in a later process", async () => {
    const user = await userWith();
    const given = { prompt: "Hello", reply_within: 1 };
    const begun = await callAlone(user, "complete", given, "kill -9");
    const before = user.chats().length;
    const again = await callAlone(user, "complete", { ...given, reply_within: 60 });
    const id = begun.result["completion_id"];
    expect(again.result).toMatchObject({ completion_id: id, joined: true, text: WHOLE });
    expect(user.chats().length).toBeLessThanOrEqual(before + 1);
    await untilGone(user);
  });

  it("is stopped by cancel_completion in a later process", async () => {
    const user = await userWith({
      models: [{ id: MODEL, loaded: true, script: { text: "On and on. ", forever: true } }],
    });
    const begun = await callAlone(user, "complete", {
      prompt: "Hello",
      max_tokens: 2000,
      reply_within: 1,
    });
    const { result } = await callAlone(user, "cancel_completion", {
      completion_id: begun.result["completion_id"],
    });
    expect(result).toMatchObject({ status: "cancelled" });
    await untilGone(user);
  });

  it("is returned from its beginning, with a note, where the second text differs", async () => {
    const user = await userWith({
      models: [{ id: MODEL, loaded: true, script: { text: "On and on. ", forever: true } }],
    });
    const other = await startSimulator({
      models: [{ id: MODEL, loaded: true, script: { text: OTHER } }],
      tokensPerSecond: TOKENS_PER_SECOND,
    });
    onTestFinished(() => other.close());
    const target = { port: Number(new URL(user.service.url).port) };
    const endpoint = await forwarder(target);
    const settings = { ...user.settings, FOUNDRY_ENDPOINT: endpoint };
    const host = await WireHost.start(settings);
    const { result } = await host.answerTo(
      host.call("complete", { prompt: "Hello", reply_within: 2 }),
    );
    const { completion_id: id, next_from } = Object(result?.["structuredContent"]);
    const from = await firstFrom(host, id, next_from);
    target.port = Number(new URL(other.url).port);
    await host.destroy();
    const given = { completion_ids: [id], from, reply_within: 60 };
    const answer = await callAlone({ ...user, settings }, "get_completion", given);
    expect(answer.result).toMatchObject({
      notes: expect.arrayContaining([expect.stringContaining("generated the answer again")]),
      completions: [{ status: "completed", text: OTHER }],
    });
  });
});

/** Where to read on once there is some text: on a busy machine there is none after some seconds. */
async function firstFrom(host: WireHost, id: unknown, begun: number): Promise<number> {
  for (let from = begun; ; ) {
    if (from > 0) return from;
    const more = await host.answerTo(
      host.call("get_completion", { completion_ids: [id], reply_within: 1 }),
    );
    from = Object(more.result?.["structuredContent"]).completions[0].next_from;
  }
}

/** An address that forwards each connection to the current port of the target. */
async function forwarder(target: { readonly port: number }): Promise<string> {
  const server = createServer((socket) => {
    const other = connect(target.port, "127.0.0.1");
    socket.pipe(other).pipe(socket);
    for (const each of [socket, other]) each.on("error", () => {});
    socket.on("close", () => other.destroy());
    other.on("close", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${Object(server.address()).port}`;
}

describe("a completion that was not promised", () => {
  it("starts no keeper", async () => {
    const user = await userWith({ tokensPerSecond: Number.POSITIVE_INFINITY });
    const { result } = await callAlone(user, "complete", { prompt: "Hello" });
    expect(result).toMatchObject({ status: "completed" });
    expect(await user.keeperPids()).toEqual([]);
    expect(await keeperHolds(user.address)).toBeNull();
  });

  it("ends with its process, also where a keeper runs", async () => {
    const user = await userWith();
    await callAlone(user, "complete", { prompt: "Hello", reply_within: 1 });
    const host = await WireHost.start(user.settings);
    host.call("complete", { prompt: "Another question", reply_within: 60 });
    await user.service.waitFor(({ requests }) =>
      requests.find(({ body }) => JSON.stringify(body).includes("Another question")),
    );
    await host.destroy();
    expect(await keeperHolds(user.address)).toBe(1);
    const asked = user.chats().filter(({ body }) => JSON.stringify(body).includes("Another"));
    expect(asked).toHaveLength(1);
  });

  it("also with FOUNDRY_KEEP=never ends with its process", async () => {
    const user = await userWith();
    const settings = { ...user.settings, FOUNDRY_KEEP: "never" };
    const given = { prompt: "Hello", reply_within: 1 };
    const begun = await callAlone({ ...user, settings }, "complete", given);
    expect(await user.keeperPids()).toEqual([]);
    const { text } = await callAlone(user, "get_completion", {
      completion_ids: [begun.result["completion_id"]],
    });
    expect(text).toContain("COMPLETION_NOT_FOUND");
  });
});

describe("the keeper", () => {
  it("is shown by health_check and doctor", async () => {
    const user = await userWith();
    await callAlone(user, "complete", { prompt: "Hello", reply_within: 1 });
    const { text, result } = await callAlone(user, "health_check", {});
    expect(result).toMatchObject({ kept: 1 });
    expect(text).toContain("Keeper: runs; completions and loads in it: 1");
    const { stdout } = await run(["doctor", "--json", "--no-completion"], user.settings);
    expect(JSON.parse(stdout)).toMatchObject({ keeper: { holds: 1 } });
    const latest = await callAlone(user, "get_completion", {});
    expect(latest.text).toContain("The keeper holds more");
  });

  it("ends after the time of FOUNDRY_KEEP since the end of the answer", async () => {
    const user = await userWith();
    const settings = { ...user.settings, FOUNDRY_KEEP: "1" };
    await callAlone({ ...user, settings }, "complete", { prompt: "Hello", reply_within: 1 });
    await untilGone(user);
  });

  it("is shared by two servers that promise at the same time", async () => {
    const user = await userWith();
    const prompts = ["One", "Two"];
    const begun = await Promise.all(
      prompts.map((prompt) => callAlone(user, "complete", { prompt, reply_within: 1 }, "kill -9")),
    );
    expect(await keeperHolds(user.address)).toBe(2);
    expect(await user.keeperPids()).toHaveLength(1);
    for (const { result } of begun) {
      const state = await readToTheEnd(user, result["completion_id"]);
      expect(state).toMatchObject({ status: "completed", text: WHOLE });
    }
  });

  it("holds a completion of a running server only until the server has delivered it", async () => {
    const user = await userWith();
    const host = await WireHost.start(user.settings);
    const { result } = await host.answerTo(
      host.call("complete", { prompt: "Hello", reply_within: 1 }),
    );
    const { completion_id: id } = Object(result?.["structuredContent"]);
    expect(await keeperHolds(user.address)).toBe(1);
    await host.answerTo(host.call("get_completion", { completion_ids: [id], reply_within: 60 }));
    await untilGone(user);
    expect(user.chats()).toHaveLength(1);
  });

  it("serves the resource of a completion in a later process", async () => {
    const user = await userWith();
    const begun = await callAlone(user, "complete", { prompt: "Hello", reply_within: 1 });
    const host = await WireHost.start(user.settings);
    const uri = `foundry://completions/${String(begun.result["completion_id"])}`;
    const text = async (): Promise<unknown> => {
      const { result } = await host.request("resources/read", { uri });
      return Object(result?.["contents"])[0]?.text;
    };
    await expect.poll(text).toBe(WHOLE);
  });

  it("is optional: a server that cannot start one still answers", async () => {
    const user = await userWith();
    await writeFile(join(String(user.settings["HOME"]), ".foundry-local-mcp"), "a file");
    const host = await WireHost.start(user.settings);
    const { result } = await host.answerTo(
      host.call("complete", { prompt: "Hello", reply_within: 1 }),
    );
    const { completion_id: id } = Object(result?.["structuredContent"]);
    const answer = await host.answerTo(
      host.call("get_completion", { completion_ids: [id], reply_within: 60 }),
    );
    expect(JSON.stringify(answer.result)).toContain(WHOLE);
    expect(host.stderr).toContain("no keeper can be used");
  });
});

describe("a promised batch", () => {
  it.each(ENDS)("goes on after %s", async (end) => {
    const user = await userWith();
    const prompts = ["One", "Two", "Three"];
    const begun = await callAlone(user, "complete_batch", { prompts, reply_within: 1 }, end);
    const batch_id = begun.result["batch_id"];
    const results = [...resultsOf(begun)];
    for (let calls = 0; calls < 30 && results.length < 3; calls += 1) {
      const answer = await callAlone(user, "complete_batch", { batch_id, reply_within: 5 });
      results.push(...resultsOf(answer));
    }
    expect(results).toHaveLength(3);
    for (const result of results) expect(result).toMatchObject({ text: WHOLE });
    await untilGone(user);
  });

  it("goes on where its host ends the server while a call waits for it", async () => {
    const user = await userWith({ tokensPerSecond: 100 });
    const host = await WireHost.start(user.settings);
    const prompts = Array.from({ length: 12 }, (_, index) => `Prompt ${index}`);
    const begun = await host.answerTo(host.call("complete_batch", { prompts, reply_within: 0 }));
    const batch_id = String(Object(begun.result).structuredContent.batch_id);
    host.call("complete_batch", { batch_id, reply_within: 60 }, { progressToken: "waits" });
    await host.when("the first result", () =>
      host.progressOf("waits").find(({ message }) => /^[1-9]\d* of 12 done/.test(message)),
    );
    host.endInput();
    await host.ended;

    const results: unknown[] = [];
    for (let calls = 0; calls < 30 && results.length < 12; calls += 1) {
      const answer = await callAlone(user, "complete_batch", { batch_id, reply_within: 5 });
      results.push(...resultsOf(answer));
    }
    expect(results).toHaveLength(12);
    for (const result of results) expect(result).toMatchObject({ text: WHOLE });
  });
});

const resultsOf = ({ result }: { result: Record<string, unknown> }): unknown[] =>
  Array.isArray(result["results"]) ? result["results"] : [];

describe("a promised load", () => {
  it("is joined by the repeated call in a later process", async () => {
    const user = await userWith({
      models: [{ id: MODEL, loaded: false, script: { text: WHOLE } }],
      loadMs: 6000,
    });
    const given = { model: MODEL, reply_within: 1 };
    const begun = await callAlone(user, "load_model", given, "kill -9");
    expect(begun.result).toMatchObject({ status: "loading" });
    const { result } = await callAlone(user, "load_model", { ...given, reply_within: 60 });
    expect(["loaded", "already_loaded"]).toContain(result["status"]);
    await untilGone(user);
  });
});
