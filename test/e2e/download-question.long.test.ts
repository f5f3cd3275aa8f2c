import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { describe, expect, onTestFinished, test } from "vitest";
import { environmentWith, MAIN, type Settings } from "./executable.js";
import { httpServer } from "./http-server.js";
import { simulated } from "./simulated.js";

type Mode = "legacy" | "auto";
type Action = "accept" | "decline" | "cancel" | "fails";

const ID = "talker-generic-cpu:1";
const TEXT = "It is blue.";
const MISSING = {
  id: ID,
  alias: "talker",
  downloaded: false,
  sizeMb: 4915,
  script: { text: TEXT },
};

/** A host whose service lacks the model, and whose user answers each question like this. */
async function world(
  mode: Mode,
  action: Action | null,
  options: object = {},
  {
    elicitation = {},
    isHttp = false,
    settings = {},
  }: {
    elicitation?: Record<string, Record<string, never>>;
    isHttp?: boolean;
    settings?: Settings;
  } = {},
) {
  const simulator = await simulated({
    dialect: "S",
    models: [MISSING],
    downloadMs: 300,
    loadMs: 100,
    ...options,
  });
  const client = new Client(
    { name: "e2e", version: "1" },
    {
      versionNegotiation: { mode },
      capabilities: action === null ? {} : { elicitation },
    },
  );
  const asked: string[] = [];
  if (action !== null) {
    client.setRequestHandler("elicitation/create", ({ params }) => {
      asked.push(params.message);
      if (action === "fails") throw new Error("no window to ask in");
      return { action, ...(action === "accept" && { content: {} }) };
    });
  }
  await client.connect(
    isHttp
      ? new StreamableHTTPClientTransport(new URL((await httpServer(simulator.url)).url))
      : new StdioClientTransport({
          command: process.execPath,
          args: [MAIN],
          env: environmentWith({
            FOUNDRY_ENDPOINT: simulator.url,
            FOUNDRY_LOG_LEVEL: "warn",
            ...settings,
          }),
          stderr: "inherit",
        }),
  );
  onTestFinished(() => client.close());
  const call = async (name: string, given: object, signal?: AbortSignal) => {
    const params = { name, arguments: { ...given } };
    const answer = await client.callTool(params, signal && { signal });
    const [block] = answer.content;
    return { ...answer, text: block?.type === "text" ? block.text : "" };
  };
  const downloads = () =>
    simulator.requests.filter(({ path }) => path.startsWith("/openai/download"));
  return { call, asked, downloads, simulator };
}

const CALLS = [
  ["load_model", { model: "talker" }],
  ["complete", { prompt: "Why?", model: "talker" }],
] as const;
const QUESTION = "Download talker (4.8 GB)? It is not downloaded yet.";

test("a host that declares forms but cannot show one gets the answer of a host without forms", async () => {
  const { call, asked } = await world("legacy", "fails", {}, { elicitation: { form: {} } });
  const answer = await call("load_model", { model: "talker" });
  expect(asked).toEqual([QUESTION]);
  expect(answer.text).toMatch(/^MODEL_NOT_CACHED: /);
  expect(answer.text).toContain("download true");
});

test("a host that supports only URL elicitation is not asked", async () => {
  const { call, asked } = await world("legacy", "accept", {}, { elicitation: { url: {} } });
  const answer = await call("load_model", { model: "talker" });
  expect(asked).toEqual([]);
  expect(answer.text).toMatch(/^MODEL_NOT_CACHED: /);
});

test("without a name the default model is offered where none is downloaded", async () => {
  const models = [{ ...MISSING, id: "Phi-4-mini-instruct-generic-cpu:5", alias: "phi-4-mini" }];
  const { call, asked } = await world("legacy", "accept", { models });
  const answer = await call("complete", { prompt: "Why?" });
  expect(asked).toEqual(["Download phi-4-mini (4.8 GB)? It is not downloaded yet."]);
  expect(answer.structuredContent).toMatchObject({ text: TEXT });
});

