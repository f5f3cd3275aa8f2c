import { Neutral } from "./neutral.js";
import { type RawRequest, type RawResponse, rawExchange } from "./raw_http.js";
import type { RealModel, RealService } from "./services.js";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export interface Recorded {
  readonly name: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Json;
  };
  readonly response: {
    readonly status?: number;
    readonly reason?: string;
    readonly headers?: readonly (readonly [string, string])[];
    readonly json?: unknown;
    readonly text?: string;
    readonly events?: readonly string[];
    readonly connection?: string;
  };
  /** The time of the answer, where it matters. */
  readonly when?: string;
}

interface Options {
  readonly headers?: Readonly<Record<string, string>>;
  /** Shown in the recording instead of the headers that were sent. */
  readonly shownHeaders?: Readonly<Record<string, string>>;
  readonly leaveAfterChunks?: number;
  readonly leaveAfterMilliseconds?: number;
  /** Called once the answer is there. */
  readonly when?: () => Promise<string>;
}

const jsonHeaders = { "Content-Type": "application/json" };

/** Sends requests to one service and keeps each exchange under a name. */
export class Recorder {
  readonly service: RealService;
  readonly exchanges: Recorded[] = [];
  readonly #neutral: Neutral;

  constructor(service: RealService) {
    this.service = service;
    this.#neutral = new Neutral(service);
  }

  /** The routes a model answers under. */
  prefix(model: RealModel): string {
    return model.family === "local" ? "/catalogs/local" : "";
  }

  /** The name by which this service loads and unloads a model. */
  loadName(model: RealModel): string {
    return this.service.dialect === "C1" ? model.id : model.alias;
  }

  get(name: string, path: string, options: Options = {}): Promise<RawResponse> {
    return this.send(name, "GET", path, undefined, options);
  }

  post(name: string, path: string, body: JsonObject, options: Options = {}): Promise<RawResponse> {
    return this.send(name, "POST", path, body, { headers: jsonHeaders, ...options });
  }

  load(name: string, model: RealModel, options: Options = {}): Promise<RawResponse> {
    const path = `${this.prefix(model)}/models/load/${this.loadName(model)}`;
    return this.get(name, path, options);
  }

  unload(name: string, model: RealModel, options: Options = {}): Promise<RawResponse> {
    const path = `${this.prefix(model)}/models/unload/${this.loadName(model)}`;
    return this.get(name, path, options);
  }

  chat(
    name: string,
    model: RealModel,
    body: JsonObject = {},
    options: Options = {},
  ): Promise<RawResponse> {
    const path = `${this.prefix(model)}/v1/chat/completions`;
    const messages = [{ role: "user", content: "Hi" }];
    return this.post(name, path, { model: model.id, messages, ...body }, options);
  }

  /** Sends a body as it is given: an object as JSON, a text or bytes unchanged. */
  async send(
    name: string,
    method: string,
    path: string,
    body: JsonObject | string | Uint8Array | undefined,
    options: Options = {},
  ): Promise<RawResponse> {
    const { headers = {}, shownHeaders = headers, when, ...leaving } = options;
    const request: RawRequest = { method, path, headers, ...leaving, ...bodyOf(body) };
    const response = await rawExchange(this.service.url, request);
    const whenText = await when?.();
    this.exchanges.push({
      name,
      request: { method, path, headers: shownHeaders, body: shownBody(body) },
      response: this.#shown(response),
      ...(whenText === undefined ? {} : { when: whenText }),
    });
    return response;
  }

  #shown(response: RawResponse): Recorded["response"] {
    const { status, reason, headers, chunks, connection } = response;
    return {
      ...(status === undefined ? {} : { status }),
      ...(reason === undefined ? {} : { reason }),
      ...(headers === undefined
        ? {}
        : { headers: headers.map(([name, value]) => this.#neutral.header(name, value)) }),
      ...this.#shownContent(response, chunks),
      ...(connection === undefined ? {} : { connection }),
    };
  }

  #shownContent(response: RawResponse, chunks: readonly string[]): Partial<Recorded["response"]> {
    if (response.status === undefined) return {};
    const type = response.headers?.find(([name]) => name.toLowerCase() === "content-type")?.[1];
    if (type?.includes("text/event-stream")) {
      return { events: chunks.map((chunk) => this.#neutral.text(chunk)) };
    }
    const text = this.#neutral.text(chunks.join(""));
    if (type?.includes("json")) {
      try {
        return { json: JSON.parse(text) };
      } catch {
        // Cut short, or not what its type says: kept as the text it is.
      }
    }
    return { text };
  }
}

function bodyOf(body: JsonObject | string | Uint8Array | undefined): Pick<RawRequest, "body"> {
  if (body === undefined) return {};
  if (typeof body === "string" || body instanceof Uint8Array) return { body };
  return { body: JSON.stringify(body) };
}

function shownBody(body: JsonObject | string | Uint8Array | undefined): Json {
  if (body === undefined) return null;
  if (body instanceof Uint8Array) return `bytes ${Buffer.from(body).toString("hex")}`;
  return body;
}
