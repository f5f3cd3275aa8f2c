/**
 * Hosts by the `clientInfo.name` that they send, with the seconds after which they end a call. Only
 * those whose limit is far from {@link DEFAULT_REPLY_WITHIN_MS}. Many frameworks send the name of an
 * SDK (`mcp` of Python's: OpenAI Agents, AutoGen, LlamaIndex, LangChain), which says nothing about
 * their limit, or a name that a user chose (OpenAI Agents for JavaScript, Mastra).
 */
const KNOWN: readonly (readonly [name: RegExp, limitSeconds: number])[] = [
  // Google ADK 2.13.0, tools/mcp_tool/session_context.py: `_CLIENT_INFO` and `timeout: float = 5.0`.
  [/^google-adk$/, 5],
  // Claude Code 2.1.332 has a limit of hours; its changelog of 2.1.212: a call moves to the background
  // after two minutes.
  [/^claude-code$/, 120],
  // Gemini CLI 0.61.0, core/src/tools/mcp-client.ts: `MCP_DEFAULT_TIMEOUT_MSEC`, ten minutes.
  [/^gemini-cli-mcp-client/, 600],
  // Qwen Code 0.24.4: the same, and its name ends with the name of the server.
  [/^qwen-cli-mcp-client/, 600],
];

/** What a call may take in most hosts, whose limit is 60 seconds. */
export const DEFAULT_REPLY_WITHIN_MS = 45_000;

/** The time limit of a host in milliseconds; `null`: it is not known by this name. */
export function knownLimitMs(clientName: string | undefined): number | null {
  const seconds = KNOWN.find(([name]) => name.test(clientName ?? ""))?.[1];
  return seconds === undefined ? null : seconds * 1000;
}
