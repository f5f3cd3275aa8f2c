import { headLength } from "./raw_http.js";
import type { JsonObject, Recorder } from "./recorder.js";

/** The requests of every client: status, models, load, chat, unload. */
export async function recordModels(recorder: Recorder): Promise<void> {
  const { forever, secondVersion, firstVersion, cannotLoad, notCached, plainId } =
    recorder.service.models;
  await recorder.get("status", "/status");
  await recorder.get("models", "/v1/models");
  await recorder.get("model-by-id", `/v1/models/${forever.id}`);
  await recorder.get("model-by-encoded-id", `/v1/models/${encodeURIComponent(forever.id)}`);
  await recorder.get("model-by-name", `/v1/models/${forever.name}`);
  await recorder.get("model-by-alias", `/v1/models/${forever.alias}`);
  await recorder.get("models-trailing-slash", "/v1/models/");
  await recorder.unload("unload-clean", forever);
  await recorder.get("loaded-none", "/models/loaded");
  await recorder.chat("chat-not-loaded", forever, { max_tokens: 4, temperature: 0 });
  await recorder.chat("chat-not-loaded-stream", forever, { max_tokens: 4, stream: true });
  await recorder.chat("chat-not-cached", notCached, { max_tokens: 4 });
  await recorder.get("load-by-id", `/models/load/${forever.id}`);
  await recorder.get("unload-by-id", `/models/unload/${forever.id}`);
  await recorder.get("load-by-encoded-id", `/models/load/${encodeURIComponent(forever.id)}`);
  await recorder.get("unload-by-encoded-id", `/models/unload/${encodeURIComponent(forever.id)}`);
  await recorder.get("load-by-name", `/models/load/${forever.name}`);
  await recorder.get("unload-by-name", `/models/unload/${forever.name}`);
  await recorder.get("load-by-alias", `/models/load/${forever.alias}`);
  await recorder.get("unload-by-alias", `/models/unload/${forever.alias}`);
  await recorder.get("load-by-encoded-alias", `/models/load/${forever.alias.replace("-", "%2D")}`);
  await recorder.get("load-wrong-case", `/models/load/${recorder.loadName(forever).toUpperCase()}`);
  await recorder.load("load", forever);
  await recorder.load("load-again", forever);
  await recorder.get("load-unknown", "/models/load/does-not-exist");
  await recorder.load("load-not-cached", notCached);
  await recorder.load("load-broken", cannotLoad);
  await recorder.get("load-missing-name", "/models/load/");
  await recorder.post("load-with-post", `/models/load/${recorder.loadName(forever)}`, {});
  await recorder.get("loaded-one", "/models/loaded");
  await recorder.get("load-two-versions-by-alias", `/models/load/${secondVersion.alias}`);
  await recorder.get("load-first-of-two-versions-by-id", `/models/load/${firstVersion.id}`);
  await recorder.get("load-second-of-two-versions-by-id", `/models/load/${secondVersion.id}`);
  await recorder.get("loaded-two-versions", "/models/loaded");
  await recorder.chat("chat-first-version", firstVersion, { max_tokens: 8 });
  await recorder.chat("chat-second-version", secondVersion, { max_tokens: 8 });
  await recorder.get("local-models", "/catalogs/local/v1/models");
  await recorder.get("local-model-by-id", `/catalogs/local/v1/models/${plainId.id}`);
  await recorder.get("local-status", "/catalogs/local/status");
  await recorder.get("local-load", `/catalogs/local/models/load/${plainId.alias}`);
  await recorder.get("local-loaded", "/catalogs/local/models/loaded");
  await recorder.load("load-own", plainId);
  await recorder.chat("chat-own", plainId, { max_tokens: 12 });
  await recorder.post("local-chat-in-public-family", "/v1/chat/completions", hello(plainId.id));
  await recorder.post(
    "public-chat-in-local-family",
    "/catalogs/local/v1/chat/completions",
    hello(forever.id),
  );
}

function hello(model: string): JsonObject {
  return { model, messages: [{ role: "user", content: "Hi" }], max_tokens: 12 };
}

