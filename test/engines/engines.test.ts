import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { FoundryError } from "../../src/lib/errors.js";
import { failureText } from "../../src/mcp/tool.js";
import { httpService } from "../foundry/dialects/http-service.js";
import { clientOf } from "../foundry/fixtures.js";
import { type Engine, sse } from "./engine.js";
import { liteLlm } from "./litellm.js";
import { llamaCpp } from "./llama-cpp.js";
import { lmStudio } from "./lm-studio.js";
import { localAi } from "./local-ai.js";
import { ollama } from "./ollama.js";
import { sglang } from "./sglang.js";
import { tgi } from "./tgi.js";
import { vllm } from "./vllm.js";

const ENGINES = [llamaCpp, vllm, sglang, tgi, ollama, lmStudio, localAi, liteLlm];

/** The model that all completions here name. */
const MODEL = "some-model";
const JSON_TYPE = { "content-type": "application/json" };
const STREAM_TYPE = { "content-type": "text/event-stream" };

/** An engine with these answers, and the number of completion requests. */
async function running(chat: (response: ServerResponse, body: string) => void, list?: object) {
  const models = JSON.stringify(list ?? { object: "list", data: [{ id: MODEL, object: "model" }] });
  const { url, asked } = await httpService((request, response, body) => {
    if (request.url === "/v1/models") response.writeHead(200, JSON_TYPE).end(models);
    else if (request.method === "POST") chat(response, body);
    else response.writeHead(404, JSON_TYPE).end('{"error":"Not Found"}');
  });
  return { url, chats: () => asked.filter((line) => line.startsWith("POST")).length };
}

/** The whole body at once, and byte by byte. */
const PACES: readonly (readonly [string, (response: ServerResponse, body: string) => void])[] = [
  ["at once", (response, body) => response.end(body)],
  [
    "byte by byte",
    (response, body) => {
      for (const byte of Buffer.from(body)) response.write(Uint8Array.of(byte));
      response.end();
    },
  ],
];

/** Rows of a table, each with its title. */
const titled = <S extends { readonly what: string }>(shapes: readonly S[]) =>
  shapes.map((shape): [string, S] => [shape.what, shape]);

const REQUEST = { prompt: "Hi", model: MODEL, maxTokens: 500 };

async function failureOf(work: Promise<unknown>): Promise<FoundryError> {
  const thrown: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (thrown instanceof FoundryError) return thrown;
  throw new Error(`no FoundryError: ${JSON.stringify(await work.catch(String))}`);
}