test("a download that the user agreed to ends when the user stops the call", async () => {
  const settings = { FOUNDRY_ON_CANCEL: "stop" };
  const slow = { downloadMs: 600_000 };
  const { call, downloads, simulator } = await world("legacy", "accept", slow, { settings });
  const stopping = new AbortController();
  const answer = call("complete", { prompt: "Why?", model: "talker" }, stopping.signal);
  answer.catch(() => {});
  await expect.poll(downloads).toHaveLength(1);
  stopping.abort();
  await expect(answer).rejects.toThrow();
  await simulator.waitFor(() => downloads().every(({ endedBy }) => endedBy === "client-gone"));
});

test.each<Mode>(["legacy", "auto"])("a host in mode %s is asked over HTTP, too", async (mode) => {
  const { call, asked } = await world(mode, "accept", {}, { isHttp: true });
  const answer = await call("complete", { prompt: "Why?", model: "talker" });
  expect(asked).toEqual([QUESTION]);
  expect(answer.structuredContent).toMatchObject({ text: TEXT });
});

describe.each<Mode>(["legacy", "auto"])("a host that can ask its user, in mode %s", (mode) => {
  test.each(CALLS)(
    "asks whether to download a missing model, for %s, and continues after a yes",
    async (name, given) => {
      const { call, asked, downloads } = await world(mode, "accept");
      const answer = await call(name, given);
      expect(asked).toEqual([QUESTION]);
      expect(answer.isError).toBeFalsy();
      expect(answer.structuredContent).toMatchObject(
        name === "complete" ? { text: TEXT } : { model: ID, status: "loaded" },
      );
      expect(downloads()).toHaveLength(1);
      await call(name, given);
      expect(asked).toHaveLength(1);
    },
  );

  test("that the user declines makes each call fail with that reason", async () => {
    const { call, asked, downloads } = await world(mode, "decline");
    for (const [name, given] of CALLS) {
      const answer = await call(name, given);
      expect(asked.splice(0)).toEqual([QUESTION]);
      expect(answer.isError).toBe(true);
      expect(answer.text).toMatch(/^MODEL_NOT_CACHED: .*The user declined the download\./);
      expect(answer.text).toContain("Do not ask again");
    }
    expect(downloads()).toEqual([]);
  });

  test("that the user does not answer makes each call fail as without the question", async () => {
    const { call, asked, downloads } = await world(mode, "cancel");
    for (const [name, given] of CALLS) {
      const answer = await call(name, given);
      expect(asked.splice(0)).toEqual([QUESTION]);
      expect(answer.isError).toBe(true);
      expect(answer.text).toMatch(/^MODEL_NOT_CACHED: /);
      expect(answer.text).not.toContain("declined");
      expect(answer.text).toContain("download true");
    }
    expect(downloads()).toEqual([]);
  });

  test("leads to the next step in the result where the download takes longer than the call", async () => {
    const { call, asked } = await world(mode, "accept", { downloadMs: 10_000 });
    // The service is found before, so that the call takes only the time of the question and the download.
    await call("health_check", {});
    const given = { prompt: "Why?", model: "talker", reply_within: 3 };
    const early = await call("complete", given);
    await call("load_model", { model: "talker", download: true });
    const later = await call("complete", { ...given, reply_within: 45 });
    expect(asked).toHaveLength(1);
    expect(early.text).toMatch(/^MODEL_NOT_CACHED: talker\S* is being downloaded/);
    expect(early.text).toContain("load_model");
    expect(later.structuredContent).toMatchObject({ text: TEXT });
  });

  test("is not asked when the call sets `download`, nor for an unknown model", async () => {
    const { call, asked } = await world(mode, "accept");
    const refused = await call("load_model", { model: "talker", download: false });
    const unknown = await call("complete", { prompt: "Why?", model: "there-is-none" });
    const loaded = await call("load_model", { model: "talker", download: true });
    expect(refused.text).toMatch(/^MODEL_NOT_CACHED: /);
    expect(unknown.text).toMatch(/^MODEL_NOT_FOUND: /);
    expect(loaded.structuredContent).toMatchObject({ status: "loaded" });
    expect(asked).toEqual([]);
  });

  test("is a hint in each call where the host cannot ask", async () => {
    const { call } = await world(mode, null);
    for (const [name, given] of CALLS) {
      const answer = await call(name, given);
      expect(answer.text).toMatch(/^MODEL_NOT_CACHED: /);
      expect(answer.text).toContain("download true");
    }
  });
});
