import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Subject } from "../../../src/foundry/dialects/failure-rules.js";
import { errorOfFailure, errorOfStreamEvent } from "../../../src/foundry/dialects/failures.js";
import { overflowOf } from "../../../src/foundry/dialects/overflow.js";
import { errorTextOf, wordsOfError } from "../../../src/http/index.js";
import type { FoundryError } from "../../../src/lib/errors.js";

/** All refusals of the real services (test/real/record.ts). */
const FOLDER = new URL("../../../packages/simulator/recordings/", import.meta.url);
const recordingSchema = z.object({
  exchanges: z.array(
    z.object({
      name: z.string(),
      request: z.object({ method: z.string(), path: z.string() }),
      response: z
        .object({
          status: z.number(),
          reason: z.string(),
          json: z.unknown(),
          text: z.string().optional(),
          events: z.array(z.string()).optional(),
        })
        .nullish()
        .catch(null),
    }),
  ),
});
const errorEvent = z.object({ error: z.object({ message: z.string(), type: z.string() }) });

interface Refusal {
  readonly name: string;
  readonly error: FoundryError;
}

function refusals(): Refusal[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".json"))
    .flatMap((file) => {
      const text = readFileSync(new URL(file, FOLDER), "utf8");
      return recordingSchema
        .parse(JSON.parse(text))
        .exchanges.flatMap(({ name, request, response }) => {
          if (response == null) return [];
          const subject: Subject = { doing: doingOf(request.path), model: "tiny" };
          const { status, reason, json, text: plain = "", events = [] } = response;
          const body = json === undefined ? plain : JSON.stringify(json);
          const message = errorTextOf(body, "", reason);
          const failure = {
            ...request,
            status,
            message,
            kinds: [],
            body,
            brokeOff: null,
            retryAfterMs: null,
          };
          const inEvents = events
            .map((event) => errorEvent.safeParse(parsed(event.replace(/^data: /, ""))))
            .flatMap(({ data }) => (data === undefined ? [] : [data.error]));
          return [
            ...(status < 400 ? [] : [errorOfFailure(failure, subject)]),
            ...inEvents.map((error) => errorOfStreamEvent(wordsOfError(error), subject)),
          ].map((error) => ({ name: `${file}: ${name}`, error }));
        });
    });
}

function doingOf(path: string): Subject["doing"] {
  if (/\/(models|openai)\/load\//.test(path)) return "load";
  if (/\/(models|openai)\/unload\//.test(path)) return "unload";
  return path.includes("/chat/") ? "chat" : "other";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const all = refusals();

describe("the recorded refusals of real services", () => {
  it("exist for each of them", () => {
    const files = new Set(all.map(({ name }) => name.split(":")[0]));
    expect([...files]).toEqual(
      expect.arrayContaining(["core-1.json", "core-2-newest.json", "core-2-oldest.json"]),
    );
  });

  it.each(all)("are shown without paths and native code: $name", ({ error }) => {
    expect(`${error.message} ${error.action}`).not.toMatch(
      /\.(cc|cpp|hpp|h|cs):\d|\bfl::|std::|virtual |\/(home|tmp|usr|root)\/|[A-Z]:\\/,
    );
  });

  const named = (part: RegExp): readonly Refusal[] => all.filter(({ name }) => part.test(name));

  it.each([
    ["not loaded", /chat-not-loaded/, "MODEL_NOT_LOADED"],
    ["a broken file", /load-broken/, "LOAD_FAILED"],
    [
      "more than the context",
      /chat-(beyond-context|context-overflow|long-prompt)/,
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    ["a failure while generating", /chat-fails-midway/, "INFERENCE_FAILED"],
    [
      "malformed JSON",
      /chat-(bad-json|empty-body|max-tokens-zero|bad-tool-choice)/,
      "INVALID_REQUEST",
    ],
  ] as const)("about %s have the same meaning on each of them", (_what, part, code) => {
    const found = named(part);
    expect(found.length).toBeGreaterThan(2);
    expect(found.map(({ name, error }) => [name, error.code])).toEqual(
      found.map(({ name }) => [name, code]),
    );
  });

  it("about the context always contain prompt and limit", () => {
    const found = named(/chat-(beyond-context|context-overflow|long-prompt)/);
    for (const { error } of found) {
      expect(overflowOf(error)).toMatchObject({
        input: expect.any(Number),
        limit: expect.any(Number),
      });
    }
  });
});
