import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { answerLong } from "../../src/documents/index.js";
import { jsonFrom } from "../../src/lib/index.js";
import { askedOf, clientOf, simulate } from "../foundry/fixtures.js";
import { httpServer } from "../http/servers.js";
import { CHATTER, composed, finder, linesWith, type Script, textOf } from "./fixtures.js";

const CHATS = "/v1/chat/completions";

const OVERFLOW = {
  error: {
    message:
      "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens.",
    code: "context_length_exceeded",
  },
};

/** An engine that answers each chat with these events, and keeps the bodies. */
async function engine(eventsFor: (body: { max_tokens: number }) => readonly unknown[]) {
  const asked: { max_tokens: number }[] = [];
  const { baseUrl } = await httpServer(async (request, response) => {
    if (request.method !== "POST") {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ data: [{ id: CHATTER }] }));
      return;
    }
    const body = Object(jsonFrom(await text(request)));
    asked.push(body);
    response.setHeader("content-type", "text/event-stream");
    for (const event of eventsFor(body)) {
      response.write(`data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`);
    }
    response.end();
  });
  return { baseUrl, asked };
}

const modelOf = (script: Script, contextLength = 4096) => [
  { id: CHATTER, loaded: true, contextLength, script },
];

const REQUEST = { prompt: "Which secret does it have?" };

describe.each(["C1", "C2", "openai"] as const)("a request about long texts on %s", (dialect) => {
  it("is one completion where the texts fit", async () => {
    const service = await simulate({ dialect, models: modelOf(finder) });
    const client = clientOf(service.url);
    const texts = [textOf("a.txt", "The secret is amber.\n"), textOf("b.txt", "Nothing here.\n")];

    const { state } = await composed(client, answerLong(client, { request: REQUEST, texts }));

    expect(state).toMatchObject({ status: "completed", text: "The secret is amber." });
    expect(state.details).toBeUndefined();
    expect(askedOf(service, CHATS)).toHaveLength(1);
  });

  it("is answered in parts where the texts do not fit, and the answers are joined", async () => {
    const service = await simulate({ dialect, models: modelOf(finder) });
    const client = clientOf(service.url);
    const texts = [textOf("log.txt", linesWith("The secret is amber.", 1500, 2000))];

    const { state, steps } = await composed(
      client,
      answerLong(client, { request: REQUEST, texts }),
    );

    expect(state).toMatchObject({ status: "completed", text: "The secret is amber." });
    const parts = state.details?.members["parts"];
    expect(parts).toBeGreaterThan(5);
    expect(steps).toContain(`Part 1 of ${parts}`);
    expect(steps).toContain(`Part ${parts} of ${parts}`);
    expect(steps).toContain("Joining the answers");
    expect(state.usage.inputTokens).toBeGreaterThan(20_000);
  });
});

