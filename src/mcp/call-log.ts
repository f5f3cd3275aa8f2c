import { type Trace, traceFields } from "../lib/index.js";
import type { Logger } from "../log.js";
import type { ToolAnswer } from "./tool.js";

/** A call of a tool that has ended. */
interface EndedCall {
  readonly tool: string;
  readonly trace: Trace;
  readonly ms: number;
  readonly answer: ToolAnswer<Record<string, unknown>>;
}

/** Of a result, what the log has: no text of a model. */
const LOGGED = ["batch_id", "model", "status", "usage", "attempts", "cached"];

/** Writes the one line that each call has at `info`. */
export function logAnswer(log: Logger, { tool, trace, ms, answer }: EndedCall): void {
  const { failure = null, result } = answer;
  const facts = Object.entries(result).filter(
    ([name, value]) => LOGGED.includes(name) && value !== null,
  );
  const fields = { ...traceFields(trace), tool, ms, ...Object.fromEntries(facts) };
  if (failure === null) {
    log.info(fields, "tool answered");
  } else if (failure.code === "INTERNAL") {
    log.error({ ...fields, code: "INTERNAL", detail: failure.detail }, "tool failed");
  } else {
    // The message may quote an argument, which is logged at trace only.
    log.info({ ...fields, code: failure.code }, "tool failed");
  }
}