/** Answers to well-formed chats; `forever` is loaded. */
export async function recordChats(recorder: Recorder): Promise<void> {
  const { forever, ends, slow, thinks, embeds } = recorder.service.models;
  const four: JsonObject = { max_tokens: 4, temperature: 0 };
  await recorder.chat("chat", forever, { max_tokens: 12, temperature: 0 });
  await recorder.chat("chat-stream", forever, { ...four, stream: true });
  const usage = { stream: true, stream_options: { include_usage: true } };
  await recorder.chat("chat-stream-usage", forever, { ...four, ...usage });
  await recorder.chat("chat-max-completion-tokens", forever, { max_completion_tokens: 4 });
  await recorder.post("chat-by-alias", "/v1/chat/completions", hello(forever.alias));
  await recorder.post("chat-by-name", "/v1/chat/completions", hello(forever.name));
  await recorder.post("chat-unknown-model", "/v1/chat/completions", hello("nope:1"));
  await recorder.load("load-short-answers", ends);
  await recorder.chat("chat-stops-by-itself", ends, { max_tokens: 200, ...usage });
  await recorder.chat("chat-many-parameters", ends, {
    temperature: 0.5,
    top_p: 0.9,
    top_k: 40,
    seed: 1,
    n: 2,
    user: "someone",
    frequency_penalty: 0,
    presence_penalty: 0,
    response_format: { type: "text" },
    unheard_of: true,
  });
  const stops: readonly (readonly [string, JsonObject])[] = [
    ["chat-stop-text", { stop: " cries" }],
    ["chat-stop-list", { stop: [" never", " gull cries"] }],
    ["chat-stop-stream", { stop: " gull cries", stream: true }],
    ["chat-stop-five", { stop: ["1", "2", "3", "4", "5"] }],
    ["chat-stop-empty-text", { stop: "" }],
    ["chat-stop-empty-list", { stop: [] }],
  ];
  for (const [name, body] of stops) await recorder.chat(name, forever, { max_tokens: 12, ...body });
  await recorder.load("load-slow", slow);
  await recorder.chat("chat-slow-stream", slow, { max_tokens: 3, stream: true });
  await recorder.load("load-thinks", thinks);
  await recorder.chat("chat-thinks", thinks);
  await recorder.chat("chat-thinks-stream", thinks, usage);
  const inputTokens = "/v1/chat/completions/input_tokens";
  await recorder.post("chat-input-tokens", inputTokens, hello(forever.id));
  await recorder.post("chat-input-tokens-not-loaded", inputTokens, hello(embeds.id));
}

const weatherTool = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

/** Tool calls and the messages that answer them. */
export async function recordTools(recorder: Recorder): Promise<void> {
  const { callsTool, ends } = recorder.service.models;
  await recorder.load("load-calls-tool", callsTool);
  const tools = [weatherTool];
  await recorder.chat("tool-call", callsTool, { tools });
  await recorder.chat("tool-call-stream", callsTool, { tools, stream: true });
  // 1.x and 2.0 force tokens here that the model would not choose: the city is random text each time.
  await recorder.chat("tool-call-required", callsTool, {
    tools,
    tool_choice: "required",
    // Its most likely tokens are ruled out: without chance it would write spaces for ever.
    temperature: 1,
  });
  await recorder.chat("tool-call-none", callsTool, { tools, tool_choice: "none" });
  await recorder.chat("tool-call-required-without-tools", callsTool, { tool_choice: "required" });
  await recorder.chat("tool-call-of-a-model-without-markers", ends, { tools });
  const call = {
    id: "call_1",
    type: "function",
    function: { name: "get_weather", arguments: '{"city":"Bern"}' },
  };
  const messages = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "", tool_calls: [call] },
    { role: "tool", tool_call_id: "call_1", content: "sunny" },
  ];
  await recorder.chat("tool-history", callsTool, { messages, tools });
  await recorder.chat("tool-history-stream", callsTool, { messages, tools, stream: true });
  await recorder.chat("tool-history-without-tools", callsTool, { messages });
  const unmatched = [{ role: "tool", tool_call_id: "call_9", content: "sunny" }];
  await recorder.chat("tool-history-unmatched", callsTool, { messages: unmatched, tools });
}

/** Requests a service has to refuse; `forever` is loaded. */
export async function recordRefusals(recorder: Recorder): Promise<void> {
  const { forever } = recorder.service.models;
  const path = "/v1/chat/completions";
  const headers = { "Content-Type": "application/json" };
  const model = forever.id;
  const cut = `{"model": "${model}", "messages": [`;
  await recorder.send("chat-bad-json", "POST", path, cut, { headers });
  await recorder.send("chat-empty-body", "POST", path, "", { headers });
  await recorder.send("chat-no-body", "POST", path, undefined, { headers });
  const text = JSON.stringify(hello(model));
  await recorder.send("chat-no-content-type", "POST", path, text);
  const invalid = Buffer.concat([
    Buffer.from(text.slice(0, text.indexOf("Hi"))),
    Buffer.of(0xff, 0xfe),
    Buffer.from(text.slice(text.indexOf("Hi"))),
  ]);
  await recorder.send("chat-invalid-utf8", "POST", path, invalid, { headers });
  const surrogate = text.replace("Hi", "\\ud83d");
  await recorder.send("chat-lone-surrogate", "POST", path, surrogate, { headers });
  await recorder.post("chat-empty-object", path, {});
  await recorder.post("chat-no-messages", path, { model });
  await recorder.post("chat-empty-messages", path, { model, messages: [] });
  const empty = [{ role: "user", content: "" }];
  await recorder.chat("chat-empty-content", forever, { messages: empty });
  const parts = [{ role: "user", content: [{ type: "text", text: "Hi" }] }];
  await recorder.chat("chat-content-parts", forever, { messages: parts, max_tokens: 4 });
  const oddRole = [{ role: "wizard", content: "Hi" }];
  await recorder.chat("chat-unknown-role", forever, { messages: oddRole, max_tokens: 4 });
  await recorder.chat("chat-max-tokens-zero", forever, { max_tokens: 0 });
  await recorder.chat("chat-max-tokens-negative", forever, { max_tokens: -1 });
  const oddities: readonly (readonly [string, JsonObject])[] = [
    ["chat-max-tokens-fraction", { max_tokens: 4.5 }],
    ["chat-max-tokens-text", { max_tokens: "four" }],
    ["chat-stream-text", { stream: "true" }],
    ["chat-temperature-high", { temperature: 3 }],
    ["chat-temperature-negative", { temperature: -1 }],
    ["chat-temperature-text", { temperature: "warm" }],
    ["chat-top-p-high", { top_p: 2 }],
    ["chat-top-k-fraction", { top_k: 1.5 }],
    ["chat-seed-fraction", { seed: 1.5 }],
    ["chat-frequency-penalty", { frequency_penalty: 1 }],
    ["chat-presence-penalty", { presence_penalty: 1 }],
    ["chat-json-object", { response_format: { type: "json_object" }, temperature: 0 }],
  ];
  for (const [name, body] of oddities) {
    await recorder.chat(name, forever, { max_tokens: 4, ...body });
  }
  await recorder.chat("chat-bad-tool-choice", forever, {
    max_tokens: 4,
    tools: [weatherTool],
    tool_choice: "wizard",
  });
}

