import type { Clock } from "../clock.js";
import type { WholeAnswer } from "../wire/http.js";
import type { Part, Send, Tamper } from "../wire/reply.js";
import type { Wire } from "../wire/wire.js";
import type { FaultKind } from "./armed.js";

/** Time for the client to read what came before a reset. */
const RESET_AFTER_MS = 50;

const never = new Promise<void>(() => {});

type Bytes = Extract<Part, { kind: "bytes" }>;

/** How this fault changes an answer. `ended` is called when it ends the answer. */
export function tamperOf(fault: FaultKind, clock: Clock, ended: () => void): Tamper {
  const stop = async (wire: Wire, how: "reset" | "close"): Promise<void> => {
    // A reset right after bytes overtakes them: Node's clients then see an orderly end.
    if (how === "reset") await clock.sleep(RESET_AFTER_MS);
    wire[how]();
    ended();
    await never;
  };
  const end = async (send: Send): Promise<void> => {
    await send({ kind: "end" });
    ended();
    await never;
  };
  switch (fault.kind) {
    case "hang":
      return once(() => (fault.ms === undefined ? never : clock.sleep(fault.ms)));
    case "hang-after-headers":
      return async (part, send) => {
        if (part.kind === "start" || part.kind === "whole") {
          await send(part.kind === "whole" ? startOf(part.answer) : part);
          await never;
        }
      };
    case "reset-after":
    case "close-after": {
      const how = fault.kind === "reset-after" ? "reset" : "close";
      return fault.bytes === undefined
        ? afterEvents(fault.events ?? 0, (_send, wire) => stop(wire, how))
        : cutBytes(fault.bytes, (wire) => stop(wire, how));
    }
    case "end-after":
      return afterEvents(fault.events, end);
    case "error-event": {
      const error = { code: null, message: fault.message, param: null, type: fault.type };
      const text = `data: ${JSON.stringify({ error })}\n\n`;
      return afterEvents(fault.afterEvents, async (send) => {
        await send({ kind: "bytes", bytes: Buffer.from(text), event: true });
        await end(send);
      });
    }
    case "no-done":
      return (part, send) => {
        const text = part.kind === "bytes" ? part.bytes.toString() : "";
        if (text === "data: [DONE]\n\n") return;
        if (!fault.finishReason && /"finish_reason":"/.test(text)) return;
        return send(part);
      };
    case "stall":
      return afterEvents(fault.afterEvents, () =>
        fault.ms === undefined ? never : clock.sleep(fault.ms),
      );
    case "garbage-sse":
      return afterEvents(fault.afterEvents, (send) =>
        send({
          kind: "bytes",
          bytes: Buffer.from('data: {"choices":[{"del\nnonsense\n\n'),
          event: true,
        }),
      );
    case "half-json":
      return (part, send) => send(part.kind === "whole" ? half(part) : part);
    case "content-type":
      return (part, send) => send(withContentType(part, fault.value));
    case "merge":
      return merged(fault.events);
    case "crlf":
      return bytesChanged((text) => text.replaceAll("\n", "\r\n"));
    case "comments":
      return bytesChanged((text) => `: ${fault.text}\n\n${text}`);
    case "only-comments":
      return async (part, send) => {
        if (part.kind !== "start") return;
        await send(part);
        for (;;) {
          await clock.sleep(fault.everyMs);
          await send({ kind: "bytes", bytes: Buffer.from(": keep-alive\n\n"), event: false });
        }
      };
    case "split":
      return inPieces(fault.bytes, () => clock.yield());
    case "slow-body":
      return inPieces([fault.bytes], () => clock.sleep(fault.everyMs));
    case "reset":
    case "close":
    case "status":
    case "html":
    case "empty":
      // These replace the answer: see `insteadOf`.
      return (part, send) => send(part);
  }
}

/** Runs `action` before the first part. */
function once(action: () => Promise<void>): Tamper {
  let done = false;
  return async (part, send) => {
    if (!done) {
      done = true;
      await action();
    }
    await send(part);
  };
}

/** Runs `action` once, after so many events of a stream. */
function afterEvents(count: number, action: (send: Send, wire: Wire) => Promise<void>): Tamper {
  let events = 0;
  let done = false;
  return async (part, send, wire) => {
    if (part.kind === "bytes" && part.event) {
      if (events === count && !done) {
        done = true;
        await action(send, wire);
      }
      events += 1;
    }
    await send(part);
  };
}

function bytesChanged(change: (text: string) => string): Tamper {
  return (part, send) =>
    send(
      part.kind === "bytes" ? { ...part, bytes: Buffer.from(change(part.bytes.toString())) } : part,
    );
}

function merged(count: number): Tamper {
  let held: Bytes[] = [];
  const flush = async (send: Send) => {
    const bytes = Buffer.concat(held.map((part) => part.bytes));
    held = [];
    if (bytes.length > 0) await send({ kind: "bytes", bytes, event: true });
  };
  return async (part, send) => {
    if (part.kind === "bytes") {
      held.push(part);
      if (held.length === count) await flush(send);
      return;
    }
    await flush(send);
    await send(part);
  };
}

/** Cuts a stream's bytes at these lengths in turn, a whole answer into a stream of such pieces. */
function inPieces(lengths: readonly number[], pause: () => Promise<void>): Tamper {
  let turn = 0;
  const cut = async (all: Buffer, send: Send) => {
    let rest = all;
    while (rest.length > 0) {
      const length = lengths[turn % lengths.length] ?? rest.length;
      turn += 1;
      await send({ kind: "bytes", bytes: rest.subarray(0, length), event: false });
      rest = rest.subarray(length);
      await pause();
    }
  };
  return async (part, send) => {
    if (part.kind === "bytes") return cut(part.bytes, send);
    if (part.kind !== "whole") return send(part);
    await send(startOf(part.answer));
    await cut(Buffer.from(part.answer.body), send);
    await send({ kind: "end" });
  };
}

function half(part: Extract<Part, { kind: "whole" }>): Part {
  const { body } = part.answer;
  return {
    kind: "whole",
    answer: { ...part.answer, body: body.slice(0, Math.ceil(body.length / 2)) },
  };
}

function withContentType(part: Part, contentType: string): Part {
  if (part.kind === "whole") return { kind: "whole", answer: { ...part.answer, contentType } };
  return part.kind === "start" ? { ...part, contentType } : part;
}

/** The beginning of a whole answer whose body comes as a stream. */
const startOf = ({ status, contentType }: WholeAnswer): Part => ({
  kind: "start",
  status,
  contentType,
});

/** Sends so many bytes of a body, then runs `action` instead of the rest. */
function cutBytes(count: number, action: (wire: Wire) => Promise<void>): Tamper {
  let passed = 0;
  return async (part, send, wire) => {
    if (part.kind === "whole") {
      await send(startOf(part.answer));
      const bytes = Buffer.from(part.answer.body).subarray(0, count);
      if (bytes.length > 0) await send({ kind: "bytes", bytes, event: false });
      await action(wire);
      return;
    }
    if (part.kind !== "bytes") return send(part);
    const bytes = part.bytes.subarray(0, count - passed);
    passed += bytes.length;
    if (bytes.length > 0) await send({ ...part, bytes });
    if (bytes.length < part.bytes.length || passed === count) await action(wire);
  };
}

const HTML = "<!doctype html><html><head><title>Sign in</title></head><body>Sign in</body></html>";

/** The replacement of an answer; `null` for a fault that changes the service's own answer. */
export function insteadOf(fault: FaultKind): WholeAnswer | "reset" | "close" | null {
  switch (fault.kind) {
    case "reset":
    case "close":
      return fault.kind;
    case "status":
      return {
        status: fault.status,
        body: fault.body,
        contentType: fault.contentType,
        headers: Object.entries(fault.headers),
      };
    case "html":
      return { status: 200, body: HTML, contentType: "text/html; charset=utf-8" };
    case "empty":
      return { status: 200, body: "", contentType: "application/json" };
    default:
      return null;
  }
}
