import { type RawRequest, type RawResponse, rawExchange } from "../../../../test/real/raw_http.js";
import {
  type ModelOptions,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from "../../src/index.js";

/** The model that these tests chat with unless they say otherwise. */
export const TALKER: ModelOptions = {
  id: "talker-generic-cpu:1",
  loaded: true,
  script: { text: "On and on it goes. ", forever: true },
};

/** A C1 with that model alone, unless the options say otherwise. */
export function core1(options: SimulatorOptions = {}): Promise<Simulator> {
  return startSimulator({ dialect: "C1", models: [TALKER], ...options });
}

type Leaving = Pick<RawRequest, "leaveAfterChunks" | "leaveAfterMilliseconds">;

export function post(
  { url }: Simulator,
  path: string,
  body: object | string,
  leaving: Leaving = {},
): Promise<RawResponse> {
  return rawExchange(url, {
    method: "POST",
    path,
    headers: { "Content-Type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...leaving,
  });
}

export function chat(
  simulator: Simulator,
  body: object = {},
  leaving: Leaving = {},
): Promise<RawResponse> {
  const messages = [{ role: "user", content: "Hi" }];
  const asked = { model: TALKER.id, messages, max_tokens: 3, ...body };
  return post(simulator, "/v1/chat/completions", asked, leaving);
}

/** The message of an error's envelope. */
export function errorOf({ chunks }: RawResponse): unknown {
  return JSON.parse(chunks.join("")).error.message;
}
