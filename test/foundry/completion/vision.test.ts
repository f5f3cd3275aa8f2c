import { describe, expect, it } from "vitest";
import type { CompletionMessage } from "../../../src/index.js";
import { chatEngine, events, json } from "../dialects/chat-engine.js";
import { askedOf, clientOf, simulate } from "../fixtures.js";
import { dataUrl, GIF, PNG } from "../images.js";

const MESSAGES: CompletionMessage[] = [
  {
    role: "user",
    content: [
      { type: "text", text: "Compare" },
      { type: "image_url", image_url: { url: dataUrl(PNG) } },
      { type: "image", data: GIF, mimeType: "image/gif" },
      { type: "text", text: "in one word." },
    ],
  },
];
const image = (data: string, mimeType: string) => ({
  type: "image_url",
  image_url: { url: dataUrl(data, mimeType) },
});

describe("images on an OpenAI-compatible engine", () => {
  it("are sent in their places", async () => {
    const simulator = await simulate({ dialect: "openai", models: [{ id: "vlm:1" }] });
    await clientOf(simulator.url).complete({ messages: MESSAGES, system: "Be brief." });
    const [chat] = askedOf(simulator, "/v1/chat/completions");
    expect(Object(chat?.body).messages).toEqual([
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: [
          { type: "text", text: "Compare" },
          image(PNG, "image/png"),
          image(GIF, "image/gif"),
          { type: "text", text: "\nin one word." },
        ],
      },
    ]);
  });

  it("stay in their places behind a system text", async () => {
    const engine = await chatEngine((body) =>
      Object(body).messages[0].role === "system"
        ? json({ error: { message: "System role not supported" } }, 400)
        : events({ choices: [{ delta: { content: "Same." }, finish_reason: "stop" }] }),
    );
    await clientOf(engine.url).complete({ model: "m", messages: MESSAGES, system: "Be brief." });
    expect(Object(engine.chats.at(-1)).messages).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "Be brief.\n\nCompare" },
          image(PNG, "image/png"),
          image(GIF, "image/gif"),
          { type: "text", text: "\nin one word." },
        ],
      },
    ]);
  });

  it.each([
    "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
    "vlm:1 is not a multimodal model",
    "At most 0 image(s) may be provided in one prompt.",
    "Model does not support images. Please use a model that does.",
    "this model is missing data required for image input",
    "Error in iterating prediction stream: ValueError: Vision add-on is not loaded, but images were provided for processing",
    "Vision model is not loaded. Cannot process images.",
    "Only 'text' content type is supported.",
    `'[{"type": "text"}]' is not of type 'string' - 'content'`,
    "Failed to deserialize the JSON body into the target type: messages[1]: unknown variant `image_url`, expected `text` at line 1 column 746109",
  ])("are MODEL_CANNOT_SEE where the engine says: %s", async (message) => {
    const engine = await chatEngine(() => json({ error: { message } }, 400));
    await expect(
      clientOf(engine.url).complete({ model: "m", messages: MESSAGES }),
    ).rejects.toMatchObject({ code: "MODEL_CANNOT_SEE" });
  });
});

const SEER = { id: "seer-generic-cpu:1", task: "vision-language-chat", loaded: true };
const READER = { id: "reader-generic-cpu:1", task: "chat-completion", loaded: true };
const foundry = [
  ["C1", { dialect: "C1" }],
  ["C2 2.0.1", { dialect: "C2", version: "2.0.1" }],
  ["C2 2.2.1", { dialect: "C2" }],
] as const;

describe("images for a model of the user's own, whose task is in no catalog,", () => {
  it.each([
    ["2.0.1", "onnx_chat_generator.cc:266 image or audio input requires a multimodal model"],
    ["2.2.1", "session.cc:189 IMAGE input is not supported by model task 'chat-completion'"],
  ])("are MODEL_CANNOT_SEE where core %s refuses them", async (version, message) => {
    const simulator = await simulate({ version, models: [SEER] });
    simulator.addFault({ kind: "error-event", message, on: { path: "/v1/responses" } });
    const asking = clientOf(simulator.url).complete({ messages: MESSAGES, model: SEER.id });
    await expect(asking).rejects.toMatchObject({ code: "MODEL_CANNOT_SEE" });
  });
});

