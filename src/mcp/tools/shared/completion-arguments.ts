import * as z from "zod";
import { type CompletionRequest, completionFields } from "../../../foundry/index.js";

const {
  maxTokens: max_tokens,
  topP: top_p,
  schema: response_schema,
  ...sameNames
} = completionFields;

const schema = z.strictObject({ ...sameNames, max_tokens, top_p, response_schema }).partial();

/** The members of a request as arguments of a tool: in snake_case, all optional. */
export const completionArguments = schema.shape;

/** The settings among them, which the requests of a batch share. */
export const sharedSettings = schema.omit({ prompt: true, messages: true }).shape;

export const requestOf = ({
  max_tokens: maxTokens,
  top_p: topP,
  response_schema: answerSchema,
  ...same
}: z.output<typeof schema>): CompletionRequest => ({
  ...same,
  maxTokens,
  topP,
  schema: answerSchema,
});
