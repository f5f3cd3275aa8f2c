import * as z from "zod";
import {
  type FoundryError,
  formatWait,
  LONGEST_ERROR,
  type Trace,
  truncate,
} from "../lib/index.js";
import { serverWords } from "../server-words.js";
import type { Backend } from "./backend.js";
import { hostArguments, withIgnored } from "./host-arguments.js";
import type { Cancellation } from "./hosts.js";
import type { ProgressReporter } from "./progress-reporter.js";
import type { UserAnswer } from "./user-questions.js";

/** What a tool does to the world; its annotations are derived from it. */
export type Effect = "reads" | "generates" | "changes";

/** What a call works with. */
export interface ToolContext extends Pick<Backend, "client" | "kept" | "files" | "vectors"> {
  /** Aborted when the caller cancels or is gone. */
  readonly signal: AbortSignal;
  readonly progress: ProgressReporter;
  /** After so long the call answers with what it has, unless its argument says otherwise. */
  readonly replyWithinMs: number;
  /** How much of it is over. */
  readonly spentMs: () => number;
  /** What the host wants of the work, once the signal is aborted. */
  readonly cancellation: () => Cancellation;
  /** Runs after the grace period of a cancellation without a clear reason. */
  readonly afterGrace: (callback: () => void) => void;
  /** Whose call it is, where several hosts share the queue. */
  readonly caller: string | undefined;
  /** What the user answered to a question, where the host can ask; `null`: it was not asked. */
  readonly userAnswerTo: ((key: string) => UserAnswer | null) | undefined;
  /** Takes the id of the work that the call has begun, under which it is found as a task. */
  readonly identify: (id: string) => void;
  /** Of the host; its id is that of this call. */
  readonly trace: Trace & { readonly id: string };
  /** The connection that the call came over; `null`: one of its own. */
  readonly session: string | null;
}

/**
 * What came of a call. Some hosts show their model only the text, some only the structured result, so the
 * tool registry puts `next` and `notes` into both.
 */
export interface ToolAnswer<R> {
  /** One line that says what to call now. Default: `null`, nothing. */
  readonly next?: string | null;
  /** What else the agent must know, each a sentence. */
  readonly notes?: readonly string[];
  /** The result in words, without `next` and `notes`. Of a failure: the text so far. */
  readonly text: string;
  /** The structured result. Its members that are `null` are left out. */
  readonly result: R;
  readonly failure?: FoundryError | null;
}

interface ToolDefinition<A extends z.ZodObject, R extends z.ZodObject>
  extends Omit<Tool, "arguments" | "result" | "call"> {
  readonly arguments: A;
  readonly result: R;
  /** Does the work. A `FoundryError` it throws becomes the call's failure. */
  handle(given: z.output<A>, context: ToolContext): Promise<ToolAnswer<z.output<R>>>;
}

/** A tool as the adapter sees it: its argument and result types are its own affair. */
export interface Tool {
  readonly name: string;
  readonly title: string;
  /** For the model: what it does, when to use it, what comes back. */
  readonly description: string;
  readonly arguments: z.ZodObject;
  readonly result: z.ZodObject;
  readonly effect: Effect;
  /** Whether its result holds text of a model, which is handed on as it is. Default: `false`. */
  readonly quotesModel?: boolean;
  /** Whether its work has an id and outlives the call, so that a task can stand for it. Default: `false`. */
  readonly outlivesCall?: boolean;
  /** @throws FoundryError `INVALID_ARGUMENT` where `given` does not fit, and what the work throws. */
  call(given: unknown, context: ToolContext): Promise<ToolAnswer<Record<string, unknown>>>;
}

export function defineTool<A extends z.ZodObject, R extends z.ZodObject>(
  definition: ToolDefinition<A, R>,
): Tool {
  return {
    ...definition,
    result: z.object({ ...frame, ...definition.result.shape }),
    call: async (sent, context) => {
      const { given, warnings } = hostArguments(definition.arguments, sent);
      const answer = await definition.handle(given, context).catch((thrown: unknown) => {
        throw withIgnored(thrown, warnings);
      });
      return { ...answer, notes: [...(answer.notes ?? []), ...warnings] };
    },
  };
}

/**
 * Every structured result begins with these. `next` is the one member that can be `null`. Some clients
 * take no list of types, which zod makes of a nullable string.
 */
const frame = {
  next: z.unknown().meta({ oneOf: [{ type: "string" }, { type: "null" }] }),
  notes: z.array(z.string()),
};

/** {@link failureText} for hosts that show only the structured result. */
export function failureFrame(
  error: FoundryError,
  notes: readonly string[],
): { readonly next: string; readonly notes: readonly string[] } {
  const said = (words: string): string => truncate(serverWords(words), LONGEST_ERROR / 2);
  return {
    next: said(`${error.action} ${repeatAdvice(error)}`),
    notes: [said(`${error.code}: ${error.message}`), ...logAdvice(error), ...notes],
  };
}

/** A failure in words for the model that called: what happened, what to do, whether to repeat it. */
export function failureText(
  error: FoundryError,
  textSoFar = "",
  notes: readonly string[] = [],
): string {
  const words = [`${error.code}: ${error.message}`, error.action, repeatAdvice(error)];
  const lines = [...words, ...logAdvice(error), ...notes];
  const text = truncate(serverWords(lines.join("\n")), LONGEST_ERROR);
  if (textSoFar === "") return text;
  // An answer that does not fit its schema may be whole.
  const heading =
    error.code === "SCHEMA_MISMATCH" ? "The last answer:" : "The text so far (incomplete):";
  return `${text}\n\n${heading}\n${textSoFar}`;
}

/** The same in one line, for a list. */
export const failureLine = (error: FoundryError): string =>
  truncate(serverWords(`${error.code}: ${error.message} ${error.action}`), LONGEST_ERROR);

const logAdvice = ({ requestId }: FoundryError): readonly string[] =>
  requestId === null ? [] : [`Id of the request in the service's log: ${requestId}`];

function repeatAdvice({ retryable, retryAfterMs }: FoundryError): string {
  if (!retryable) return "The same call will fail again unless something is changed.";
  if (retryAfterMs === null) return "The same call may succeed later.";
  return `The same call may succeed in ${formatWait(retryAfterMs)}.`;
}
