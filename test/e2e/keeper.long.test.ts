import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { keeperHolds } from "../../src/keeper/index.js";
import { installEmbedded } from "../foundry/discovery/embedded-installation.js";
import { run } from "./executable.js";
import {
  callAlone,
  MODEL,
  readToTheEnd,
  resultsOf,
  untilGone,
  userWith,
  WHOLE,
} from "./keeper-user.js";
import { WireHost } from "./wire-host.js";

/** Windows has no groups of processes. */
const ENDS =
  process.platform === "win32"
    ? (["end of input", "kill -9"] as const)
    : (["end of input", "kill -9", "kill -9 of its group"] as const);

/** `kept-work.long.test.ts` has what is the same on each system. */
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
});

it("a completion that was not promised starts no keeper", async () => {
  const user = await userWith({ tokensPerSecond: Number.POSITIVE_INFINITY });
  const { result } = await callAlone(user, "complete", { prompt: "Hello" });
  expect(result).toMatchObject({ status: "completed" });
  expect(await user.keeperPids()).toEqual([]);
  expect(await keeperHolds(user.address)).toBeNull();
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

it.each(ENDS)("a promised batch goes on after %s", async (end) => {
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

it("a promised load is joined by the repeated call in a later process", async () => {
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
