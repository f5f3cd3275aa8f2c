import { setTimeout as pause } from "node:timers/promises";
import {
  acceptedContent,
  fromJsonSchema,
  inputRequired,
  McpServer,
  ResourceTemplate,
  type ServerContext,
  type ServerOptions,
  type Transport,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { TASKS_EXTENSION } from "../../../src/mcp/requests.js";
import type { ServerParts } from "../../../src/mcp/server.js";
import { GuardedTransport } from "../../../src/mcp/transport/index.js";
import { addAskingTools, addInputTools } from "./fixture-input.js";
import {
  imageContent,
  NO_ARGUMENTS,
  NOTHING,
  question,
  STATE,
  textContent,
  textResult,
} from "./fixture-parts.js";
import { addTaskTools, TaskServer } from "./fixture-tasks.js";

/** A WAV file without samples. */
const AUDIO = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

const INFO = { name: "conformance-fixture", version: "1.0.0" };
const OPTIONS: ServerOptions = {
  capabilities: {
    // As the product, whose lists of tools and prompts do not change.
    tools: { listChanged: false },
    resources: { subscribe: true, listChanged: false },
    prompts: { listChanged: false },
    logging: {},
    completions: {},
  },
  requestState: { verify: STATE.verify },
};

/** The server that the suite describes in its scenarios, behind the transport of the product. */
class FixtureServer extends McpServer {
  override readonly server = new TaskServer(INFO, OPTIONS);

  constructor() {
    super(INFO);
  }

  override connect(transport: Transport): Promise<void> {
    return super.connect(new GuardedTransport(transport));
  }
}

export function fixtureServer({ tasks }: Pick<ServerParts, "tasks">): McpServer {
  const server = new FixtureServer();
  addContentTools(server);
  addRunningTools(server);
  addAskingTools(server);
  addInputTools(server);
  addResources(server);
  addPrompts(server);
  // Only hosts without a handshake have tasks.
  if (tasks !== undefined) {
    server.server.registerCapabilities({ extensions: { [TASKS_EXTENSION]: {} } });
    addTaskTools(server, tasks);
  }
  server.server.setRequestHandler("logging/setLevel", () => ({}));
  server.server.setRequestHandler("completion/complete", () => ({ completion: { values: [] } }));
  return server;
}

function addContentTools(server: McpServer): void {
  const contents = {
    test_simple_text: [textContent("This is a simple text response for testing.")],
    test_image_content: [imageContent],
    test_audio_content: [{ type: "audio" as const, data: AUDIO, mimeType: "audio/wav" }],
    test_embedded_resource: [
      {
        type: "resource" as const,
        resource: {
          uri: "test://embedded-resource",
          mimeType: "text/plain",
          text: "This is an embedded resource content.",
        },
      },
    ],
    test_multiple_content_types: [
      textContent("Multiple content types test:"),
      imageContent,
      {
        type: "resource" as const,
        resource: {
          uri: "test://mixed-content-resource",
          mimeType: "application/json",
          text: '{"test":"data","value":123}',
        },
      },
    ],
    test_streaming_elicitation: [textContent("A stream with nothing but the result.")],
  };
  for (const [name, content] of Object.entries(contents)) {
    server.registerTool(name, { description: "A tool." }, () => ({ content }));
  }
  server.registerTool("test_error_handling", { description: "A tool." }, () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
  server.registerTool(
    "test_x_mcp_header",
    {
      description: "A tool.",
      inputSchema: fromJsonSchema<{ region?: string }>({
        type: "object",
        properties: { region: REGION },
      }),
    },
    ({ region = "none" }) => textResult(region),
  );
  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "A tool.", inputSchema: JSON_SCHEMA },
    () => textResult("taken"),
  );
}

const REGION = { type: "string" as const, "x-mcp-header": "Region" };

const JSON_SCHEMA = fromJsonSchema({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
});

const STEP_MS = 50;

function addRunningTools(server: McpServer): void {
  server.registerTool("test_tool_with_logging", NO_ARGUMENTS, async (_given, { mcpReq }) => {
    for (const data of [
      "Tool execution started",
      "Tool processing data",
      "Tool execution completed",
    ]) {
      await mcpReq.notify({ method: "notifications/message", params: { level: "info", data } });
      await pause(STEP_MS);
    }
    return textResult("logged");
  });
  server.registerTool("test_logging_tool", NO_ARGUMENTS, async (_given, { mcpReq }) => {
    await mcpReq.log("info", "Sent only to a request with a level for logging.");
    return textResult("logged");
  });
  server.registerTool("test_tool_with_progress", NO_ARGUMENTS, async (_given, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) {
        const params = { progressToken, progress, total: 100 };
        await mcpReq.notify({ method: "notifications/progress", params });
      }
      await pause(STEP_MS);
    }
    return textResult("done");
  });
  server.registerTool("test_reconnection", NO_ARGUMENTS, async (_given, { http }) => {
    http?.closeSSE?.();
    await pause(2 * STEP_MS);
    return textResult("The client has connected again.");
  });
}

function addResources(server: McpServer): void {
  const resource = (
    uri: string,
    content: { text: string } | { blob: string },
    mimeType: string,
  ) => {
    const read = () => ({ contents: [{ uri, mimeType, ...content }] });
    server.registerResource(uri, uri, { mimeType }, read);
  };
  resource("test://static-text", { text: "The content of the text resource." }, "text/plain");
  resource("test://static-binary", { blob: imageContent.data }, "image/png");
  resource("test://watched-resource", { text: "Watched" }, "text/plain");
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { mimeType: "application/json" },
    ({ href: uri }, { id }) => ({
      contents: [{ uri, mimeType: "application/json", text: JSON.stringify({ id }) }],
    }),
  );
  server.server.setRequestHandler("resources/subscribe", () => ({}));
  server.server.setRequestHandler("resources/unsubscribe", () => ({}));
}

const userMessage = <C>(content: C) => ({ role: "user" as const, content });

function addPrompts(server: McpServer): void {
  server.registerPrompt("test_simple_prompt", { description: "A prompt." }, () => ({
    messages: [userMessage(textContent("This is a simple prompt for testing."))],
  }));
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "A prompt.", argsSchema: z.object({ arg1: z.string(), arg2: z.string() }) },
    ({ arg1, arg2 }) => ({
      messages: [userMessage(textContent(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
    }),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "A prompt.", argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri: uri }) => ({
      messages: [
        userMessage({
          type: "resource" as const,
          resource: { uri, mimeType: "text/plain", text: "Embedded." },
        }),
        userMessage(textContent("Please process the embedded resource above.")),
      ],
    }),
  );
  server.registerPrompt("test_prompt_with_image", { description: "A prompt." }, () => ({
    messages: [userMessage(imageContent), userMessage(textContent("Please analyze the image."))],
  }));
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "A prompt.", argsSchema: NOTHING },
    (_given, { mcpReq }: ServerContext) => {
      const given = acceptedContent(mcpReq.inputResponses, "user_context");
      if (given !== undefined)
        return { messages: [userMessage(textContent(JSON.stringify(given)))] };
      const user_context = question("What context should the prompt use?", "context");
      return inputRequired({ inputRequests: { user_context } });
    },
  );
}
