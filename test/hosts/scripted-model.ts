import { createServer, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import * as z from "zod";

/** A tool and its arguments. */
type Call = readonly [string, object];

interface Plan {
  /** The answer to the last one is long. */
  readonly calls: readonly Call[];
  /** The end of its whole text. */
  readonly end: string;
}

const MOST_CALLS = 30;

/** The next call after what the model was shown so far; `null` at the end. */
function nextCall({ calls, end }: Plan, shown: readonly string[]): Call | null {
  const next = calls[shown.length];
  if (next !== undefined) return next;
  const latest = shown.at(-1) ?? "";
  if (latest.includes(end) || shown.length > MOST_CALLS) return null;
  const id = /\bc-[0-9a-z]+-\d+\b/.exec(latest)?.[0];
  if (id === undefined || !latest.includes("get_completion")) return null;
  const from = /\bfrom (\d+)/.exec(latest)?.[1];
  return [
    "get_completion",
    { completion_ids: [id], ...(from !== undefined && { from: Number(from) }) },
  ];
}

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value);

const toolSchema = z.looseObject({
  type: z.string().optional(),
  name: z.string().optional(),
  function: z.object({ name: z.string() }).optional(),
  functionDeclarations: z.array(z.object({ name: z.string() })).optional(),
  /** Of a namespace. */
  tools: z.array(z.looseObject({ name: z.string() })).optional(),
});
const turnSchema = z.looseObject({
  type: z.string().optional(),
  role: z.string().optional(),
  content: z.unknown().optional(),
  output: z.unknown().optional(),
  parts: z
    .array(
      z.looseObject({
        functionResponse: z.looseObject({ response: z.unknown().optional() }).optional(),
      }),
    )
    .optional(),
});
const bodySchema = z.looseObject({
  stream: z.boolean().optional(),
  tools: z.array(toolSchema).default([]),
  messages: z.array(turnSchema).default([]),
  input: z.union([z.string(), z.array(turnSchema)]).default([]),
  contents: z.array(turnSchema).default([]),
});
type Body = z.output<typeof bodySchema>;

interface Tool {
  readonly name: string;
  readonly namespace?: string | undefined;
}

function toolsIn({ tools }: Body): Tool[] {
  return tools.flatMap(
    ({ name, function: called, functionDeclarations, tools: inside }): Tool[] => {
      if (inside !== undefined) return inside.map((tool) => ({ name: tool.name, namespace: name }));
      if (functionDeclarations !== undefined) return functionDeclarations;
      const own = name ?? called?.name;
      return own === undefined ? [] : [{ name: own }];
    },
  );
}

const toolResult = z.looseObject({
  type: z.literal("tool_result"),
  content: z.unknown().optional(),
});

const toolReferences = z.array(z.looseObject({ type: z.literal("tool_reference") })).min(1);

/** The answer to a search for a tool. */
const isFoundTool = (content: unknown): boolean => toolReferences.safeParse(content).success;

/** Claude Code shows the model only the names of most tools, until the model asks for them. */
const SEARCH = "ToolSearch";

/** The search for a tool of which the host has shown the name alone. */
function searchFor(short: string, tools: readonly Tool[], { messages }: Body): Turn | null {
  const tool = tools.find(({ name }) => name === SEARCH);
  const [name] = new RegExp(`mcp__[a-z]+__${short}\\b`).exec(JSON.stringify(messages)) ?? [];
  if (tool === undefined || name === undefined) return null;
  return { id: `search-${short}`, tool, given: { query: `select:${name}` } };
}

/** What the host shows of the results of its tools, in the form of any of the four APIs. */
function shownIn({ messages, input, contents }: Body): string[] {
  const ofMessages = messages.flatMap(({ role, content }) => {
    if (role === "tool") return [textOf(content)];
    if (!Array.isArray(content)) return [];
    return content.flatMap((part) => {
      const result = toolResult.safeParse(part).data;
      if (result === undefined || isFoundTool(result.content)) return [];
      return [textOf(result.content)];
    });
  });
  const ofInput = (typeof input === "string" ? [] : input).flatMap(({ type = "", output }) =>
    type.endsWith("call_output") ? [textOf(output)] : [],
  );
  const ofContents = contents.flatMap(({ parts = [] }) =>
    parts.flatMap(({ functionResponse }) =>
      functionResponse === undefined ? [] : [textOf(functionResponse.response)],
    ),
  );
  return [...ofMessages, ...ofInput, ...ofContents];
}

/** The turn of the model: a call of a tool of the host, or the end. */
interface Turn {
  readonly id: string;
  readonly tool: Tool | null;
  readonly given: object;
}

type Reply = (turn: Turn, isStream: boolean, response: ServerResponse) => void;

function writeJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function writeEvents(
  response: ServerResponse,
  events: readonly Readonly<Record<string, unknown>>[],
  end = "",
): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of events) {
    const { type } = event;
    const name = typeof type === "string" ? `event: ${type}\n` : "";
    response.write(`${name}data: ${JSON.stringify(event)}\n\n`);
  }
  response.end(end);
}

