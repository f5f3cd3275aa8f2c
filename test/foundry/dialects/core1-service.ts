import type { ServerResponse } from "node:http";
import { z } from "zod";
import { type HttpService, httpService } from "./http-service.js";

export interface Core1Options {
  /** Ids of the models on its disk. */
  readonly models: readonly string[];
  /** Where it says that they lie. Default: nowhere on this machine. */
  readonly modelDirPath?: string;
  /** Ids of those that it cannot load. */
  readonly broken?: readonly string[];
  /** Its answer, token by token; `null`: it generates for ever. */
  readonly tokens?: readonly string[] | null;
  readonly contextLength?: number;
  /** It breaks off after so many tokens, without a word, as it does when the native engine fails. */
  readonly failsAfter?: number;
  /** The catalog cannot be reached, so that it cannot list its models. */
  readonly offline?: boolean;
}

export interface Core1Service extends HttpService {
  /** Ids in memory. */
  readonly loaded: Set<string>;
  readonly chats: readonly unknown[];
  /** Streams that their reader has left. */
  readonly left: number;
}

const chatSchema = z.object({
  model: z.string(),
  max_tokens: z.number(),
  stream: z.boolean().default(false),
});

const PROMPT_TOKENS = 9;

/** Core 1.2.4 as `packages/simulator/recordings/core-1.json` holds it, as far as a client's tests need it. */
export async function core1Service(options: Core1Options): Promise<Core1Service> {
  const { models, broken = [], tokens = ["Hello", " there", "."], contextLength = 4096 } = options;
  const loaded = new Set<string>();
  const chats: unknown[] = [];
  const state = { left: 0 };
  const idOf = (name: string): string | undefined =>
    models.find((id) => id === name) ??
    models.filter((id) => nameOf(id) === name).sort((a, b) => versionOf(b) - versionOf(a))[0];

  const service = await httpService((request, response, body) => {
    const [, verb = "", name = ""] =
      /^\/models\/(load|unload)\/(.+)$/.exec(request.url ?? "") ?? [];
    response.setHeader("Server", "Kestrel");
    if (request.url === "/status") {
      json(response, 200, {
        endpoints: ["http://127.0.0.1:5273"],
        modelDirPath: options.modelDirPath ?? "/nonexistent/.foundry/cache/models",
        pipeName: null,
        isAutoRegistrationResolved: true,
        autoRegistrationStatus: "No EP bootstrappers configured.",
      });
    } else if (request.url === "/v1/models") {
      if (options.offline === true) {
        return error(
          response,
          500,
          "Failed to retrieve model list: Catalog request failed across 7 region(s): …",
          "server_error",
        );
      }
      const data = models.map((id) => ({
        id: nameOf(id),
        owned_by: "Example",
        permission: [],
        created: 1780000000,
        CreatedTime: "2026-06-01T00:00:00+00:00",
        parent: nameOf(id).replace("-generic-cpu", ""),
        IsDelta: false,
        Successful: true,
        HttpStatusCode: 0,
        object: "model",
      }));
      json(response, 200, {
        data,
        IsDelta: false,
        Successful: true,
        HttpStatusCode: 0,
        object: "list",
      });
    } else if (request.url === "/models/loaded") {
      json(response, 200, [...loaded]);
    } else if (verb !== "") {
      const id = idOf(decodeURIComponent(name));
      const fails = verb === "load" && (id === undefined || broken.includes(id));
      if (id !== undefined && !fails) loaded[verb === "load" ? "add" : "delete"](id);
      response.writeHead(fails ? 500 : 200).end();
    } else if (request.url === "/v1/chat/completions") {
      chat(response, body);
    } else {
      response.writeHead(404).end();
    }
  });

  function chat(response: ServerResponse, body: string): void {
    const asked = chatSchema.parse(JSON.parse(body));
    chats.push(JSON.parse(body));
    const refusal = refusalOf(asked);
    if (asked.stream) {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.flushHeaders();
      // No reason, no event, no last chunk: the connection is cut.
      if (refusal !== null) response.destroy();
      else streamTo(response, asked.model, asked.max_tokens);
    } else if (refusal !== null) {
      error(response, refusal.status, refusal.message, "invalid_request_error");
    } else if (options.failsAfter !== undefined) {
      error(
        response,
        500,
        "Failed to handle OpenAI completion: Non-zero status code returned while running Gather node.",
        "server_error",
      );
    } else {
      json(
        response,
        200,
        chunk(asked.model, (tokens ?? ["…"]).join(""), tokens?.length ?? 1, "stop"),
      );
    }
  }

  function refusalOf({ model, max_tokens }: z.output<typeof chatSchema>) {
    const isLoaded = [...loaded].some((id) => id === model || nameOf(id) === model);
    if (!isLoaded) {
      const message = `Failed to handle OpenAI completion: Model '${model}' is not loaded. Please load the model before getting a ChatClient.`;
      return { status: 400, message };
    }
    const total = PROMPT_TOKENS + max_tokens;
    if (total <= contextLength) return null;
    const message = `Failed to handle OpenAI completion: This request requires ${total} total tokens (${PROMPT_TOKENS} input + ${max_tokens} output), which exceeds the model's maximum context length of ${contextLength} tokens. Please reduce 'max_tokens'or shorten your input. (Parameter 'chatRequest')`;
    return { status: 400, message };
  }

  function streamTo(response: ServerResponse, model: string, maxTokens: number): void {
    const send = (value: object): boolean => response.write(`data: ${JSON.stringify(value)}\n\n`);
    let made = 0;
    const next = (): void => {
      if (response.destroyed) {
        state.left += 1;
        return;
      }
      if (made === options.failsAfter) {
        response.destroy();
        return;
      }
      const token = tokens === null ? " on" : tokens[made];
      if (token !== undefined && made < maxTokens) {
        made += 1;
        send(chunk(model, token, made));
        setTimeout(next, 2);
        return;
      }
      send(chunk(model, "", made, "stop"));
      send({ ...chunk(model, "", made), choices: [] });
      response.end("data: [DONE]\n\n");
    };
    next();
  }

  return {
    ...service,
    loaded,
    chats,
    get left() {
      return state.left;
    },
  };
}

const nameOf = (id: string): string => id.replace(/:\d+$/, "");
const versionOf = (id: string): number => Number(id.slice(id.lastIndexOf(":") + 1));

/** A chunk says all twice, and counts every time. */
function chunk(model: string, content: string, completion_tokens: number, finish_reason?: string) {
  const said = { role: "assistant", content, tool_calls: [] };
  const finish = finish_reason === undefined ? {} : { finish_reason };
  return {
    model,
    choices: [{ delta: said, message: said, index: 0, ...finish }],
    usage: {
      prompt_tokens: PROMPT_TOKENS,
      completion_tokens,
      total_tokens: PROMPT_TOKENS + completion_tokens,
    },
    created: 1780000000,
    id: "chat.id.1",
    IsDelta: false,
    Successful: true,
    HttpStatusCode: 0,
    object: "chat.completion.chunk",
  };
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(value));
}

function error(response: ServerResponse, status: number, message: string, type: string): void {
  json(response, status, { error: { message, type, code: null } });
}
