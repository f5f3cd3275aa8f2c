import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.js";
import { environmentWith, MAIN } from "./executable.js";
import { type Answer, Host, type ProgressNote } from "./host.js";
import { type Target, type TargetModel, TEXTS, WEATHER } from "./target.js";

/**
 * The main job of the product, from the host to a service: once for every service
 * in the list. All tests share one server, as all calls of a host do.
 */
export function describeMainJob(name: string, startTarget: () => Promise<Target>): void {
  describe(`the main job on ${name}`, () => {
    let target: Target;
    let host: Host;

    beforeAll(async () => {
      target = await startTarget();
      host = await Host.start({ FOUNDRY_ENDPOINT: target.endpoint });
    });
    afterAll(async () => {
      await host?.close();
      await target?.close();
    });

    const complete = (model: TargetModel, given: object = {}): Promise<Answer> =>
      host.complete({ prompt: "Say something.", model: model.id, ...given });
    const unload = (model: TargetModel): Promise<Answer> =>
      host.call("unload_model", { model: model.id });
    const listed = async (given: object = {}): Promise<unknown> => {
      const { result } = await host.call("list_models", { ...given });
      return result["models"];
    };

    describe("health", () => {
      test("a working service is healthy, and its dialect is reported", async () => {
        const { result } = await host.call("health_check");

        expect(result).toMatchObject({
          status: "healthy",
          dialect: target.dialect,
          endpoint: target.endpoint,
          problems: [],
        });
        expect(result).not.toHaveProperty("circuit");
      });

      test("a running load is busy, not broken", async ({ skip }) => {
        if (!target.can.load) skip("this service loads by itself");
        const { slowLoad } = target.models;
        await unload(slowLoad);

        const loading = host.call("load_model", { model: slowLoad.id });
        const checks = await healthUntil(host, loading);

        for (const result of checks) {
          expect(result).toMatchObject({ status: "healthy", problems: [] });
        }
        expect(checks).toContainEqual(expect.objectContaining({ busy: true }));
        expect(await loading).toMatchObject({ isError: false, result: { status: "loaded" } });
        const after = await host.call("health_check");
        expect(after.result).toMatchObject({
          ...(target.can.tellBusy && { busy: false }),
          loaded_models: expect.arrayContaining([slowLoad.id]),
        });
      });

      test("a load of another client is not reported as an outage", async ({ skip }) => {
        if (!target.can.load) skip("this service loads by itself");
        const { slowLoad } = target.models;
        await unload(slowLoad);
        const otherHost = await Host.start({ FOUNDRY_ENDPOINT: target.endpoint });
        try {
          const loading = otherHost.call("load_model", { model: slowLoad.id });
          const checks = await healthUntil(host, loading);

          for (const result of checks) {
            expect(result).toMatchObject({ status: "healthy", problems: [] });
          }
          expect(await loading).toMatchObject({ isError: false });
        } finally {
          await otherHost.close();
        }
      });
    });

    describe("list", () => {
      test("every available model is listed by its exact id", async () => {
        const { notCached, firstVersion, ...there } = target.models;

        const models = await listed({ limit: 100 });

        for (const { id } of Object.values(there)) {
          expect(models).toContainEqual(expect.objectContaining({ id }));
        }
        expect(models).not.toContainEqual(expect.objectContaining({ id: notCached.id }));
        expect(models).toContainEqual(expect.objectContaining({ id: firstVersion.id }));
      });

      test("aliases are listed, and the downloaded and loaded models", async ({ skip }) => {
        if (!target.can.load) skip("this service tells nothing but ids");
        const { ends, plainId } = target.models;
        await host.call("load_model", { model: ends.id });
        await unload(plainId);

        const models = await listed({ limit: 100 });

        expect(models).toContainEqual(
          expect.objectContaining({ ...ids(ends), downloaded: true, loaded: true }),
        );
        expect(models).toContainEqual(
          expect.objectContaining({ ...ids(plainId), downloaded: true, loaded: false }),
        );
      });

      test("filter `loaded` lists only loaded models", async ({ skip }) => {
        if (!target.can.load) skip("this service tells nothing but ids");
        const { ends, plainId } = target.models;
        await host.call("load_model", { model: ends.id });
        await unload(plainId);

        const models = await listed({ filter: "loaded", limit: 100 });

        expect(models).toContainEqual(expect.objectContaining({ id: ends.id }));
        expect(models).not.toContainEqual(expect.objectContaining({ id: plainId.id }));
      });
    });

    describe("load and unload", () => {
      const ways = {
        alias: ({ alias }: TargetModel) => alias,
        "alias in another case": ({ alias }: TargetModel) => alias.toUpperCase(),
        name: ({ name: bare }: TargetModel) => bare,
        id: ({ id }: TargetModel) => id,
      };

      test.for(Object.entries(ways))("a model by its %s", async ([, wordFor], { skip }) => {
        if (!target.can.load) skip("this service loads by itself");
        for (const model of [target.models.forever, target.models.plainId]) {
          const given = { model: wordFor(model) };
          await unload(model);

          const first = await host.call("load_model", given);
          const second = await host.call("load_model", given);
          const { result: health } = await host.call("health_check");
          const off = await host.call("unload_model", given);
          const again = await host.call("unload_model", given);

          expect(first.result).toMatchObject({ model: model.id, status: "loaded" });
          expect(second.result).toMatchObject({ model: model.id, status: "already_loaded" });
          expect(health["loaded_models"]).toContain(model.id);
          expect(off.result).toMatchObject({ next: null, model: model.id, status: "unloaded" });
          expect(again.result).toMatchObject({ model: model.id, status: "not_loaded" });
        }
      });

      test("an alias loads its newest version, and the result names it", async ({ skip }) => {
        if (!target.can.load) skip("this service loads by itself");
        const { secondVersion } = target.models;
        await unload(secondVersion);

        const { result } = await host.call("load_model", { model: secondVersion.alias });

        expect(result).toMatchObject({ model: secondVersion.id, status: "loaded" });
      });

      test("a model that is broken is LOAD_FAILED, and the others still load", async ({ skip }) => {
        if (!target.can.load) skip("this service loads by itself");
        const { cannotLoad, plainId } = target.models;

        const broken = await host.call("load_model", { model: cannotLoad.id });
        const sound = await host.call("load_model", { model: plainId.id });

        expect(broken).toMatchObject({ isError: true, code: "LOAD_FAILED" });
        expect(sound.isError).toBe(false);
      });

      test("loading a model that is not downloaded is MODEL_NOT_CACHED", async ({ skip }) => {
        if (!target.can.load) skip("this service loads by itself");
        const { notCached } = target.models;

        const answer = await host.call("load_model", { model: notCached.id });

        expect(answer).toMatchObject({ isError: true, code: "MODEL_NOT_CACHED" });
      });

      test("an engine that loads by itself refuses the call with that reason", async ({ skip }) => {
        if (target.can.load) skip("this service loads when it is asked to");
        const given = { model: target.models.ends.id };

        const load = await host.call("load_model", given);
        const off = await host.call("unload_model", given);

        expect(load).toMatchObject({ isError: true, code: "UNSUPPORTED_BY_SERVER" });
        expect(off).toMatchObject({ isError: true, code: "UNSUPPORTED_BY_SERVER" });
      });

      test("unloading a model in use is MODEL_BUSY, and it goes on", async ({ skip }) => {
        if (!target.can.load) skip("this service loads by itself");
        const { slow } = target.models;
        // Some seconds, in which the refusal comes.
        const writing = writingOf(host, { prompt: "Go on.", model: slow.id, max_tokens: 60 });
        await writing.hasBegun;

        const refused = await unload(slow);
        const written = await writing.answer;
        const allowed = await unload(slow);

        expect(refused).toMatchObject({ isError: true, code: "MODEL_BUSY" });
        expect(written).toMatchObject({ isError: false, result: { finish_reason: "length" } });
        expect(allowed.result).toMatchObject({ model: slow.id, status: "unloaded" });
      });
    });

    describe("complete", () => {
      test("returns the whole answer and nothing else, with its token counts", async () => {
        const { ends } = target.models;

        const answer = await complete(ends);

        expect(answer.text).toBe(TEXTS.ends);
        expect(answer.isError).toBe(false);
        expect(answer.result).toEqual({
          next: null,
          notes: [],
          status: "completed",
          completion_id: expect.stringMatching(/^c-/),
          text: TEXTS.ends,
          finish_reason: "stop",
          model: ends.id,
          usage: {
            input_tokens: expect.any(Number),
            output_tokens: expect.any(Number),
            ...(!target.can.countTokens && { estimated: true }),
          },
          warnings: [],
        });
      });

      test("accepts an alias, a name and a conversation", async () => {
        const { ends } = target.models;
        // An engine without aliases in its list accepts no alias.
        const words = target.can.load ? [ends.alias, ends.name] : [ends.name];
        const messages = [
          { role: "user", content: "Hello?" },
          { role: "assistant", content: "Yes?" },
          { role: "user", content: "Who are you?" },
        ];

        for (const model of words) {
          const answer = await host.complete({ messages, system: "Be brief.", model });

          expect(answer).toMatchObject({ text: TEXTS.ends, result: { model: ends.id } });
        }
      });

      test("an available model answers where none is given, and the result says which and why", async () => {
        const { result } = await host.complete({ prompt: "Hello", max_tokens: 5 });

        expect(result).toMatchObject({
          status: "completed",
          model: expect.any(String),
          notes: expect.arrayContaining([expect.stringContaining("no model was asked for")]),
        });
      });

      test("a model that is not loaded is loaded first", async ({ skip }) => {
        if (!target.can.load) skip("this service loads by itself");
        const { slowLoad } = target.models;
        await unload(slowLoad);
        const notes: ProgressNote[] = [];

        const { result } = await host.complete(
          { prompt: "Hello", model: slowLoad.id },
          { onProgress: (note) => notes.push(note) },
        );

        expect(result).toMatchObject({ status: "completed", text: TEXTS.ends });
        const state = await stateOf(host, result["completion_id"]);
        expect(Object(state["timing"]).load_ms).toBeGreaterThan(0);
        expect(notes.map(({ message }) => message).join()).toContain(`Loading ${slowLoad.id}`);
      });

      test("max_tokens limits the answer", async () => {
        const { result } = await complete(target.models.forever, { max_tokens: 7 });

        expect(result).toMatchObject({
          status: "completed",
          finish_reason: "length",
          usage: { output_tokens: 7, ...(!target.can.countTokens && { estimated: true }) },
        });
        expect(TEXTS.forever).toContain(String(result["text"]).trim());
      });

      test("a stop string ends the answer before it, whether or not the service knows stop", async () => {
        const { result } = await complete(target.models.forever, {
          stop: [" gull"],
          max_tokens: 60,
        });

        expect(result).toMatchObject({ text: "The sea rises, a", finish_reason: "stop" });
      });

      test("thinking is not part of the answer", async () => {
        const { result } = await complete(target.models.thinks);
        const { result: omitted } = await complete(target.models.thinks, { reasoning: "omit" });

        expect(String(result["text"]).trim()).toBe(TEXTS.afterThought);
        expect(result["reasoning"]).toBe(target.can.tellThoughts ? TEXTS.thought : undefined);
        expect(omitted["reasoning"]).toBeUndefined();
      });

      test("an alias of two versions answers with the newest", async () => {
        const { secondVersion } = target.models;
        const model = target.can.load ? secondVersion.alias : secondVersion.id;

        const { result } = await host.complete({ prompt: "Which?", model });

        expect(result).toMatchObject({ model: secondVersion.id, text: TEXTS.secondVersion });
      });

      test("the older version answers to its id, or the error says why it cannot", async () => {
        const { firstVersion } = target.models;

        const answer = await complete(firstVersion);

        if (target.can.loadOlderVersion) {
          expect(answer.result).toMatchObject({ model: firstVersion.id, text: TEXTS.firstVersion });
        } else {
          expect(answer).toMatchObject({ isError: true, code: "UNSUPPORTED_BY_SERVER" });
        }
      });

      test("a model for another task is refused before it is loaded", async ({ skip }) => {
        if (!target.can.tellTasks) skip("this service tells no tasks");
        const { embeds } = target.models;

        const answer = await complete(embeds);

        expect(answer).toMatchObject({ isError: true, code: "MODEL_CANNOT_CHAT" });
        const { result } = await host.call("health_check");
        expect(result["loaded_models"]).not.toContain(embeds.id);
      });

      test("a model that is not downloaded is refused, and not downloaded", async () => {
        const answer = await complete(target.models.notCached);

        const code = target.can.load ? "MODEL_NOT_CACHED" : "MODEL_NOT_FOUND";
        expect(answer).toMatchObject({ isError: true, code, result: {} });
      });

      test("an unknown name is answered with the nearest that exist", async () => {
        const { ends } = target.models;

        const answer = await host.complete({ prompt: "Hello", model: "tiny-tolk" });

        expect(answer).toMatchObject({ isError: true, code: "MODEL_NOT_FOUND" });
        // Where the list has no alias, the error has a name without version and device.
        expect(answer.text).toContain(target.can.load ? `"${ends.alias}"` : '"tiny-talk"');
      });
    });

    describe("structured output", () => {
      const COLOUR = { enum: ["red", "green"] };
      const closed = { type: "object", additionalProperties: false };

      test("is a value of the schema where the service can enforce one, else a failure with the text", async () => {
        const { ends } = target.models;
        const asked = () =>
          complete(ends, {
            response_schema: { ...closed, properties: { colour: COLOUR }, required: ["colour"] },
          });

        if (!target.can.holdToSchema) {
          // This model writes nothing but its words.
          expect(await asked()).toMatchObject({
            code: "SCHEMA_MISMATCH",
            result: { status: "failed", text: TEXTS.ends, attempts: 3 },
          });
          return;
        }
        for (let count = 0; count < 20; count++) {
          const { result } = await asked();
          expect(result).toMatchObject({
            status: "completed",
            data: { colour: expect.stringMatching(/^(red|green)$/) },
          });
          expect(result["attempts"]).toBeUndefined();
        }
      });

      test("fits a schema with references, as the models of pydantic have them", async ({
        skip,
      }) => {
        if (!target.can.holdToSchema) skip("this service holds no answer to a schema");
        const { ends } = target.models;

        const { result } = await complete(ends, {
          response_schema: {
            $defs: { Colour: COLOUR },
            title: "Paint",
            ...closed,
            properties: {
              inside: { $ref: "#/$defs/Colour" },
              outside: { $ref: "#/$defs/Colour", description: "Of the wall" },
            },
            required: ["inside", "outside"],
          },
        });

        const colour = expect.stringMatching(/^(red|green)$/);
        expect(result).toMatchObject({
          status: "completed",
          data: { inside: colour, outside: colour },
        });
        expect(result["attempts"]).toBeUndefined();
      });
    });

    describe("tools", () => {
      const tools = [WEATHER.tool];
      const question = { role: "user", content: WEATHER.question };
      const call = { name: "get_weather", arguments: { city: "Zürich" } };
      const next = expect.stringContaining("Run the tool_calls");

      test("a tool call, then the answer to its result", async () => {
        const { callsTool } = target.models;
        const asked = await host.complete({ messages: [question], tools, model: callsTool.id });
        const { text, tool_calls, usage } = asked.result;
        const [{ id }] = [tool_calls].flat().map(Object);
        const result = { role: "tool", tool_call_id: id, content: WEATHER.result };

        const messages = [question, { role: "assistant", content: text, tool_calls }, result];
        const answered = await host.complete({ messages, tools, model: callsTool.id });

        expect(asked.result).toMatchObject({
          next,
          status: "completed",
          text: "",
          finish_reason: "tool_calls",
          tool_calls: [{ ...call, id: expect.stringMatching(/./) }],
        });
        expect(asked.isError).toBe(false);
        const { takeToolResults, readResultsInText, countTokens } = target.can;
        const isAnswer = takeToolResults || readResultsInText;
        expect(answered.result).toMatchObject(
          isAnswer
            ? { next: null, text: TEXTS.afterTool, finish_reason: "stop" }
            : { next, text: "", tool_calls: [call] },
        );
        expect("tool_calls" in answered.result).toBe(!isAnswer);
        const notes = [answered.result["notes"]].flat().join("\n");
        expect(notes.includes("drops the results of tools")).toBe(!takeToolResults);
        if (!countTokens) return;
        // A token a byte: the model was given the result.
        const added = Object(answered.result["usage"]).input_tokens - Object(usage).input_tokens;
        expect(added).toBeGreaterThanOrEqual(WEATHER.result.length);
      });

      test("an answer without a tool call, where the model makes none", async () => {
        const { result } = await complete(target.models.ends, { tools });

        expect(result).toMatchObject({ next: null, text: TEXTS.ends, finish_reason: "stop" });
        expect(result).not.toHaveProperty("tool_calls");
      });

      // The tokens of a forced call are random with these models: an enum bounds their number.
      const city = { enum: ["Zürich", "Bern"] };
      const days = { type: "array", items: { enum: [1, 2] }, maxItems: 1, uniqueItems: true };
      const ofCity = { type: "object", properties: { city }, required: ["city"] };
      const byReference = {
        ...ofCity,
        $defs: { City: city },
        properties: { city: { $ref: "#/$defs/City" }, days },
      };
      test.for([
        ["of the city", ofCity],
        ["with references", byReference],
      ] as const)("a forced call, by a schema %s", async ([, parameters]) => {
        const { result } = await host.complete({
          messages: [question],
          tools: [{ type: "function", function: { ...WEATHER.tool.function, parameters } }],
          tool_choice: "required",
          model: target.models.callsTool.id,
          max_tokens: 300,
          temperature: 1,
        });

        expect(result).toMatchObject({ next, status: "completed", text: "" });
        const [first] = [result["tool_calls"]].flat();
        expect(first).toMatchObject({
          name: "get_weather",
          arguments: { city: expect.stringMatching(/^(Zürich|Bern)$/) },
        });
        expect(first).not.toHaveProperty("error");
      });

      test("no call with tool_choice `none`", async () => {
        const { result } = await host.complete({
          messages: [question],
          tools,
          tool_choice: "none",
          model: target.models.callsTool.id,
        });

        expect(result).toMatchObject({ next: null, finish_reason: "stop" });
        expect(result).not.toHaveProperty("tool_calls");
      });
    });

    describe("embeddings", () => {
      const texts = ["The sea rises.", "A gull cries.", "Hello."];
      const embed = (model: TargetModel): Promise<Answer> =>
        host.call("embed", { texts, query: "A gull cries.", model: model.id });

      test("rank an equal text with a score above 0.99, or are refused as unsupported", async () => {
        const { embeds } = target.models;

        const answer = await embed(embeds);

        if (target.dialect === "S") {
          expect(answer.code).toBe("UNSUPPORTED_BY_SERVER");
          return;
        }
        expect(answer.code).toBeNull();
        const ranking = [answer.result["ranking"]].flat().map(Object);
        const equal = ranking.find(({ index }) => index === 1);
        expect(ranking).toHaveLength(3);
        expect(equal?.score).toBeGreaterThan(0.99);
        expect(equal?.score).toBe(Math.max(...ranking.map(({ score }) => score)));
      });

      test("are refused for a chat model, and the service stays usable", async () => {
        const { ends } = target.models;

        const refused = await embed(ends);
        const health = await host.call("health_check");

        expect(refused.code).toMatch(/^(MODEL_CANNOT_EMBED|UNSUPPORTED_BY_SERVER)$/);
        expect(health.result).toMatchObject({ status: "healthy" });
      });
    });

    describe("files", () => {
      test("are the source of an answer, an equal text with its lines first", async () => {
        const { ends, embeds } = target.models;
        const folder = await temporaryFolder("documents-");
        await writeFile(join(folder, "sea.txt"), "The sea rises.\nThe wind turns.\n");
        await writeFile(join(folder, "gull.txt"), "A gull cries.\n");
        const reader = await Host.start({
          FOUNDRY_ENDPOINT: target.endpoint,
          FOUNDRY_FILES: folder,
        });
        const makesVectors = target.dialect !== "S";
        const asked = { question: "A gull cries.", files: ["*.txt"], model: ends.id };
        try {
          const answer = await reader.call("ask_documents", {
            ...asked,
            ...(makesVectors && { embedding_model: embeds.id }),
          });

          expect(answer.result).toMatchObject({
            answer: TEXTS.ends,
            ranked_by: makesVectors ? ["embeddings", "words"] : ["words"],
          });
          const [first] = [answer.result["sources"]].flat().map(Object);
          expect(first).toMatchObject({ file: "gull.txt", lines: "1" });
          if (makesVectors) expect(first.score).toBeGreaterThan(0.99);
        } finally {
          await reader.close();
        }
      });
    });

    describe("stream with progress", () => {
      test("the text grows while it is generated, and its pieces add up to the answer", async () => {
        const notes: ProgressNote[] = [];

        const { result } = await host.complete(
          { prompt: "Go on.", model: target.models.slow.id, max_tokens: 40 },
          { onProgress: (note) => notes.push(note) },
        );

        const counts = notes.map(({ progress }) => progress);
        expect(counts).toEqual([...counts].sort((a, b) => a - b));
        const pieces = notes.filter(({ progress }) => Number.isInteger(progress));
        expect(pieces.length).toBeGreaterThan(1);
        // The SDK's client drops what comes in one piece with the answer, so the end may be missing.
        const streamed = pieces.map(({ message }) => message).join("");
        expect(String(result["text"]).slice(0, streamed.length)).toBe(streamed);
        expect(result).toMatchObject({ usage: { output_tokens: 40 } });
      });
    });

    describe("cancel", () => {
      test("ends the call, and the server goes on", async () => {
        const { slow, ends } = target.models;
        const cancel = new AbortController();
        const before = await cancelledSoFar(host);
        const writing = writingOf(
          host,
          { prompt: "Go on.", model: slow.id, max_tokens: 100 },
          cancel.signal,
        );
        await writing.hasBegun;

        cancel.abort("User pressed stop");

        await expect(writing.answer).rejects.toThrow();
        expect(await complete(ends)).toMatchObject({ text: TEXTS.ends });
        expect(await cancelledSoFar(host)).toBe(before + 1);
      });

      test("stops the generation, where the service supports that", async ({ skip }) => {
        if (!target.can.load || !target.can.stopWhenLeft) skip("this service writes on");
        const { slow } = target.models;
        const cancel = new AbortController();
        const writing = writingOf(
          host,
          { prompt: "Go on.", model: slow.id, max_tokens: 1000 },
          cancel.signal,
        );
        await writing.hasBegun;
        cancel.abort("User pressed stop");
        await expect(writing.answer).rejects.toThrow();

        // Well before a thousand tokens are over.
        await expect
          .poll(() => unload(slow), { timeout: 20_000, interval: 200 })
          .toMatchObject({
            isError: false,
            result: { status: "unloaded" },
          });
      });
    });

    describe("context overflow", () => {
      test("a prompt longer than the context is CONTEXT_LENGTH_EXCEEDED", async () => {
        const answer = await complete(target.models.smallContext, {
          prompt: "word ".repeat(300),
          max_tokens: 10,
        });

        expect(answer).toMatchObject({
          isError: true,
          code: "CONTEXT_LENGTH_EXCEEDED",
        });
        expect(answer.text).toContain("512");
      });

      test("the default length of an answer is reduced to the room in the context", async () => {
        const { result } = await complete(target.models.smallContext);

        expect(result).toMatchObject({ status: "completed", finish_reason: "length" });
        expect(result["notes"]).toContainEqual(expect.stringContaining("512 tokens"));
      });

      test("a length set by the caller is refused where the context has no room for it", async () => {
        const answer = await complete(target.models.smallContext, { max_tokens: 1000 });

        expect(answer).toMatchObject({ isError: true, code: "CONTEXT_LENGTH_EXCEEDED" });
      });
    });

    describe("a generation that fails midway", () => {
      test("is an error, not a short answer, and keeps the text so far", async () => {
        const answer = await complete(target.models.failsMidway);

        expect(answer).toMatchObject({
          isError: true,
          code: target.can.nameFailures ? "INFERENCE_FAILED" : "STREAM_INTERRUPTED",
          text: expect.stringContaining("The sea rises"),
          result: {
            status: "interrupted",
            text: expect.stringMatching(/^The sea rises/),
            next: expect.stringContaining("The same call "),
            notes: expect.arrayContaining([expect.stringContaining(`${answer.code}: `)]),
          },
        });
        expect(answer.result).not.toHaveProperty("finish_reason");
      });

      test("leaves the service usable, and only its model is reported as failing", async () => {
        await complete(target.models.failsMidway);

        expect(await complete(target.models.ends)).toMatchObject({ text: TEXTS.ends });
        const { result } = await host.call("health_check");
        const what = expect.stringContaining(`of ${target.models.failsMidway.id} failed`);
        expect(result).toMatchObject({ status: "degraded", problems: [{ what }] });
      });
    });

    describe("concurrent calls", () => {
      test("twenty calls each get their own answer", async () => {
        const { ends, secondVersion, forever } = target.models;
        const calls = Array.from({ length: 20 }, (_, index) => {
          if (index % 5 === 4) return complete(forever, { max_tokens: index });
          return complete(index % 2 === 0 ? ends : secondVersion);
        });

        const answers = await Promise.all(calls);

        for (const [index, { result }] of answers.entries()) {
          if (index % 5 === 4) {
            expect(result).toMatchObject({ model: forever.id, usage: { output_tokens: index } });
          } else {
            const text = index % 2 === 0 ? TEXTS.ends : TEXTS.secondVersion;
            expect(result).toMatchObject({ status: "completed", text });
          }
        }
      });

      test("twenty calls for one model that is not loaded load it once", async ({ skip }) => {
        if (!target.can.load) skip("this service loads by itself");
        const { slowLoad } = target.models;
        await unload(slowLoad);

        const answers = await Promise.all(Array.from({ length: 20 }, () => complete(slowLoad)));

        expect(answers.map(({ text }) => text)).toEqual(Array(20).fill(TEXTS.ends));
      });
    });

    test("the client of the SDK's next major version does the same job", async () => {
      const client = new Client(
        { name: "e2e", version: "1" },
        { versionNegotiation: { mode: "auto" } },
      );
      const { ends } = target.models;
      try {
        await client.connect(
          new StdioClientTransport({
            command: process.execPath,
            args: [MAIN],
            env: environmentWith({
              FOUNDRY_ENDPOINT: target.endpoint,
              FOUNDRY_LOG_LEVEL: "warn",
            }),
            stderr: "inherit",
          }),
        );
        const { tools } = await client.listTools();
        const notes: number[] = [];
        const answer = await client.callTool(
          { name: "complete", arguments: { prompt: "Hello", model: ends.id } },
          { onprogress: ({ progress }) => notes.push(progress) },
        );
        const health = await client.callTool({ name: "health_check", arguments: {} });

        expect(tools.map((tool) => tool.name)).toContain("complete");
        expect(answer.structuredContent).toMatchObject({ text: TEXTS.ends, model: ends.id });
        expect(notes.length).toBeGreaterThan(0);
        expect(health.structuredContent).toMatchObject({ status: "healthy" });
      } finally {
        await client.close();
      }
    });
  });
}

