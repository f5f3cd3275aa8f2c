import { type JSONRPCMessage, ProtocolErrorCode } from "@modelcontextprotocol/server";
import { portableJson } from "../../lib/index.js";
import { answerOf } from "./json-rpc.js";

/** A message as its line. An answer that cannot be serialized becomes a failure under its id. */
export const lineOf = (message: JSONRPCMessage): string => `${portableJson(jsonOf(message))}\n`;

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
