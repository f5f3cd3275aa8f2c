import type { ProtocolErrorCode } from "@modelcontextprotocol/server";

const CODES = {
  "invalid request": -32600,
  "invalid params": -32602,
  "missing capability": -32021,
} satisfies Readonly<
  Record<
    string,
    | ProtocolErrorCode.InvalidRequest
    | ProtocolErrorCode.InvalidParams
    | ProtocolErrorCode.MissingRequiredClientCapability
  >
>;

/**
 * The error that a request is answered with: the SDK sends the code, the message and the data of what a
 * handler throws. Not the SDK's own class: the first call loads the handlers apart from the start of the
 * server, and would load the SDK a second time with them.
 */
export class RequestError extends Error {
  readonly code: number;
  readonly data: Readonly<Record<string, unknown>> | undefined;

  constructor(kind: keyof typeof CODES, message: string, data?: Readonly<Record<string, unknown>>) {
    super(message);
    this.name = "RequestError";
    this.code = CODES[kind];
    this.data = data;
  }
}