describe.each(foundry)("images on %s", (_name, options) => {
  it("are sent to the route that supports them", async () => {
    const models = [{ ...SEER, script: { text: "A cat and a dog." } }];
    const simulator = await simulate({ ...options, models });
    const answer = await clientOf(simulator.url).complete({
      messages: MESSAGES,
      model: SEER.id,
      system: "Be brief.",
      temperature: 0,
      maxTokens: 50,
    });
    expect(answer).toMatchObject({
      text: "A cat and a dog.",
      finishReason: "stop",
      model: SEER.id,
      usage: { outputTokens: expect.any(Number), estimated: false },
      warnings: [],
    });
    expect(askedOf(simulator, "/v1/chat/completions")).toEqual([]);
    const [request] = askedOf(simulator, "/v1/responses").filter(({ method }) => method === "POST");
    expect(request?.body).toMatchObject({
      model: SEER.id,
      temperature: 0,
      max_output_tokens: 50,
      stream: true,
      store: false,
      input: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "input_text", text: "Compare" },
            { type: "input_image", image_url: dataUrl(PNG), media_type: "image/png" },
            { type: "input_image", image_url: dataUrl(GIF, "image/gif") },
            { type: "input_text", text: "\nin one word." },
          ],
        },
      ],
    });
  });

  it("may get an answer that is cut off at its limit, with that finish_reason", async () => {
    const models = [{ ...SEER, script: { text: "On and on. ", forever: true } }];
    const simulator = await simulate({ ...options, models });
    const answer = await clientOf(simulator.url).complete({ messages: MESSAGES, maxTokens: 5 });
    expect(answer.finishReason).toBe("length");
  });

  it("work with a schema and with tools, which the system text describes", async () => {
    const tool = { type: "function" as const, function: { name: "name_it" } };
    const models = [
      {
        ...SEER,
        script: ({ messages }: { messages: readonly { content: string }[] }) =>
          messages[0]?.content.includes("name_it") === true
            ? { text: '<tool_call>\n{"name":"name_it","arguments":{}}\n</tool_call>' }
            : { text: '{"animal":"cat"}' },
      },
    ];
    const simulator = await simulate({ ...options, models });
    const client = clientOf(simulator.url);
    const schema = { type: "object", properties: { animal: { type: "string" } } };
    const valued = await client.complete({ messages: MESSAGES, model: SEER.id, schema });
    expect(valued).toMatchObject({ data: { animal: "cat" }, method: "instructed" });
    const asked = { messages: MESSAGES, model: SEER.id, tools: [tool] };
    const called = await client.complete(asked);
    expect(called.toolCalls).toMatchObject([{ name: "name_it" }]);
    expect(called.warnings).toEqual([expect.stringContaining("the system text describes them")]);
  });

  it("are an error where the model fails", async () => {
    const failing = { text: "x", failAfterTokens: 0, failure: "the image is too large" };
    const simulator = await simulate({ ...options, models: [{ ...SEER, script: failing }] });
    await expect(
      clientOf(simulator.url, { retry: { retries: 0 } }).complete({ messages: MESSAGES }),
    ).rejects.toMatchObject({ message: expect.stringContaining("the image is too large") });
  });

  it("are refused before anything is sent for a model without vision", async () => {
    const simulator = await simulate({ ...options, models: [READER] });
    await expect(
      clientOf(simulator.url).complete({ messages: MESSAGES, model: READER.id }),
    ).rejects.toMatchObject({
      code: "MODEL_CANNOT_SEE",
      message: `${READER.id} takes no images. Nothing was sent.`,
    });
    expect(simulator.requests.filter(({ method }) => method === "POST")).toEqual([]);
  });

  it("select a model with vision, by auto and in an order of preference", async () => {
    const models = [READER, { ...SEER, loaded: false }];
    const simulator = await simulate({ ...options, models });
    const client = clientOf(simulator.url);
    const auto = await client.complete({ messages: MESSAGES, model: "auto" });
    expect(auto).toMatchObject({
      model: SEER.id,
      warnings: [expect.stringContaining("takes images")],
    });
    const ordered = await client.complete({ messages: MESSAGES, models: [READER.id, SEER.id] });
    expect(ordered).toMatchObject({
      model: SEER.id,
      warnings: [expect.stringContaining("takes no images")],
    });
  });
});

describe("images on the service of the old command line", () => {
  it("are refused before anything is sent", async () => {
    const simulator = await simulate({ dialect: "S", models: [SEER] });
    await expect(
      clientOf(simulator.url).complete({ messages: MESSAGES, model: SEER.id }),
    ).rejects.toMatchObject({ code: "MODEL_CANNOT_SEE" });
    expect(askedOf(simulator, "/v1/chat/completions")).toEqual([]);
  });
});