const anthropic: Reply = ({ id, tool, given }, isStream, response) => {
  const usage = { input_tokens: 10, output_tokens: 5 };
  const stop_reason = tool === null ? "end_turn" : "tool_use";
  const block =
    tool === null
      ? { type: "text", text: "" }
      : { type: "tool_use", id, name: tool.name, input: {} };
  const message = { id, type: "message", role: "assistant", model: "scripted", usage };
  if (!isStream) {
    const content = [tool === null ? { ...block, text: "done" } : { ...block, input: given }];
    return writeJson(response, { ...message, content, stop_reason, stop_sequence: null });
  }
  const delta =
    tool === null
      ? { type: "text_delta", text: "done" }
      : { type: "input_json_delta", partial_json: JSON.stringify(given) };
  writeEvents(response, [
    {
      type: "message_start",
      message: { ...message, content: [], stop_reason: null, stop_sequence: null },
    },
    { type: "content_block_start", index: 0, content_block: block },
    { type: "content_block_delta", index: 0, delta },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage },
    { type: "message_stop" },
  ]);
};

const chat: Reply = ({ id, tool, given }, isStream, response) => {
  const called = tool && {
    tool_calls: [
      {
        index: 0,
        id,
        type: "function",
        function: { name: tool.name, arguments: JSON.stringify(given) },
      },
    ],
  };
  const message = { role: "assistant", content: tool === null ? "done" : null, ...called };
  const finish_reason = tool === null ? "stop" : "tool_calls";
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
  const base = { id, created: 1, model: "scripted" };
  if (!isStream) {
    const choices = [{ index: 0, message, finish_reason }];
    return writeJson(response, { ...base, object: "chat.completion", choices, usage });
  }
  const chunk = { ...base, object: "chat.completion.chunk" };
  writeEvents(
    response,
    [
      { ...chunk, choices: [{ index: 0, delta: message, finish_reason: null }] },
      { ...chunk, choices: [{ index: 0, delta: {}, finish_reason }] },
      { ...chunk, choices: [], usage },
    ],
    "data: [DONE]\n\n",
  );
};

const responses: Reply = ({ id, tool, given }, isStream, response) => {
  const item =
    tool === null
      ? {
          type: "message",
          id,
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: "done", annotations: [] }],
        }
      : {
          type: "function_call",
          id: `fc-${id}`,
          call_id: id,
          ...tool,
          arguments: JSON.stringify(given),
          status: "completed",
        };
  const usage = {
    input_tokens: 10,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 15,
  };
  const whole = { id: `r-${id}`, object: "response", created_at: 1, model: "scripted", usage };
  const ended = { ...whole, status: "completed", output: [item] };
  if (!isStream) return writeJson(response, ended);
  writeEvents(response, [
    { type: "response.created", response: { ...whole, status: "in_progress", output: [] } },
    { type: "response.output_item.added", output_index: 0, item },
    { type: "response.output_item.done", output_index: 0, item },
    { type: "response.completed", response: ended },
  ]);
};

const gemini: Reply = ({ id, tool, given }, isStream, response) => {
  const part =
    tool === null ? { text: "done" } : { functionCall: { id, name: tool.name, args: given } };
  const answer = {
    candidates: [{ index: 0, content: { role: "model", parts: [part] }, finishReason: "STOP" }],
    usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 },
  };
  if (isStream) writeEvents(response, [answer]);
  else writeJson(response, answer);
};

/** The end of a path, and the API that has it. */
const APIS: readonly (readonly [RegExp, Reply])[] = [
  [/\/messages$/, anthropic],
  [/\/chat\/completions$/, chat],
  [/\/responses$/, responses],
  [/:(stream)?generateContent$/i, gemini],
];

export interface ScriptedModel {
  readonly url: string;
  /** What the host has shown of each call. */
  readonly shown: readonly string[];
  close(): void;
}

/** A model on loopback for command lines: the APIs of Anthropic, OpenAI (two) and Google. */
export async function startScriptedModel(plan: Plan): Promise<ScriptedModel> {
  let shown: readonly string[] = [];
  const server = createServer(async (request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    const reply = APIS.find(([pattern]) => pattern.test(path))?.[1];
    if (reply === undefined) {
      const counted = { input_tokens: 10, totalTokens: 10, data: [{ id: "scripted" }], models: [] };
      return writeJson(response, counted);
    }
    const { data: body, error } = bodySchema.safeParse(await json(request));
    if (body === undefined) return response.writeHead(400).end(error.message);
    const tools = toolsIn(body);
    const seen = shownIn(body);
    if (seen.length > shown.length) shown = seen;
    const [short, given] = (tools.length > 0 && nextCall(plan, seen)) || ["", {}];
    const tool =
      tools.find(({ name }) => name === short) ??
      tools.find(({ name }) => short !== "" && new RegExp(`[_-]${short}$`).test(name)) ??
      null;
    const search = tool === null && short !== "" ? searchFor(short, tools, body) : null;
    const turn = search ?? { id: `call-${seen.length}`, tool, given };
    const isStream = body.stream === true || path.includes(":stream");
    reply(turn, isStream, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    get shown() {
      return shown;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
