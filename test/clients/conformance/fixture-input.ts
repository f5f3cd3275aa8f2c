import { randomUUID } from "node:crypto";
import {
  CLIENT_CAPABILITIES_META_KEY,
  type InputRequests,
  inputRequired,
  type McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { NO_ARGUMENTS, question, STATE, textContent, textResult } from "./fixture-parts.js";

/** They ask the client in the older era, in which a server sends requests. */
export function addAskingTools(server: McpServer): void {
  const elicited = async ({ mcpReq }: ServerContext, message: string, properties: object) => {
    const requestedSchema = { type: "object", properties, required: [] };
    const params = { message, requestedSchema };
    const { action, content } = await mcpReq.send({ method: "elicitation/create", params });
    return textResult(`action=${action}, content=${JSON.stringify(content ?? {})}`);
  };
  server.registerTool(
    "test_sampling",
    { description: "A tool.", inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, { mcpReq }) => {
      const messages = [{ role: "user", content: textContent(prompt) }];
      const params = { messages, maxTokens: 100 };
      const sampled = await mcpReq.send({ method: "sampling/createMessage", params });
      return textResult(`LLM response: ${JSON.stringify(sampled.content)}`);
    },
  );
  server.registerTool(
    "test_elicitation",
    { description: "A tool.", inputSchema: z.object({ message: z.string() }) },
    ({ message }, context) => elicited(context, message, { response: { type: "string" } }),
  );
  server.registerTool("test_elicitation_sep1034_defaults", NO_ARGUMENTS, (_given, context) =>
    elicited(context, "Please review the defaults", DEFAULTS),
  );
  server.registerTool("test_elicitation_sep1330_enums", NO_ARGUMENTS, (_given, context) =>
    elicited(context, "Please select options", ENUMS),
  );
}

const DEFAULTS = {
  name: { type: "string", default: "John Doe" },
  age: { type: "integer", default: 30 },
  score: { type: "number", default: 95.5 },
  status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
  verified: { type: "boolean", default: true },
};

const OPTIONS = ["option1", "option2", "option3"];
const TITLED = ["First", "Second", "Third"].map((title, index) => ({
  const: `value${index + 1}`,
  title,
}));
const ENUMS = {
  untitledSingle: { type: "string", enum: OPTIONS },
  titledSingle: { type: "string", oneOf: TITLED },
  legacyEnum: {
    type: "string",
    enum: ["opt1", "opt2", "opt3"],
    enumNames: ["Option One", "Option Two", "Option Three"],
  },
  untitledMulti: { type: "array", items: { type: "string", enum: OPTIONS } },
  titledMulti: { type: "array", items: { anyOf: TITLED } },
};

const sampling = (text: string) =>
  inputRequired.createMessage({
    messages: [{ role: "user", content: textContent(text) }],
    maxTokens: 100,
  });
const userName = question("What is your name?", "name");

const envelope = z.object({ [CLIENT_CAPABILITIES_META_KEY]: z.object({}).loose() });

interface InputTool {
  readonly asks: InputRequests;
  /** Whether the client must send a sealed state back. */
  readonly isSealed?: boolean;
}

const INPUT_TOOLS: Readonly<Record<string, InputTool>> = {
  test_missing_capability: { asks: { llm_answer: sampling("Say pong.") } },
  test_input_required_result_elicitation: { asks: { user_name: userName } },
  test_input_required_result_sampling: {
    asks: { capital_question: sampling("What is the capital of France?") },
  },
  test_input_required_result_list_roots: { asks: { client_roots: inputRequired.listRoots() } },
  test_input_required_result_request_state: {
    asks: { confirm: question("Please confirm", "ok") },
    isSealed: true,
  },
  test_input_required_result_tampered_state: {
    asks: { confirm: question("Please confirm", "ok") },
    isSealed: true,
  },
  test_input_required_result_multiple_inputs: {
    asks: {
      user_name: userName,
      greeting: sampling("Generate a greeting"),
      client_roots: inputRequired.listRoots(),
    },
    isSealed: true,
  },
};

/** They answer that they need input of the client, which is how the later era asks. */
export function addInputTools(server: McpServer): void {
  for (const [name, { asks, isSealed = false }] of Object.entries(INPUT_TOOLS)) {
    server.registerTool(name, NO_ARGUMENTS, async (_given, { mcpReq }) => {
      const given = mcpReq.inputResponses ?? {};
      const isAnswered = Object.keys(asks).every((key) => given[key] !== undefined);
      if (isAnswered && (!isSealed || mcpReq.requestState() !== undefined)) {
        return textResult(`state-ok: ${JSON.stringify(given)}`);
      }
      if (!isSealed) return inputRequired({ inputRequests: asks });
      const requestState = await STATE.mint({ name, nonce: randomUUID() });
      return inputRequired({ inputRequests: asks, requestState });
    });
  }
  server.registerTool(
    "test_input_required_result_multi_round",
    NO_ARGUMENTS,
    async (_given, { mcpReq }) => {
      const round = Number(mcpReq.requestState<Record<string, unknown>>()?.["round"] ?? 0);
      const requestState = await STATE.mint({ round: round + 1, nonce: randomUUID() });
      if (round === 0) return inputRequired({ inputRequests: { step1: userName }, requestState });
      if (round > 1) return textResult("Both rounds are over.");
      const color = question("What is your favorite color?", "color");
      return inputRequired({ inputRequests: { step2: color }, requestState });
    },
  );
  server.registerTool(
    "test_input_required_result_capabilities",
    NO_ARGUMENTS,
    (_given, { mcpReq }) => {
      const declared = envelope.parse(mcpReq.envelope)[CLIENT_CAPABILITIES_META_KEY];
      const inputRequests: InputRequests = {
        ...("elicitation" in declared && { user_name: userName }),
        ...("sampling" in declared && { greeting: sampling("Generate a greeting") }),
        ...("roots" in declared && { client_roots: inputRequired.listRoots() }),
      };
      const isOver = mcpReq.inputResponses !== undefined || Object.keys(inputRequests).length === 0;
      return isOver ? textResult("done") : inputRequired({ inputRequests });
    },
  );
}
