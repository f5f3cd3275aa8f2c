import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Simulator, type SimulatorOptions, startSimulator } from "foundry-local-simulator";
import { describe, expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { temporaryFolder } from "../temporary-folder.js";
import { Host } from "./host.js";
import { wireHostOn } from "./simulated.js";

const CHATTER = "talker-generic-cpu:1";
const EMBEDDER = "embedder-generic-cpu:1";
const SECRET = "The harbour master hid the amber key below the third lamp.";
const TWO_MEGABYTES = 2 * 1024 * 1024;
const QUESTION = "Where did the harbour master hide the amber key?";

type Models = NonNullable<SimulatorOptions["models"]>;

/** Finds only the secret in its prompt. */
const chatter: Models[number] = {
  id: CHATTER,
  loaded: true,
  contextLength: 4096,
  script: ({ text }) => ({
    text: text.includes("third lamp") ? "It is below the third lamp." : "NOTHING",
  }),
};
const MODELS: Models = [chatter, { id: EMBEDDER, task: "embeddings" }];

const sourcesSchema = z.array(z.object({ file: z.string(), lines: z.string(), score: z.number() }));

/** Two megabytes of lines that are all different, with the secret in one of them. */
function longText(): string {
  const lines: string[] = [];
  for (let length = 0; length < TWO_MEGABYTES; length += lines.at(-1)?.length ?? 0) {
    const number = lines.length + 1;
    lines.push(
      number === 9000
        ? SECRET
        : `Entry ${number}: the weather of day ${number} was fair, wind ${number % 12}.`,
    );
  }
  return `${lines.join("\n")}\n`;
}

let folder = "";

async function documents(models: Models = MODELS, options: SimulatorOptions = {}) {
  folder = await temporaryFolder("documents-");
  await writeFile(join(folder, "log.txt"), longText());
  await writeFile(join(folder, "short.txt"), `Nothing here.\n${SECRET}\n`);
  const simulator = await startSimulator({
    models,
    modelCachePath: await temporaryFolder("cache-"),
    ...options,
  });
  onTestFinished(() => simulator.close());
  return simulator;
}

async function hostOf(simulator: Simulator, settings: Readonly<Record<string, string>> = {}) {
  const host = await Host.start({
    FOUNDRY_ENDPOINT: simulator.url,
    FOUNDRY_FILES: folder,
    ...settings,
  });
  onTestFinished(() => host.close());
  return host;
}

const askedFor = (simulator: Simulator, path: string) =>
  simulator.requests.filter((request) => request.path.startsWith(path));
const CHATS = "/v1/chat/completions";
const EMBEDDINGS = "/v1/embeddings";

const modelIn = ({ body }: { readonly body: unknown }): unknown => Object(body).model;

/** The text of the lines that a source names. */
async function textOf({ file, lines }: z.output<typeof sourcesSchema>[number]): Promise<string> {
  const [first = 0, last = first] = lines.split("-").map(Number);
  const all = (await readFile(join(folder, file), "utf8")).split("\n");
  return all.slice(first - 1, last).join("\n");
}

describe("ask_documents", () => {
  test("answers from two megabytes with a context of 4,096 tokens and correct sources", async () => {
    const simulator = await documents();
    const host = await hostOf(simulator);
    const notes: string[] = [];

    const { isError, result, text } = await host.call(
      "ask_documents",
      { question: QUESTION, files: ["*.txt"] },
      { onProgress: ({ message }) => void notes.push(message) },
    );

    expect(isError).toBe(false);
    expect(result).toMatchObject({
      answer: "It is below the third lamp.",
      model: CHATTER,
      status: "completed",
      ranked_by: ["embeddings", "words"],
      embedding_model: EMBEDDER,
    });
    const sources = sourcesSchema.parse(result["sources"]);
    const texts = await Promise.all(sources.map(textOf));
    expect(texts.filter((each) => each.includes(SECRET))).toHaveLength(2);
    expect(sources.map(({ file }) => file)).toContain("log.txt");
    expect(text).toContain(`${sources[0]?.file} lines ${sources[0]?.lines}`);
    expect(notes.join("\n")).toMatch(/Embedding the parts, \d+ of \d{4} done/);
    expect(askedFor(simulator, CHATS)).toHaveLength(1);
    expect(new Set(askedFor(simulator, EMBEDDINGS).map(modelIn))).toEqual(new Set([EMBEDDER]));
  });

  test("ranks a text equal to the question first, with a score above 0.99", async () => {
    const host = await hostOf(await documents());
    await writeFile(join(folder, "same.txt"), `${SECRET}\n`);

    const { result } = await host.call("ask_documents", { question: SECRET, files: ["s*.txt"] });

    const [first] = sourcesSchema.parse(result["sources"]);
    expect(first).toMatchObject({ file: "same.txt", lines: "1" });
    expect(first?.score).toBeGreaterThan(0.99);
  });

  test("returns at its time limit with an id; get_completion returns the rest with the sources", async () => {
    const simulator = await documents(MODELS, { firstTokenMs: 4000 });
    const host = await hostOf(simulator);

    const begun = await host.call("ask_documents", {
      question: QUESTION,
      files: "short.txt",
      reply_within: 1,
    });
    const ended = await host.call("get_completion", {
      completion_ids: [begun.result["completion_id"]],
      reply_within: 60,
    });

    expect(begun.result["status"]).not.toBe("completed");
    expect(begun.result["next"]).toContain("get_completion");
    const [completion] = [ended.result["completions"]].flat().map(Object);
    expect(completion).toMatchObject({
      status: "completed",
      text: "It is below the third lamp.",
      sources: [expect.objectContaining({ file: "short.txt", lines: "1-2" })],
    });
  });

  test("embeds a file once for all servers that share a folder of vectors", async () => {
    const simulator = await documents();
    const settings = { FOUNDRY_VECTORS: join(folder, "vectors") };
    const asked = { question: QUESTION, files: "log.txt" };

    await (await hostOf(simulator, settings)).call("ask_documents", asked);
    const first = askedFor(simulator, EMBEDDINGS).length;
    const { result } = await (await hostOf(simulator, settings)).call("ask_documents", asked);

    expect(result).toMatchObject({ answer: "It is below the third lamp." });
    expect(first).toBeGreaterThan(30);
    // The question itself.
    expect(askedFor(simulator, EMBEDDINGS).length - first).toBe(1);
  });

  test("is not listed without allowed folders", async () => {
    const simulator = await documents();
    const host = await Host.start({ FOUNDRY_ENDPOINT: simulator.url });
    onTestFinished(() => host.close());

    const { tools } = await host.client.listTools();

    expect(tools.map(({ name }) => name)).not.toContain("ask_documents");
  });
});

describe("complete with files", () => {
  test("answers two megabytes in parts, reports the current part, and joins the answers", async () => {
    const host = await hostOf(await documents());
    const notes: string[] = [];

    const { isError, result } = await host.complete(
      { prompt: QUESTION, files: ["log.txt"], reply_within: 600 },
      { onProgress: ({ message }) => void notes.push(message) },
    );

    expect(isError).toBe(false);
    expect(result).toMatchObject({ status: "completed", text: "It is below the third lamp." });
    expect(result["parts"]).toBeGreaterThan(100);
    expect(notes.join("\n")).toMatch(new RegExp(`Part \\d+ of ${result["parts"]}`));
  });

  test("refuses two megabytes with the token counts where they must be read whole", async () => {
    const simulator = await documents();
    const host = await hostOf(simulator);

    const { code, text } = await host.complete({ prompt: QUESTION, files: "log.txt", whole: true });

    expect(code).toBe("CONTEXT_LENGTH_EXCEEDED");
    expect(text).toMatch(/at least \d{6} tokens.*4096 tokens/);
    expect(askedFor(simulator, CHATS)).toHaveLength(0);
  });

  test("stops between its parts when the user cancels", async () => {
    const simulator = await documents([chatter], { dialect: "C1", firstTokenMs: 50 });
    const host = await wireHostOn(simulator.url, { FOUNDRY_FILES: folder });
    const call = host.call("complete", { prompt: QUESTION, files: ["log.txt"] });
    await simulator.waitFor(() => askedFor(simulator, CHATS).length >= 3);

    host.notify("notifications/cancelled", { requestId: call, reason: "User pressed stop" });
    await host.request("ping");
    await simulator.waitFor(({ requests }) => requests.every(({ endedBy }) => endedBy !== null));
    const after = askedFor(simulator, CHATS).length;
    await new Promise((resolve) => setTimeout(resolve, 500));

    expect(after).toBeLessThan(10);
    expect(askedFor(simulator, CHATS)).toHaveLength(after);
  });
});
