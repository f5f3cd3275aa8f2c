import { expect, test } from "vitest";
import { dataUrl, PNG } from "../foundry/images.js";
import { temporaryFolder } from "../temporary-folder.js";
import { chatRequest, hostOn, simulated } from "./simulated.js";

const SEER = "seer-generic-cpu:1";
const READER = "reader-generic-cpu:1";
const messages = [
  {
    role: "user",
    content: [
      { type: "text", text: "What is it?" },
      { type: "image", data: PNG, mimeType: "image/png" },
    ],
  },
];

test("auto sends an image to a model that accepts images", async () => {
  const models = [
    { id: READER, loaded: true },
    { id: SEER, task: "vision-language-chat", script: { text: "A dot." } },
  ];
  const modelCachePath = await temporaryFolder("cache-");
  const simulator = await simulated({ models, modelCachePath });
  const host = await hostOn(simulator.url);

  const { result, text } = await host.complete({ messages, model: "auto" });
  const refused = await host.complete({ messages, model: READER });

  expect(result).toMatchObject({ text: "A dot.", model: SEER });
  expect(text).toContain("takes images");
  const sent = simulator.requests.find(
    ({ path, method }) => path.endsWith("/responses") && method === "POST",
  );
  expect(JSON.stringify(sent?.body)).toContain(dataUrl(PNG));
  expect(refused.code).toBe("MODEL_CANNOT_SEE");
});

test("an image in messages is sent to an engine in the form of the OpenAI API, in front of the prompt", async () => {
  const simulator = await simulated({ dialect: "openai", models: [{ id: "vlm:1" }] });
  const host = await hostOn(simulator.url);
  const { isError } = await host.complete({ prompt: "In one word?", messages, model: "vlm:1" });
  expect(isError).toBe(false);
  expect(Object(chatRequest(simulator).body).messages).toEqual([
    {
      role: "user",
      content: [
        { type: "text", text: "What is it?" },
        { type: "image_url", image_url: { url: dataUrl(PNG) } },
      ],
    },
    { role: "user", content: "In one word?" },
  ]);
});