describe("a request about long texts", () => {
  it.each([
    ["a part", linesWith("The secret is amber.", 1500, 2000)],
    ["the whole", "The secret is amber."],
  ])("counts no tokens for %s that was not sent", async (_, written) => {
    const models = modelOf({ text: "On and on. ", forever: true });
    const service = await simulate({ models, tokensPerSecond: 20 });
    const client = clientOf(service.url, { concurrency: 1, queueLimit: 0 });
    client.completions.start({ prompt: "Go", model: CHATTER, maxTokens: 4000 });
    await expect.poll(() => askedOf(service, CHATS)).toHaveLength(1);
    const texts = [textOf("log.txt", written)];
    const request = { ...REQUEST, model: CHATTER };

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state).toMatchObject({ error: { code: "QUEUE_FULL" }, usage: { inputTokens: null } });
  });

  it.each([{ model: "auto" }, { models: ["none", CHATTER] }, { model: "docs" }])(
    "is answered in parts with the model of %j",
    async (named) => {
      const service = await simulate({ models: modelOf(finder) });
      const client = clientOf(service.url, { routes: { docs: { model: CHATTER } } });
      const texts = [textOf("log.txt", linesWith("The secret is amber.", 1500, 2000))];

      const { state } = await composed(
        client,
        answerLong(client, { request: { ...REQUEST, ...named }, texts }),
      );

      expect(state).toMatchObject({ text: "The secret is amber.", model: CHATTER });
      expect(state.details?.members["parts"]).toBeGreaterThan(5);
    },
  );

  it("is answered in one piece where auto can choose a model that holds all of it", async () => {
    const wide = { id: "wide-generic-cpu:1", contextLength: 131_072, script: finder };
    const service = await simulate({ models: [...modelOf(finder), wide] });
    const client = clientOf(service.url);
    const texts = [textOf("log.txt", linesWith("The secret is amber.", 1500, 2000))];
    const request = { ...REQUEST, model: "auto" };

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state).toMatchObject({ text: "The secret is amber.", model: wide.id });
    expect(state.details).toBeUndefined();
  });

  it("uses one model for all parts, whatever auto would choose for a single part", async () => {
    const coder = { id: "qwen2.5-coder-generic-cpu:1", contextLength: 4096, script: finder };
    const service = await simulate({ models: [...modelOf(finder), coder] });
    const client = clientOf(service.url);
    const code = "```ts\nconst weather = 'as usual';\n```\n".repeat(400);
    const texts = [
      textOf("a.md", linesWith("The secret is amber.", 400, 500)),
      textOf("b.md", code),
    ];
    const request = { ...REQUEST, model: "auto" };

    const { state } = await composed(client, answerLong(client, { request, texts }));

    const bodies = askedOf(service, CHATS).map(({ body }) => Object(body).model);
    expect(state.text).toBe("The secret is amber.");
    expect(bodies.length).toBeGreaterThan(3);
    expect(new Set(bodies).size).toBe(1);
  });

  it("applies the settings of its route once, also where the route names another one", async () => {
    const service = await simulate({ models: modelOf(finder) });
    const client = clientOf(service.url, {
      routes: { docs: { model: "auto" }, auto: { model: "none" } },
    });
    const texts = [textOf("a.txt", "The secret is amber.\n")];
    const request = { ...REQUEST, model: "docs" };

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state.text).toBe("The secret is amber.");
  });

  it("joins the answers in groups while they do not all fit", async () => {
    const talker: Script = ({ text }) => ({
      text: text.includes("read in parts") ? "Joined." : "word ".repeat(400),
    });
    const service = await simulate({ models: modelOf(talker, 2048) });
    const client = clientOf(service.url);
    const texts = [textOf("log.txt", linesWith("x", 1, 700))];

    const { state, steps } = await composed(
      client,
      answerLong(client, { request: { prompt: "Summarise it." }, texts }),
    );

    expect(state).toMatchObject({ status: "completed", text: "Joined.", error: null });
    expect(steps.some((step) => /^Joining the answers, 2 of \d+$/.test(step))).toBe(true);
  });

  it("packs short files into one part", async () => {
    const service = await simulate({ models: modelOf(finder) });
    const client = clientOf(service.url);
    const texts = Array.from({ length: 60 }, (_none, index) =>
      textOf(`${index}.txt`, linesWith(index === 40 ? "The secret is jade." : "x", 3, 10)),
    );

    const { state } = await composed(client, answerLong(client, { request: REQUEST, texts }));

    expect(state.text).toBe("The secret is jade.");
    expect(state.details?.members["parts"]).toBeLessThan(20);
  });

  it("halves a part that the tokenizer of the model makes too long", async () => {
    const models = [
      { id: CHATTER, loaded: true, contextLength: 4096, script: finder, tokenizer: "bytes" },
    ] as const;
    const service = await simulate({ models });
    const client = clientOf(service.url);
    const texts = [textOf("log.txt", linesWith("The secret is onyx.", 150, 300))];

    const { state } = await composed(client, answerLong(client, { request: REQUEST, texts }));

    expect(state).toMatchObject({ status: "completed", text: "The secret is onyx." });
  });

  it("keeps the conversation, the schema for the last answer, and the turns of messages", async () => {
    const script: Script = ({ text }) => ({
      text: text.includes("read in parts") ? '{"secret":"amber"}' : "The secret is amber.",
    });
    const service = await simulate({ models: modelOf(script) });
    const client = clientOf(service.url);
    const texts = [textOf("log.txt", linesWith("The secret is amber.", 5, 400))];
    const request = {
      messages: [
        { role: "user", content: "Hello" },
        { role: "assistant", content: "Hi" },
        { role: "user", content: "Which secret?" },
      ],
      schema: { type: "object", properties: { secret: { type: "string" } }, required: ["secret"] },
    } as const;

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state).toMatchObject({ status: "completed", data: { secret: "amber" } });
  });

  it("fails with the error of a part, and requests no further part", async () => {
    const failing: Script = ({ text }) =>
      text.includes("part 3 of") ? { failAfterTokens: 0 } : { text: "Fine." };
    const service = await simulate({ dialect: "C1", models: modelOf(failing) });
    const client = clientOf(service.url, { retry: { retries: 0 } });
    const texts = [textOf("log.txt", linesWith("x", 1, 2000))];

    const { state } = await composed(client, answerLong(client, { request: REQUEST, texts }));

    expect(state).toMatchObject({ status: "failed", error: { code: expect.any(String) } });
    expect(askedOf(service, CHATS).length).toBeLessThan(8);
  });

  it("waits for its turn in a batch after a failure, and repeats only the failed part", async () => {
    let turns = 0;
    const gate = {
      turn: async () => {
        turns += 1;
      },
      mayWait: () => turns === 1,
      met: () => {},
      reached: () => {},
    };
    const failing: Script = ({ text }) => {
      if (text.includes("part 3 of") && turns === 1) return { failAfterTokens: 0 };
      return { text: text.includes("secret is amber") ? "The secret is amber." : "NOTHING" };
    };
    const service = await simulate({ dialect: "C1", models: modelOf(failing) });
    const client = clientOf(service.url, { retry: { retries: 0 } });
    const texts = [textOf("log.txt", linesWith("The secret is amber.", 1500, 2000))];
    const open = answerLong(client, { request: REQUEST, texts });

    const { state } = await composed(client, (parts) => open({ ...parts, gate }));

    expect(state).toMatchObject({ status: "completed", text: "The secret is amber." });
    expect(turns).toBe(2);
    const asked = askedOf(service, CHATS).map(({ body }) => JSON.stringify(body));
    const times = (part: number) => asked.filter((body) => body.includes(`part ${part} of`)).length;
    expect([1, 2, 4, 5].map(times)).toEqual([1, 1, 1, 1]);
  });

  it("continues in a batch after the service was gone during a part", async () => {
    const service = await simulate({ dialect: "C1", models: modelOf(finder) });
    const client = clientOf(service.url, { retry: { retries: 0 } });
    const texts = [textOf("log.txt", linesWith("The secret is amber.", 1500, 2000))];
    const open = answerLong(client, { request: REQUEST, texts });
    const batch = client.batches.start([open]);

    await service.waitFor(() => askedOf(service, CHATS).length >= 4);
    await service.stop();
    await expect.poll(() => batch.outage?.code).toBe("SERVICE_UNREACHABLE");
    await service.start();
    await expect.poll(() => batch.hasEnded).toBe(true);

    const texted = [...batch.ready()].map(({ state }) => state.text);
    expect(texted).toEqual(["The secret is amber."]);
  });

  it("waits in a batch for a service that was gone before its first token", async () => {
    const service = await simulate({ models: modelOf(finder) });
    const answerAgain = service.addFault({ kind: "hang", on: { path: CHATS } });
    const client = clientOf(service.url, { retry: { retries: 0 } });
    const texts = [textOf("log.txt", linesWith("The secret is amber.", 1500, 2000))];
    const open = answerLong(client, { request: REQUEST, texts });
    const batch = client.batches.start([open, open]);

    await service.waitFor(() => askedOf(service, CHATS).length > 0);
    await service.stop();
    await expect.poll(() => batch.outage?.code).toBeDefined();
    answerAgain();
    await service.start();
    await expect.poll(() => batch.hasEnded).toBe(true);

    const texted = [...batch.ready()].map(({ state }) => state.text);
    expect(texted).toEqual(["The secret is amber.", "The secret is amber."]);
  });

  it("leaves room for the answer in the context, whatever max_tokens is", async () => {
    const service = await simulate({ dialect: "C1", models: modelOf(finder) });
    const client = clientOf(service.url);
    const texts = [textOf("log.txt", linesWith("The secret is amber.", 1500, 2000))];
    const request = { ...REQUEST, maxTokens: 4096 };

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state).toMatchObject({ status: "completed", text: "The secret is amber." });
    expect(state.warnings).toEqual([
      expect.stringMatching(/^The answer had at most 1024 tokens instead of 4096,/),
    ]);
  });

  it("fails where the answers for the parts never fit together", async () => {
    const asked: unknown[] = [];
    const { baseUrl } = await httpServer(async (request, response) => {
      const body = request.method === "POST" ? jsonFrom(await text(request)) : null;
      const { max_tokens: maxTokens } = Object(body);
      response.setHeader("content-type", "application/json");
      if (body !== null) asked.push(maxTokens);
      // Only the last request has the limit of the caller.
      const isLast = maxTokens === 1000;
      if (isLast) response.statusCode = 400;
      const message = { role: "assistant", content: "word ".repeat(60) };
      const answer = isLast ? OVERFLOW : { choices: [{ message, finish_reason: "stop" }] };
      response.end(JSON.stringify(body === null ? { data: [{ id: CHATTER }] } : answer));
    });
    const client = clientOf(baseUrl);
    const texts = [textOf("log.txt", linesWith("x", 1, 2000))];
    const request = { ...REQUEST, maxTokens: 1000 };

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state).toMatchObject({ error: { code: "CONTEXT_LENGTH_EXCEEDED" } });
    expect(asked.filter((tokens) => tokens !== 1000).length).toBeGreaterThan(5);
  });

  it("is not sent again after the first token of its answer, with what came as its text", async () => {
    const piece = { choices: [{ delta: { content: "The secret" } }] };
    const { baseUrl, asked } = await engine(() => [piece, OVERFLOW]);
    const client = clientOf(baseUrl);
    const texts = [textOf("a.txt", linesWith("x", 1, 20))];

    const { state } = await composed(client, answerLong(client, { request: REQUEST, texts }));

    expect(state).toMatchObject({
      status: "interrupted",
      text: "The secret",
      error: { code: "CONTEXT_LENGTH_EXCEEDED" },
    });
    expect(asked).toHaveLength(1);
  });

  it("says only the token limit that the answer had, where several are tried", async () => {
    const { baseUrl, asked } = await engine(({ max_tokens: maxTokens }) =>
      maxTokens > 1024 ? [OVERFLOW] : [{ choices: [{ delta: { content: "Fine." } }] }, "[DONE]"],
    );
    const client = clientOf(baseUrl);
    const texts = [textOf("a.txt", linesWith("x", 1, 20))];
    const request = { ...REQUEST, maxTokens: 4096 };

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state).toMatchObject({ status: "completed", text: "Fine." });
    expect(asked.slice(0, 2)).toEqual([
      expect.objectContaining({ max_tokens: 4096 }),
      expect.objectContaining({ max_tokens: expect.closeTo(3500, -3) }),
    ]);
    expect(state.warnings).toEqual([
      expect.stringMatching(/^The answer had at most 1024 tokens instead of 4096,/),
    ]);
  });

  it("says the token limit of an answer that is interrupted", async () => {
    const piece = { choices: [{ delta: { content: "The secret" } }] };
    const { baseUrl } = await engine(({ max_tokens: maxTokens }) =>
      maxTokens === 4096 ? [OVERFLOW] : [piece, OVERFLOW],
    );
    const client = clientOf(baseUrl);
    const texts = [textOf("a.txt", linesWith("x", 1, 20))];
    const request = { ...REQUEST, model: CHATTER, maxTokens: 4096 };

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state).toMatchObject({ status: "interrupted", text: "The secret" });
    expect(state.warnings).toEqual([
      expect.stringMatching(/^The answer had at most \d+ tokens instead of 4096,/),
    ]);
  });

  it("asks a service that does not answer no more often than a completion does", async () => {
    let connections = 0;
    const { baseUrl } = await httpServer(({ socket }) => {
      connections += 1;
      socket.destroy();
    });
    const request = { ...REQUEST, model: CHATTER };
    await expect(clientOf(baseUrl).complete(request)).rejects.toThrow();
    const ofCompletion = connections;
    const client = clientOf(baseUrl);
    const texts = [textOf("a.txt", "The secret is amber.\n")];

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state).toMatchObject({ error: { code: "SERVICE_UNREACHABLE" } });
    expect(connections - ofCompletion).toBe(ofCompletion);
  });

  it("is one request beside an image, which does not count as text", async () => {
    const service = await simulate({ dialect: "openai", models: modelOf(finder) });
    const client = clientOf(service.url);
    const png = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(90_000)]);
    const url = `data:image/png;base64,${png.toString("base64")}`;
    const content = ["Which secret?", { type: "image_url" as const, image_url: { url } }];
    const texts = [textOf("a.txt", "The secret is amber.\n")];
    const request = { messages: [{ role: "user" as const, content }] };

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state).toMatchObject({ status: "completed", text: "The secret is amber." });
    expect(askedOf(service, CHATS)).toHaveLength(1);
  });

  it.each([
    ["a schema", { schema: { type: "strng" } }],
    ["the choice of a tool", { toolChoice: "required" as const }],
    ["a schema without room", { schema: { type: "object", description: "word ".repeat(9000) } }],
  ])("is refused for %s before its first part", async (_what, wrong) => {
    const service = await simulate({ models: modelOf(finder) });
    const client = clientOf(service.url);
    const texts = [textOf("log.txt", linesWith("x", 1, 2000))];
    const request = { ...REQUEST, ...wrong };

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state).toMatchObject({ status: "failed", error: { retryable: false } });
    expect(askedOf(service, CHATS)).toHaveLength(0);
  });

  it.each([undefined, "off"] as const)(
    "warns about a thinking model only where the caller set reasoning: %s",
    async (reasoning) => {
      const thinker: Script = { think: "Hm.", text: "Something." };
      const service = await simulate({ dialect: "openai", models: modelOf(thinker) });
      const texts = [textOf("log.txt", linesWith("The secret is amber.", 1500, 2000))];
      const client = clientOf(service.url);

      const request = { ...REQUEST, reasoning };
      const { state } = await composed(client, answerLong(client, { request, texts }));

      expect(state.warnings.filter((each) => each.includes("reasoning is off"))).toHaveLength(
        reasoning === "off" ? 1 : 0,
      );
    },
  );

  it("is stopped between its parts, and requests no further part", async () => {
    const service = await simulate({
      dialect: "C1",
      models: modelOf({ text: "word ".repeat(50) }),
    });
    const client = clientOf(service.url);
    const texts = [textOf("log.txt", linesWith("x", 1, 4000))];
    const open = answerLong(client, { request: REQUEST, texts });
    const { state } = client.completions.begin({ prompt: "key" }, { open });
    const third = new Promise<void>((resolve) => {
      void client.completions.wait(state.id, {
        onEvent: (event) =>
          void (event.type === "news" && /^Part 3/.test(event.news.message) && resolve()),
      });
    });
    await third;

    const { state: stopped } = await client.completions.cancel(state.id);

    expect(stopped).toMatchObject({ status: "cancelled", error: { code: "CANCELLED" } });
    expect(askedOf(service, CHATS).length).toBeLessThan(6);
  });

  it("is refused where the request alone fills the context, and where there are too many parts", async () => {
    const service = await simulate({ models: modelOf(finder, 1024) });
    const client = clientOf(service.url);
    const texts = [textOf("log.txt", linesWith("x", 1, 2000))];
    const request = { prompt: "word ".repeat(900) };

    const { state } = await composed(client, answerLong(client, { request, texts }));

    expect(state).toMatchObject({
      status: "failed",
      error: { code: "CONTEXT_LENGTH_EXCEEDED", message: expect.stringContaining("no room") },
    });
    expect(askedOf(service, CHATS)).toHaveLength(0);
  });
});
