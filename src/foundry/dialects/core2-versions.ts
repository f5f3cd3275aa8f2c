import * as z from "zod";
import type { HttpTransport } from "../../http/index.js";
import { FoundryError } from "../../lib/index.js";
import { parseAnswer } from "./answers.js";
import type { SchemaForm } from "./chat-request.js";
import type { Call } from "./dialect.js";

/** Longer heads are reset without an answer (docs/foundry-local.md, section 7). */
export const HEAD_LIMIT_BYTES = 4096;

/**
 * All differences between the versions of C2 that matter to this client (docs/foundry-local.md,
 * section 9). No route reports the version, so it is probed.
 */
export interface Core2Version {
  /** For people. */
  readonly version: string;
  /** Serves registered models under `/catalogs/local`. */
  readonly hasLocalFamily: boolean;
  /** Closing a stream stops the generation (#1136). If not, it runs to its token limit. */
  readonly stopsOnDisconnect: boolean;
  /** It holds the answer to a JSON Schema of this form. In the form of OpenAI it only writes some JSON. */
  readonly schemaForm: SchemaForm;
  /** It drops calls and results of tools from a conversation. */
  readonly dropsToolResults: boolean;
  /** It passes `chat_template_kwargs` on to the template of the model. */
  readonly takesTemplateArguments: boolean;
  /** Which length of genai_config.json limits a request (#1067). */
  readonly contextLimit: "max_length" | "context_length";
}

const CORE_2_0: Core2Version = {
  version: "2.0",
  hasLocalFamily: false,
  stopsOnDisconnect: false,
  schemaForm: "call",
  dropsToolResults: true,
  takesTemplateArguments: false,
  contextLimit: "max_length",
};

export const CORE_2_1: Core2Version = {
  version: "2.1 or later",
  hasLocalFamily: true,
  stopsOnDisconnect: true,
  schemaForm: "bare",
  dropsToolResults: false,
  takesTemplateArguments: true,
  contextLimit: "context_length",
};

const responseListSchema = z.object({ object: z.literal("list") });

/**
 * Detects 2.1 by its second family of routes. The list of stored responses is the only route of the
 * family that takes no lock, so it answers while a model loads.
 */
export async function probeCore2Version(
  transport: HttpTransport,
  call: Call,
): Promise<Core2Version> {
  const answer = await transport.request({
    method: "GET",
    path: "/catalogs/local/v1/responses",
    ...call,
    headLimitBytes: HEAD_LIMIT_BYTES,
    anyStatus: true,
  });
  if (answer.status === 200) {
    parseAnswer(answer, responseListSchema, "/catalogs/local/v1/responses");
    return CORE_2_1;
  }
  if (answer.status === 404) return CORE_2_0;
  // Another status shows no version. A wrong guess would hide registered models.
  throw new FoundryError(
    "SERVICE_ERROR",
    `The service answered a request for its version with HTTP ${answer.status}.`,
    {
      status: answer.status,
      action: "Try again; restart the service if that does not help.",
      retryable: true,
      detail: answer.body.slice(0, 2000),
    },
  );
}
