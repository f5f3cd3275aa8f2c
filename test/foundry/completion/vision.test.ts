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

  it("stay in their places where the system text is sent in front of them", async () => {
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
  ])("are MODEL_CANNOT_SEE where the engine says: %s", async (message) => {
    const engine = await chatEngine(() => json({ error: { message } }, 400));
    await expect(
      clientOf(engine.url).complete({ model: "m", messages: MESSAGES }),
    ).rejects.toMatchObject({ code: "MODEL_CANNOT_SEE" });
  });
});
