import * as z from "zod";
import type { Completion, CompletionRequest } from "../../foundry/index.js";
import { counted, type FoundryError, inSnakeCase, withoutControls } from "../../lib/index.js";
import { terminalWords } from "../../terminal-words.js";
import { showAnswer } from "../answer.js";
import { readArguments } from "../arguments.js";
import { type ClientCommand, clientCommand } from "../client-command.js";
import { EXIT } from "../command-line.js";
import {
  printHelp,
  SETTINGS_NOTE,
  type TextOutput,
  textColumns,
  WrappedText,
} from "../terminal.js";
import { requestOf, schemaIn } from "./input.js";

const HELP = `Usage: foundry-local-mcp ask "QUESTION" [flags]
       PROGRAM | foundry-local-mcp ask [QUESTION] [flags]

Asks a model on this machine and writes its answer to stdout, as it comes. Text that is piped to it
is added to the question; with - or without a question it is the question.

  --model NAME       alias, name or id; default: the model of FOUNDRY_MODEL
  --system TEXT      instructions that come before the question
  --max-tokens N     longest answer
  --file PATH        add a text file or an image; may be given several times
  --schema FILE      a JSON Schema that the answer fits; the answer is JSON, written at its end
  --json             one JSON object at the end, and nothing else on stdout: ok, text, data,
                     reasoning, model, finish_reason, usage, timing, warnings; or ok and error

What it waits for, warnings and errors go to stderr. Ctrl+C stops the answer.
Exit code 0 for an answer, 1 for a failure, 2 for a wrong argument, 3 if no service answers, 4 if the
model is not there or not downloaded, 130 after Ctrl+C.
${SETTINGS_NOTE}`;

const flagsSchema = z.object({
  system: z.string().optional(),
  file: z.array(z.string()).default([]),
  schema: z.string().optional(),
  json: z.boolean().default(false),
});

type Flags = z.output<typeof flagsSchema>;

/** `foundry-local-mcp ask`: one question to a model, for a person at a terminal or a script. */
export async function ask(args: readonly string[]): Promise<number> {
  const accepted = { takesWords: true };
  const { own, words, flags, asksForHelp } = readArguments("ask", args, flagsSchema, accepted);
  if (asksForHelp) return printHelp(HELP);
  const onFailure = ({ code, message, action, retryable }: FoundryError): void => {
    if (own.json) writeJson({ ok: false, error: { code, message, action, retryable } });
  };
  return clientCommand({ flags, onFailure }, async (command) => {
    const { signal } = command;
    const asked = await requestOf({ words, files: own.file, input: process.stdin, signal });
    const schema = own.schema === undefined ? undefined : await schemaIn(own.schema, signal);
    const { FOUNDRY_MODEL: model } = command.settings;
    return answered({ ...asked, system: own.system, schema, model }, own, command);
  });
}

async function answered(
  request: CompletionRequest,
  flags: Flags,
  { client, signal, notes }: ClientCommand,
): Promise<number> {
  // The reader of the answer has gone (`… | head`): stop the generation.
  const unread = new AbortController();
  process.stdout.once("error", () => unread.abort());
  const stream = client.streamComplete(request, {
    signal: AbortSignal.any([signal, unread.signal]),
    onStatus: (news) => {
      // Searching takes a moment; in the log of a script it is of no use.
      if (news.step !== "finding" || notes.isTerminal) notes.progress(news);
    },
  });
  const answer = flags.json || flags.schema !== undefined ? null : new AnswerText();
  try {
    await showAnswer(stream, answer, notes);
  } catch (thrown) {
    answer?.endStream();
    if (unread.signal.aborted) return EXIT.done;
    throw thrown;
  }
  notes.clear();
  const completion = stream.snapshot();
  if (flags.json) writeJson({ ok: true, ...resultOf(completion), error: null });
  else if (answer === null) process.stdout.write(`${harmless(completion.text)}\n`);
  else answer.endStream();
  for (const warning of warningsOf(completion)) notes.faint(`Note: ${warning}`);
  return EXIT.done;
}

/** The answer on stdout as it comes. */
class AnswerText implements TextOutput {
  readonly #wrapped = new WrappedText(textColumns(process.stdout));
  #isAtLineStart = true;
  #hasText = false;

  stream(piece: string): void {
    if (piece === "") return;
    this.#hasText = true;
    process.stdout.write(process.stdout.isTTY ? this.#wrapped.add(harmless(piece)) : piece);
    this.#isAtLineStart = piece.endsWith("\n");
  }

  endStream(): boolean {
    const hasText = this.#hasText;
    process.stdout.write(this.#wrapped.end());
    if (!this.#isAtLineStart) process.stdout.write(this.#wrapped.add("\n"));
    this.#isAtLineStart = true;
    this.#hasText = false;
    return hasText;
  }
}

function warningsOf(completion: Completion): string[] {
  const { warnings, finishReason, usage, isLimitedByService } = completion;
  const isCut = finishReason === "length" && !warnings.some((each) => each.includes("maxTokens"));
  const tokens =
    usage.outputTokens === null ? "" : ` after ${counted(usage.outputTokens, "token")}`;
  const remedy =
    isLimitedByService === true
      ? "the context of the model is full, or the engine has a limit of its own."
      : "raise `--max-tokens` for more.";
  return [
    ...warnings.map(terminalWords),
    ...(isCut ? [`The answer was cut off${tokens}: ${remedy}`] : []),
  ];
}

function resultOf(completion: Completion) {
  const { text, data, reasoning, model, finishReason, usage, timing, warnings } = completion;
  const { queuedMs: _queued, ...times } = timing;
  return {
    text,
    ...(data === undefined ? {} : { data }),
    reasoning,
    model,
    finish_reason: finishReason,
    usage: inSnakeCase(usage),
    timing: inSnakeCase(times),
    warnings: warnings.map(terminalWords),
  };
}

function writeJson(value: object): void {
  process.stdout.write(`${harmless(JSON.stringify(value, null, 2))}\n`);
}

/** A model must not steer the terminal. A file or a pipe gets the text as it is. */
const harmless = (text: string): string =>
  process.stdout.isTTY ? withoutControls(text).replaceAll("\r", " ") : text;
