import { type JSONRPCMessage, ProtocolErrorCode } from "@modelcontextprotocol/server";
import { answerOf } from "./json-rpc.js";

/** Each escape of a JSON text: a half of a surrogate pair, or any other. */
const ESCAPES = /\\(?:u(d[89a-f][0-9a-f]{2})|.)/g;

/**
 * A message as its line. Half a character is replaced: not every reader survives it. An answer that is
 * no JSON becomes a failure under its id, so that its caller does not wait.
 */
export function lineOf(message: JSONRPCMessage): string {
  const json = jsonOf(message);
  // JSON.stringify escapes a half alone, and writes whole pairs as they are.
  const isHalf = json.includes("\\ud");
  const text = isHalf
    ? json.replace(ESCAPES, (whole, half) => (half === undefined ? whole : "\\ufffd"))
    : json;
  return `${text}\n`;
}

function jsonOf(message: JSONRPCMessage): string {
  try {
    return JSON.stringify(message);
  } catch (thrown) {
    if ("method" in message || message.id === undefined) throw thrown;
    const what = "The answer could not be serialized as JSON, which is a bug in foundry-local-mcp.";
    return JSON.stringify(
      answerOf({ code: ProtocolErrorCode.InternalError, message: what, id: message.id }),
    );
  }
}