describe.each(ENGINES)("$name", ({ lists, answers, refusals, brokenStreams }: Engine) => {
  describe("its list of models", () => {
    it.each(titled(lists))("has %s", async (_what, { body, ids, forChat, contextLength }) => {
      const answer = { choices: [{ message: { content: "Hello" }, finish_reason: "stop" }] };
      const { url } = await running((response) => response.end(JSON.stringify(answer)), body);
      const client = clientOf(url);

      const { models } = await client.listModels();
      const completion = await client.complete({ prompt: "Hi" });

      expect(models.map(({ id }) => id).sort()).toEqual([...ids].sort());
      expect(completion.model).toBe(forChat);
      if (contextLength === undefined) return;
      expect(models).toContainEqual(expect.objectContaining({ id: forChat, contextLength }));
    });
  });

  describe("its answer", () => {
    const expectedOf = ({
      text,
      reasoning,
      finishReason,
      outputTokens,
    }: Engine["answers"][number]) => ({
      status: "completed",
      text,
      reasoning: reasoning ?? null,
      finishReason: finishReason ?? "stop",
      usage: expect.objectContaining(
        outputTokens === null ? { estimated: true } : { outputTokens, estimated: false },
      ),
      warnings: [],
    });

    it.each(titled(answers))("streamed at once and byte by byte has %s", async (_what, answer) => {
      let send = PACES[0]?.[1];
      const { url, chats } = await running((response) => {
        response.writeHead(200, STREAM_TYPE);
        send?.(response, answer.streamed);
      });
      const client = clientOf(url);
      for (const [pace, sendSo] of PACES) {
        send = sendSo;
        expect(await client.complete(REQUEST), pace).toMatchObject(expectedOf(answer));
      }
      expect(chats()).toBe(PACES.length);
    });

    const whole = answers.filter((answer) => answer.whole !== undefined);
    it.each(titled(whole))("in one piece has %s", async (_what, answer) => {
      const { url, chats } = await running((response) => {
        response.writeHead(200, JSON_TYPE).end(JSON.stringify(answer.whole));
      });
      const { text, reasoning, finishReason } = await clientOf(url).complete(REQUEST);
      expect({ text, reasoning, finishReason }).toEqual({
        text: answer.text,
        reasoning: answer.reasoning ?? null,
        finishReason: answer.finishReason ?? "stop",
      });
      expect(chats()).toBe(1);
    });
  });

  describe("its refusal", () => {
    const final = refusals.filter(({ loads }) => loads !== true);
    it.each(titled(final))(
      "names %s",
      async (_what, { status, headers, body, code, says, passes }) => {
        const isText = typeof body === "string";
        const { url, chats } = await running((response) => {
          response.writeHead(status, { ...(isText ? {} : JSON_TYPE), ...headers });
          response.end(isText ? body : JSON.stringify(body));
        });

        const error = await failureOf(clientOf(url).complete(REQUEST));

        expect(error).toMatchObject({ code });
        expect(failureText(error)).toMatch(says);
        expect(chats()).toBe(passes === true ? 3 : 1);
      },
    );
  });

  const loading = refusals.filter(({ loads }) => loads === true);
  describe.runIf(loading.length > 0)("its refusal while a model loads", () => {
    it.each(titled(loading))(
      "names %s, and the load is waited for",
      async (_what, { status, headers, body }) => {
        let refused = 0;
        const { url } = await running((response) => {
          if (refused < 5) {
            refused += 1;
            // Its own pause would be longer than a test.
            response.writeHead(status, { ...JSON_TYPE, ...headers, "retry-after": "0" });
            response.end(JSON.stringify(body));
            return;
          }
          const end = { choices: [{ delta: { content: "Hello" }, finish_reason: "stop" }] };
          response.writeHead(200, STREAM_TYPE).end(sse(end, "[DONE]"));
        });
        const completion = await clientOf(url).complete(REQUEST);
        expect(completion).toMatchObject({ status: "completed", text: "Hello" });
      },
    );

    it.each(titled(loading))(
      "names %s, also where the load exceeds its time limit",
      async (_what, { status, headers, body, code, says }) => {
        const { url } = await running((response) => {
          response.writeHead(status, { ...JSON_TYPE, ...headers, "retry-after": "0" });
          response.end(JSON.stringify(body));
        });

        const error = await failureOf(clientOf(url, { loadTimeoutMs: 1000 }).complete(REQUEST));

        expect(error).toMatchObject({ code, retryable: true });
        expect(failureText(error)).toMatch(says);
      },
    );
  });

  describe.each(PACES)("its stream that fails, %s", (_pace, send) => {
    it.each(titled(brokenStreams))(
      "with %s",
      async (_what, { streamed, code, says, text = "" }) => {
        const { url } = await running((response) => {
          response.writeHead(200, STREAM_TYPE);
          send(response, streamed);
        });
        const stream = clientOf(url, { retry: { retries: 0 } }).streamComplete(REQUEST);

        const error = await failureOf(
          (async () => {
            for await (const _ of stream);
          })(),
        );

        expect(error).toMatchObject({ code });
        expect(failureText(error)).toMatch(says);
        // `interrupted` means that received text is kept.
        const status = text === "" ? "failed" : "interrupted";
        expect(stream.snapshot()).toMatchObject({ status, text });
      },
    );
  });
});
