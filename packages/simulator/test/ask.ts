import { type RawRequest, type RawResponse, rawExchange } from "../../../test/real/raw_http.js";

/** The model that these tests chat with unless they say otherwise. */
export const MODEL = "talker-generic-cpu:1";

type Leaving = Pick<RawRequest, "leaveAfterChunks" | "leaveAfterMilliseconds">;

export function get(url: string, path: string, leaving: Leaving = {}): Promise<RawResponse> {
  return rawExchange(url, { method: "GET", path, headers: {}, ...leaving });
}

export function post(
  url: string,
  path: string,
  body: object,
  leaving: Leaving = {},
): Promise<RawResponse> {
  const request = { method: "POST", path, headers: {}, body: JSON.stringify(body) };
  return rawExchange(url, { ...request, ...leaving });
}

export function chat(url: string, body: object = {}, leaving: Leaving = {}): Promise<RawResponse> {
  const messages = [{ role: "user", content: "Hi" }];
  return post(url, "/v1/chat/completions", { model: MODEL, messages, ...body }, leaving);
}

/** The `data` of each event of a stream, comments left out; parsed where it is JSON. */
export function dataOf({ chunks }: RawResponse): unknown[] {
  return chunks
    .join("")
    .split("\n\n")
    .flatMap((event) => event.split("\n").filter((line) => line.startsWith("data: ")))
    .map((line) => line.slice("data: ".length))
    .map((data) => (data === "[DONE]" ? data : JSON.parse(data)));
}

/** The body as JSON. */
export function jsonOf({ chunks }: RawResponse): unknown {
  return JSON.parse(chunks.join(""));
}

/** The content of an answer, whether it was streamed or not. */
export function contentOf(answer: RawResponse): string {
  const streamed = answer.headers?.some(([, value]) => value.startsWith("text/event-stream"));
  const pattern = streamed
    ? /"delta":\{"content":("(?:[^"\\]|\\.)*")/g
    : /"content":("(?:[^"\\]|\\.)*")/g;
  return [...answer.chunks.join("").matchAll(pattern)]
    .map(([, text = '""']) => String(JSON.parse(text)))
    .join("");
}
