import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  type RecordedExchange,
  readRecording,
} from "../../../packages/simulator/test/recording.js";
import type { ChatEvent } from "../../../src/foundry/dialects/dialect.js";
import { knownModel } from "../models/known-model.js";
import { CALL, catalogEntry, dialectOf, oldService } from "./old-service.js";

const exchanges = readRecording("service-0.8.json");

function exchange(name: string): RecordedExchange {
  const found = exchanges.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no exchange ${name}`);
  return found;
}

/** Answers as recorded. */
function replay({ response: recorded }: RecordedExchange) {
  return (response: ServerResponse): void => {
    const headers = (recorded.headers ?? []).filter(([name]) => name === "Content-Type");
    response.writeHead(recorded.status ?? 200, Object.fromEntries(headers));
    const { json, text = "", events, connection } = recorded;
    const body = events?.join("") ?? (json === undefined ? text : JSON.stringify(json));
    if (connection === undefined) response.end(body);
    else response.write(body, () => response.destroy());
  };
}

/** A service that answers with these exchanges, each on the path of its request. */
const replaying = (...names: readonly string[]) => {
  const routes = names.map((name) => {
    const found = exchange(name);
    const path = found.request.path.replace(/\?.*$/, "").replace(/:(\d+)$/, "%3A$1");
    return [path, replay(found)] as const;
  });
  return oldService(Object.fromEntries(routes));
};

/** Every exchange that this client can cause; the others use routes that it never calls. */
const UNUSED = new Set([
  "unload-all",
  "loaded-none-later",
  "token-count",
  "gpu-device",
  "set-gpu-device",
  "no-route",
  "wrong-method",
]);
const used = new Set<string>();
const using = <T extends readonly string[]>(...names: T): T => {
  for (const name of names) used.add(name);
  return names;
};

const downloadSchema = z.object({
  model: z.object({ Uri: z.string(), PromptTemplate: z.record(z.string(), z.string()) }),
});

const OPENVINO = "qwen2.5-0.5b-instruct-openvino-gpu:2";

describe("recorded answers of the legacy service are understood:", () => {
  it.each(using("status", "status-documented"))("%s", async (name) => {
    expect(await dialectOf(await replaying(name)).status(CALL)).toEqual({
      pid: null,
      modelCachePath: "C:\\Users\\user\\.foundry\\cache\\models",
    });
  });

  it.each(using("catalog", "catalog-documented"))("%s, with the lists beside it", async (name) => {
    const service = await replaying(...using("downloaded", "models"), name);
    const { models, warning } = await dialectOf(service).listModels(CALL);
    expect(warning).toBeNull();
    expect(models).toContainEqual(
      expect.objectContaining({
        id: "Phi-4-generic-gpu:1",
        alias: "phi-4",
        downloaded: false,
        details: expect.objectContaining({ sizeMb: 8570, device: "gpu", license: "MIT" }),
      }),
    );
    expect(models).toContainEqual(
      expect.objectContaining({ id: OPENVINO, downloaded: true, contextLength: 32_768 }),
    );
  });

  it("an empty catalog offline, of a newly started service", async () => {
    const service = await replaying(...using("catalog-offline", "models-fresh"));
    const { models, warning } = await dialectOf(service).listModels(CALL);
    expect([models, warning]).toEqual([[], expect.stringContaining("no catalog")]);
  });

  it.each(using("load", "load-again", "load-by-encoded-id"))("%s", async (name) => {
    const service = await replaying(...using("loaded-none"), name);
    const status = await dialectOf(service).load(knownModel(OPENVINO), OPENVINO, CALL);
    expect(status).toBe("loaded");
  });

  it("an already loaded model, and its unload", async () => {
    const service = await replaying(...using("loaded-one", "unload"));
    const dialect = dialectOf(service);
    expect(await dialect.load(knownModel(OPENVINO), OPENVINO, CALL)).toBe("already_loaded");
    expect(await dialect.unload(knownModel(OPENVINO), CALL, true)).toBe("unloaded");
    expect(service.asked).toContain(`GET ${exchange("unload").request.path.replace(":2", "%3A2")}`);
  });

  it.each([
    [using("load-not-downloaded")[0], "Phi-4-generic-gpu:1", "MODEL_NOT_CACHED"],
    [using("load-broken")[0], "qwen3.5-0.8b-generic-cpu:2", "LOAD_FAILED"],
  ])("%s", async (name, id, code) => {
    const dialect = dialectOf(await replaying(name));
    const load = dialect.load(knownModel(id), id, CALL);
    await expect(load).rejects.toMatchObject({
      code,
      message: expect.not.stringContaining("Users"),
    });
  });

  describe("a download:", () => {
    const ID = "qwen2.5-0.5b-instruct-generic-cpu:3";
    // The published catalog is an excerpt without this model.
    const { Uri: uri, PromptTemplate: promptTemplate } = downloadSchema.parse(
      exchange("download").request.body,
    ).model;
    const catalog = { json: [catalogEntry(ID, { uri, promptTemplate })] };
    const downloading = (answer: (response: ServerResponse, body: string) => void) =>
      oldService({ "/foundry/list": catalog, "/openai/download": answer });
    const download = async (name: string) => {
      const percents: (number | null)[] = [];
      const run = dialectOf(await downloading(replay(exchange(name)))).download(knownModel(ID), {
        signal: new AbortController().signal,
        stallMs: 5000,
        onPercent: (percent) => percents.push(percent),
      });
      return { run, percents };
    };

    it("is requested with the members that Microsoft's client sends", async () => {
      const bodies: unknown[] = [];
      const service = await downloading((response, body) => {
        bodies.push(JSON.parse(body));
        replay(exchange("download"))(response);
      });
      await dialectOf(service).download(knownModel(ID), {
        signal: new AbortController().signal,
        stallMs: 5000,
        onPercent: () => {},
      });
      expect(bodies).toEqual([exchange("download").request.body]);
    });

    it.each(using("download", "download-again", "download-documented", "download-resumed"))(
      "%s comes to its end",
      async (name) => {
        const { run, percents } = await download(name);
        await run;
        expect(percents.at(-1)).toBe(100);
        expect(percents).toEqual([...new Set(percents)].sort((a, b) => Number(a) - Number(b)));
      },
    );

    it.each(using("download-fails", "download-breaks"))("%s gives its progress", async (name) => {
      const { run } = await download(name);
      await expect(run).rejects.toMatchObject({
        code: "DOWNLOAD_FAILED",
        message: expect.stringMatching(/It came to \d+ %\.$/),
      });
    });
  });

  describe("a chat:", () => {
    const chat = async (name: string): Promise<ChatEvent[]> => {
      const service = await replaying(name);
      const messages = [{ role: "user" as const, content: "What is needed to know nature?" }];
      const request = { model: knownModel("qwen2.5-1.5b-instruct-generic-gpu:3"), messages };
      const stream = await dialectOf(service).chat({ ...request, maxTokens: 64 }, CALL);
      const events: ChatEvent[] = [];
      for await (const event of stream) events.push(event);
      return events;
    };
    const textOf = (events: readonly ChatEvent[]): string =>
      events.map((event) => (event.type === "text" ? event.text : "")).join("");

    it("chat-stream has its text once, and an end", async () => {
      const events = await chat(...using("chat-stream"));
      expect(textOf(events)).toBe("Science.");
      expect(events.at(-1)).toEqual({ type: "finish", reason: "stop" });
      expect(events.some(({ type }) => type === "usage")).toBe(false);
    });

    it.each(using("chat", "chat-usage-null"))("%s, in one piece", async (name) => {
      const events = await chat(name);
      expect(textOf(events)).toBe("Science.");
      expect(events).toContainEqual({ type: "finish", reason: "stop" });
    });

    it("tool-call-as-text is text", async () => {
      expect(textOf(await chat(...using("tool-call-as-text")))).toMatch(/^functools\[/);
    });

    it.each([
      [using("chat-not-downloaded")[0], "MODEL_NOT_CACHED"],
      [using("chat-top-p-high")[0], "INVALID_REQUEST"],
      [using("chat-top-p-high-without-words")[0], "INFERENCE_FAILED"],
      [using("chat-content-parts")[0], "INVALID_REQUEST"],
      [using("chat-fails-midway-stream")[0], "STREAM_INTERRUPTED"],
    ])("%s fails as %s", async (name, code) => {
      await expect(chat(name)).rejects.toMatchObject({ code });
    });
  });

  it("all of it, except for the unused routes", () => {
    const names = exchanges.map(({ name }) => name);
    expect(names.filter((name) => !used.has(name))).toEqual(
      names.filter((name) => UNUSED.has(name)),
    );
  });
});
