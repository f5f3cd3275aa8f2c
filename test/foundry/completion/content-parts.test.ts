import { describe, expect, it } from "vitest";
import { prepareMessages, readContent } from "../../../src/foundry/completion/request.js";
import { clientOf } from "../fixtures.js";
import { dataUrl, GIF, JPEG, PNG, WEBP } from "../images.js";

const text = (words: string) => ({ type: "text" as const, text: words });
const url = (address: string) => ({ type: "image_url" as const, image_url: { url: address } });

describe("the content of a message", () => {
  it.each<[string, unknown, object]>([
    ["a string", "Hi", { text: "Hi", images: [] }],
    ["nothing", null, { text: "", images: [] }],
    ["text", [text("Hi"), text("there")], { text: "Hi\nthere", images: [] }],
    ["strings", ["Hi", text("there")], { text: "Hi\nthere", images: [] }],
    [
      "an image of the OpenAI API",
      [url(dataUrl(PNG))],
      { text: "", images: [{ mimeType: "image/png", data: PNG, at: 0 }] },
    ],
    [
      "a URL without an object",
      [{ type: "image_url", image_url: dataUrl(PNG) }],
      { images: [{ mimeType: "image/png", data: PNG }] },
    ],
    [
      "an image of MCP",
      [{ type: "image", data: JPEG, mimeType: "image/jpeg" }],
      { images: [{ mimeType: "image/jpeg", data: JPEG }] },
    ],
    ["a GIF", [{ type: "image", data: GIF }], { images: [{ mimeType: "image/gif" }] }],
    ["a WebP", [{ type: "image", data: WEBP }], { images: [{ mimeType: "image/webp" }] }],
    [
      "an image with a wrong type, which its bytes correct",
      [url(dataUrl(JPEG, "image/png"))],
      { images: [{ mimeType: "image/jpeg" }] },
    ],
    [
      "base64 with line breaks and without padding",
      [{ type: "image", data: `${PNG.slice(0, 40)}\r\n${PNG.slice(40).replaceAll("=", "")}` }],
      { images: [{ data: PNG }] },
    ],
    [
      "text around images",
      [text("First"), url(dataUrl(PNG)), text("Second"), url(dataUrl(GIF))],
      { text: "First\nSecond", images: [{ at: 5 }, { at: 12 }] },
    ],
  ])("is read as %s", (_what, content, expected) => {
    expect(readContent(content)).toMatchObject(expected);
  });

  it.each<[string, unknown, readonly (string | number)[], string]>([
    [
      "an address",
      [url("https://example.org/a.png")],
      [0, "image_url", "url"],
      "Nothing is fetched",
    ],
    [
      "an address of a file",
      [url("file:///etc/passwd")],
      [0, "image_url", "url"],
      "Nothing is fetched",
    ],
    ["a data URL without base64", [url("data:image/png,abc")], [0, "image_url", "url"], "base64"],
    ["an empty URL", [url("")], [0, "image_url", "url"], "base64"],
    ["no URL", [{ type: "image_url" }], [0, "image_url"], "base64"],
    ["wrong base64", [{ type: "image", data: `${PNG.slice(0, 60)}!!!!` }], [0, "data"], "base64"],
    ["base64 that is cut", [{ type: "image", data: "iVBORw0KG" }], [0, "data"], "base64"],
    ["text as an image", [{ type: "image", data: "SGVsbG8gd29ybGQh" }], [0, "data"], "PNG, JPEG"],
    ["a PDF", [{ type: "image", data: "JVBERi0xLjcKJeLjz9MK" }], [0, "data"], "PNG, JPEG"],
    ["no data", [{ type: "image" }], [0, "data"], "PNG, JPEG"],
    [
      "an image of 20 MB",
      [text("a"), { type: "image", data: PNG + "A".repeat(28_000_000) }],
      [1, "data"],
      "at most 10 MB; this one has about 20 MB",
    ],
    ["audio", [{ type: "input_audio", input_audio: {} }], [0, "type"], "Audio is not supported"],
    ["audio of MCP", [{ type: "audio", data: "" }], [0, "type"], "Audio is not supported"],
    ["a file", [{ type: "file" }], [0, "type"], 'a part of type "text"'],
    ["a number", [5], [0], 'a part of type "text"'],
    ["an object", {}, [], "a list of parts"],
    ["too many images", Array.from({ length: 17 }, () => url(dataUrl(PNG))), [], "at most 16"],
  ])("is refused with %s", (_what, content, path, words) => {
    expect(readContent(content)).toEqual({ path, allowed: expect.stringContaining(words) });
  });
});

describe("images in messages", () => {
  it("count towards the size of the prompt", () => {
    const of = (content: string | readonly ReturnType<typeof url>[]) =>
      prepareMessages({ messages: [{ role: "user", content }] }).characters;
    expect(of([url(dataUrl(PNG)), url(dataUrl(GIF))])).toBe(7000);
    expect(of("")).toBe(0);
  });

  it.each([
    [[{ role: "assistant", content: [url(dataUrl(PNG))] }], "only messages of the user"],
    [[{ role: "system", content: [url(dataUrl(PNG))] }], "only messages of the user"],
    [
      [1, 2].map(() => ({
        role: "user",
        content: Array.from({ length: 9 }, () => url(dataUrl(PNG))),
      })),
      "at most 16 images",
    ],
  ])("are refused: %#", async (messages, words) => {
    await expect(
      clientOf("http://127.0.0.1:9").complete(Object({ messages })),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT", action: expect.stringContaining(words) });
  });
});
