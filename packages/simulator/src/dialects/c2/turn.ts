import type { Engine } from "../../engine/engine.js";
import { EngineFailure } from "../../engine/generation.js";
import { Output, type Piece } from "../../engine/output.js";
import { type RawAnswer, rawAnswer } from "../../engine/script.js";
import { type PromptMessage, piecesOf, promptTokens } from "../../engine/tokens.js";
import { type DeclaredTool, simulatedCall, type ToolChoice } from "../../engine/tool-calls.js";
import type { PromptSeen, SimulatedModel } from "../../models/model.js";
import type { ReceivedRequest } from "../../received.js";
import type { Switches } from "../../switches.js";
import { LateError } from "./errors.js";
import { type Budget, budgetOf, checkSampling, type Sampling } from "./sampling.js";
import { sourceText } from "./source-lines.js";
import { stopStrings } from "./stop-strings.js";
import { undeclared } from "./tools.js";

/** One answer that is asked for, of a chat completion or of a response. */
export interface Turn {
  readonly model: SimulatedModel;
  /** Messages as they reach the template; a function, since they may be refused then. */
  readonly messages: () => readonly PromptMessage[];
  readonly nothingToSay: "nothingToSay" | "nothingToSayInResponses";
  readonly sampling: Sampling;
  readonly tools: readonly DeclaredTool[];
  readonly choice: ToolChoice | { readonly unknown: string };
  /** As the request gives it. */
  readonly stop: unknown;
  /** JSON that a constrained model without a script writes; `null`: it is not constrained. */
  readonly json: string | null;
}

/** A turn that passed its checks. Grows while {@link Run.pieces} is read. */
export interface Run {
  readonly inputTokens: number;
  outputTokens: number;
  reasoningTokens: number;
  finish: "stop" | "length" | "tool_calls";
  /** A thought that was never closed. */
  unfinishedThought: boolean;
  readonly pieces: AsyncGenerator<readonly Piece[]>;
}

/** @throws {LateError} for what is only found when generating begins. */
export function startTurn(
  turn: Turn,
  engine: Engine,
  switches: Switches,
  record: ReceivedRequest,
  cancelled: () => boolean,
): Run {
  checkSampling(turn.sampling, switches);
  const stop = switches.stopStrings === "honoured" ? stopStrings(turn.stop) : [];
  const choice = knownChoice(turn, switches);
  const useTools = turn.tools.length > 0 && choice !== "none";
  if (useTools && turn.model.toolMarkers === null && switches.toolsWithoutMarkers === "refused") {
    throw new LateError(sourceText("toolMarkers", switches), false);
  }
  const messages = turn.messages();
  if (messages.length === 0) throw new LateError(sourceText(turn.nothingToSay, switches), true);
  const inputTokens = promptTokens(turn.model, messages, useTools ? turn.tools : []);
  const budget = budgetOf(turn.sampling, turn.model, inputTokens, switches);
  const output = new Output({
    reasoning: turn.model.reasoningMarkers,
    tools: useTools ? turn.model.toolMarkers : null,
    stop,
  });
  const answer = answerTo(turn, messages, choice);
  const tokens = engine.run(turn.model, answer, budget.maxTokens, record, cancelled);
  const run: Omit<Run, "pieces"> = {
    inputTokens,
    outputTokens: 0,
    reasoningTokens: 0,
    finish: "stop",
    unfinishedThought: false,
  };
  return Object.assign(run, { pieces: piecesOfRun(run, tokens, output, budget, switches) });
}

/** `obeyed: none` turns the tools off; the July core parses calls all the same. */
function knownChoice(turn: Turn, switches: Switches): ToolChoice {
  const { choice } = turn;
  if (typeof choice === "object" && "unknown" in choice) {
    throw new LateError(
      `${sourceText("toolChoice", switches)} Invalid value for tool_choice: '${choice.unknown}'. Expected 'auto', 'none', or 'required'.`,
      true,
    );
  }
  if (choice === "none" && switches.toolChoiceNone === "ignored") return "auto";
  const missing =
    typeof choice === "object" && !turn.tools.some(({ name }) => name === choice.name);
  if (missing && switches.toolChecks === "strict")
    throw new LateError(undeclared(choice.name), true);
  return choice;
}

function answerTo(turn: Turn, messages: readonly PromptMessage[], choice: ToolChoice): RawAnswer {
  const lastUser = messages.findLast(({ role }) => role === "user");
  const seen: PromptSeen = {
    text: lastUser?.content ?? "",
    messages,
    tools: turn.tools.map(({ name }) => name),
  };
  const afterResult = messages.at(-1)?.role === "tool";
  const call = simulatedCall(turn.tools, choice, seen.text, afterResult);
  const answer = rawAnswer(turn.model, seen, call);
  if (turn.json === null || turn.model.script !== undefined || call !== null) return answer;
  return { ...answer, tokens: piecesOf(turn.json) };
}

async function* piecesOfRun(
  run: Omit<Run, "pieces">,
  tokens: AsyncGenerator<string>,
  output: Output,
  budget: Budget,
  switches: Switches,
): AsyncGenerator<readonly Piece[]> {
  let called = false;
  const noted = (pieces: readonly Piece[]) => {
    called ||= pieces.some(({ kind }) => kind === "calls");
    run.reasoningTokens = switches.reasoning === "dropped" ? 0 : output.reasoningTokens;
    return pieces;
  };
  try {
    for await (const token of tokens) {
      run.outputTokens += 1;
      yield noted(output.push(token));
      if (output.stopped) break;
    }
  } catch (error) {
    if (!(error instanceof EngineFailure)) throw error;
    throw new LateError(`${sourceText("generation", switches)} ${error.message}`, false);
  }
  const cut = !output.stopped && run.outputTokens === budget.maxTokens;
  run.finish = cut && budget.saysLength ? "length" : "stop";
  const rest = noted([...output.finish(), ...cutCall(output, switches)]);
  if (called) run.finish = "tool_calls";
  run.unfinishedThought = output.thinking;
  yield rest;
}

/** A call that was cut short: its text is content, and the newer versions find fault with it. */
function cutCall(output: Output, switches: Switches): Piece[] {
  const text = output.unfinishedCall;
  if (text === null) return [];
  if (switches.toolCallText === "kept") return [{ kind: "content", text }];
  throw new LateError(sourceText("toolCallCut", switches), false);
}