const ids = ({ id, alias }: TargetModel) => ({ id, alias });

async function cancelledSoFar(host: Host): Promise<number> {
  const { result } = await host.call("health_check");
  return Number(Object(result["totals"]).cancelled ?? 0);
}

async function stateOf({ client }: Host, id: unknown): Promise<Answer["result"]> {
  const { contents } = await client.readResource({ uri: `foundry://completions/${id}/state` });
  return JSON.parse(String(Object(contents[0]).text));
}

/** A health check every 100 ms, as long as the promise is pending. */
async function healthUntil(host: Host, end: Promise<unknown>): Promise<Answer["result"][]> {
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  const settled = end.then(over, over);
  const results: Answer["result"][] = [];
  do {
    results.push((await host.call("health_check")).result);
    await Promise.race([settled, delay(100)]);
  } while (!isOver);
  return results;
}

/** A running completion, and a promise of its first text. */
function writingOf(
  host: Host,
  given: Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
): { answer: Promise<Answer>; hasBegun: Promise<void> } {
  let begun = (): void => {};
  let failed = (_reason: unknown): void => {};
  const hasBegun = new Promise<void>((resolve, reject) => {
    begun = resolve;
    failed = reject;
  });
  const answer = host.complete(given, {
    ...(signal && { signal }),
    onProgress: ({ progress }) => {
      if (progress >= 1 && Number.isInteger(progress)) begun();
    },
  });
  // A completion that ends before its first text will never have one.
  answer.then(({ text }) => failed(new Error(`it ended at once: ${text}`)), failed);
  hasBegun.catch(() => {});
  return { answer, hasBegun };
}