/** Failures while a model runs. */
export async function recordFailures(recorder: Recorder): Promise<void> {
  const { forever, failsMidway, smallContext } = recorder.service.models;
  await recorder.chat("chat-context-overflow", forever, { max_tokens: 1_000_000 });
  const stream = { stream: true };
  const overflow = { max_tokens: 1_000_000, ...stream };
  await recorder.chat("chat-context-overflow-stream", forever, overflow);
  await recorder.load("load-fails-midway", failsMidway);
  const body = { max_tokens: 64, temperature: 0 };
  await recorder.chat("chat-fails-midway", failsMidway, body);
  await recorder.chat("chat-fails-midway-stream", failsMidway, { ...body, ...stream });
  await recorder.load("load-small-context", smallContext);
  // One token a byte: more than the 512 the model takes.
  const messages = [{ role: "user", content: "long ".repeat(110) }];
  await recorder.chat("chat-long-prompt", smallContext, { messages });
  await recorder.chat("chat-long-prompt-stream", smallContext, { messages, ...stream });
  await recorder.chat("chat-fills-context", smallContext);
  await recorder.chat("chat-beyond-context", smallContext, { max_tokens: 600 });
}

/** Embeddings and Responses; `forever` is loaded. */
export async function recordOtherRoutes(recorder: Recorder): Promise<void> {
  const { embeds, ends, forever } = recorder.service.models;
  const path = "/v1/embeddings";
  await recorder.post("embeddings-not-loaded", path, { model: embeds.id, input: "hello" });
  await recorder.load("load-embed", embeds);
  await recorder.post("embeddings", path, { model: embeds.id, input: ["hello", "world"] });
  await recorder.post("embeddings-by-alias", path, { model: embeds.alias, input: "hello" });
  await recorder.post("embeddings-by-name", path, { model: embeds.name, input: "hello" });
  await recorder.post("embeddings-empty", path, { model: embeds.id, input: [] });
  await recorder.post("embeddings-empty-text", path, { model: embeds.id, input: "" });
  await recorder.post("embeddings-tokens", path, { model: embeds.id, input: [1, 2] });
  await recorder.chat("chat-with-embedding-model", embeds, { max_tokens: 4 });
  const create = "/v1/responses";
  const small = { model: forever.id, input: "Hi", max_output_tokens: 4, temperature: 0 };
  await recorder.post("responses", create, small);
  await recorder.post("responses-whole", create, { model: ends.id, input: "Hi" });
  await recorder.post("responses-stream", create, { ...small, stream: true });
  await recorder.post("responses-input-tokens", `${create}/input_tokens`, small);
  const previous_response_id = "resp_none";
  await recorder.post("responses-unknown-previous", create, { ...small, previous_response_id });
  await recorder.get("responses-unknown", `${create}/resp_none`);
  await recorder.post("completions", "/v1/completions", { model: ends.id, prompt: "Hi" });
  const filename = "/does/not/exist.wav";
  await recorder.post("transcriptions", "/v1/audio/transcriptions", { model: ends.id, filename });
}

/** The behaviour of the web server under the service. */
export async function recordTransport(recorder: Recorder): Promise<void> {
  await recorder.get("no-route", "/openai/status");
  await recorder.get("no-route-health", "/health");
  await recorder.send("options", "OPTIONS", "/v1/chat/completions", undefined);
  await recorder.send("head", "HEAD", "/status", undefined);
  await recorder.post("wrong-method", "/status", {});
  for (const size of [4_096, 4_097, 32_769]) {
    const headers = { "X-Filler": "" };
    const empty = headLength(recorder.service.url, { method: "GET", path: "/status", headers });
    const filler = size - empty;
    await recorder.get(`head-${size}-bytes`, "/status", {
      headers: { "X-Filler": "a".repeat(filler) },
      shownHeaders: { "X-Filler": `a until the head has ${size} bytes` },
    });
  }
}
