import { describe, expect, it } from "vitest";
import type { CompletionEvent } from "../../../src/foundry/index.js";
import { type ChatAnswer, chatEngine, hello, json } from "../dialects/chat-engine.js";
import { httpService } from "../dialects/http-service.js";
import { clientOf } from "../fixtures.js";

/** How engines say that they are loading a model. */
const LOADING: readonly (readonly [string, object])[] = [
  ["llama.cpp", { error: { message: "Loading model", type: "unavailable_error", code: 503 } }],
  ["TGI", { error: "Model m is currently loading", estimated_time: 20 }],
  ["Ollama", { error: "llm server loading model" }],
  ["FastAPI", { detail: "The model is still loading." }],
  ["plain words", { message: "model is being loaded" }],
];

/** With a pause of its own, so that the test is quick. */
const loading = (body: object, pauseSeconds = "0.01"): ChatAnswer => ({
  ...json(body, 503),
  headers: { "content-type": "application/json", "retry-after": pauseSeconds },
});

describe("an engine that is loading a model", () => {
  it.each(LOADING)(
    "is waited for longer than a busy one, with the error of %s",
    async (_engine, body) => {
      let requests = 0;
      const { url } = await chatEngine((chat) => {
        requests += 1;
        return requests <= 8 ? loading(body) : hello(chat);
      });
      const statuses: CompletionEvent[] = [];
      const client = clientOf(url, { retry: { retries: 1, initialPauseMs: 1 } });
      const stream = client.streamComplete({ prompt: "Hi", model: "m" });
      for await (const event of stream) if (event.type === "status") statuses.push(event);
      expect(stream.snapshot()).toMatchObject({ status: "completed", text: "Hello", attempts: 9 });
      expect(statuses).toMatchObject([{ status: "running" }, { status: "loading" }]);
    },
  );

  it.each([
    ...LOADING.map(([engine, body]) => [engine, body, true] as const),
    ["an engine that always lists its models", LOADING[0]?.[1] ?? {}, false] as const,
  ])(
    "is waited for from the first request on, with the error of %s",
    async (_engine, body, isAll) => {
      let requests = 0;
      const { url } = await httpService((request, response, text) => {
        const isList = request.url === "/v1/models";
        if (isAll || !isList) requests += 1;
        const list = json({ object: "list", data: [{ id: "m" }] });
        const answer =
          requests <= 7 && (isAll || !isList)
            ? loading(body)
            : request.method === "POST"
              ? hello(JSON.parse(text))
              : isList
                ? list
                : json({}, 404);
        response.writeHead(answer.status ?? 200, answer.headers ?? {}).end(answer.body);
      });
      expect(await clientOf(url).complete({ prompt: "Hi", model: "m" })).toMatchObject({
        text: "Hello",
      });
      expect(requests).toBeGreaterThan(7);
    },
  );

  it("gets one request after each pause", async () => {
    let requests = 0;
    const { url } = await httpService((_request, response) => {
      requests += 1;
      const { headers, body } = loading({ error: { message: "Loading model" } }, "3");
      response.writeHead(503, headers ?? {}).end(body);
    });
    const client = clientOf(url, { loadTimeoutMs: 1000 });
    await expect(client.complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
      code: "SERVICE_BUSY",
      message: "The service is still loading the model.",
    });
    expect(requests).toBe(1);
  });

  it("is not waited for longer than a load may take", async () => {
    const { url } = await chatEngine(() => loading({ error: "Loading model" }));
    const client = clientOf(url, { loadTimeoutMs: 1000, retry: { retries: 0 } });
    await expect(client.complete({ prompt: "Hi", model: "m" })).rejects.toMatchObject({
      code: "SERVICE_BUSY",
      message: "The service is still loading m.",
      retryable: true,
    });
  });

  it("is no longer waited for when the caller cancels", async () => {
    const { url, chats } = await chatEngine(() => loading({ error: "Loading model" }, "5"));
    const controller = new AbortController();
    const client = clientOf(url, { retry: { retries: 0 } });
    const reading = (async () => {
      const stream = client.streamComplete(
        { prompt: "Hi", model: "m" },
        { signal: controller.signal },
      );
      for await (const event of stream) {
        if (event.type === "status" && event.status === "loading") controller.abort();
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "CANCELLED" });
    expect(chats).toHaveLength(1);
  });

  it.each(["error loading model", "failed loading model m", "unable to load: no room"])(
    "is distinguished from an engine that failed to load: %s",
    async (message) => {
      const { url, chats } = await chatEngine(() => json({ error: { message } }, 503));
      await expect(clientOf(url).complete({ prompt: "Hi", model: "m" })).rejects.toThrow();
      expect(chats.length).toBeLessThanOrEqual(3);
    },
  );
});
