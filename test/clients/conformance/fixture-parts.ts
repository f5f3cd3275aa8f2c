import { createRequestStateCodec, inputRequired } from "@modelcontextprotocol/server";
import * as z from "zod";

/** One red pixel as PNG. */
const IMAGE =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

export const imageContent = { type: "image" as const, data: IMAGE, mimeType: "image/png" };
export const textContent = (text: string) => ({ type: "text" as const, text });
export const textResult = (text: string) => ({ content: [textContent(text)] });
export const NOTHING = z.object({});
export const NO_ARGUMENTS = { description: "A tool.", inputSchema: NOTHING };

/** Seals what a client sends back. */
export const STATE = createRequestStateCodec<Record<string, unknown>>({
  key: crypto.getRandomValues(new Uint8Array(32)),
});

export const question = (message: string, name: string) =>
  inputRequired.elicit({
    message,
    requestedSchema: {
      type: "object",
      properties: { [name]: { type: "string" } },
      required: [name],
    },
  });
