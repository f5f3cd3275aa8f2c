export { type CallPolicy, DEFAULT_CALL_POLICY } from "./call-policy.js";
export { LocalServer, type ToolOutcome } from "./local-server.js";
export { type ServeOptions, serveOverStdio } from "./serve-over-stdio.js";
