/** A real MCP client or agent framework, and the script that drives it. */
export interface Client {
  /** Its name in npm or PyPI, with what tells two entries of one package apart. */
  readonly name: string;
  readonly ecosystem: "npm" | "PyPI";
  /** With exact versions; the first one is the client. */
  readonly packages: readonly string[];
  /** A file of `scripts/`. */
  readonly script: string;
  /** Given to the script. */
  readonly mode?: string;
  /** The client does not run on Node 20. */
  readonly isForNewerNode?: boolean;
  /** How long it waits for the result of a call by default; `null` for any time. */
  readonly limitSeconds: number | null;
  /** The source of this value. */
  readonly source: string;
  /** The client has no agent: the script calls the tools. */
  readonly isWithoutAgent?: boolean;
  /** How a user adds the server, in one line. */
  readonly setup: string;
}

const SDK_LIMIT = "`DEFAULT_REQUEST_TIMEOUT_MSEC` of the SDK";
const SESSION_LIMIT = "`read_timeout_seconds` of `ClientSession` is unset";

export const CLIENTS: readonly Client[] = [
  {
    name: "@modelcontextprotocol/sdk",
    ecosystem: "npm",
    packages: ["@modelcontextprotocol/sdk@1.32.2"],
    script: "sdk-1.mjs",
    isWithoutAgent: true,
    limitSeconds: 60,
    source: SDK_LIMIT,
    setup: 'new StdioClientTransport({ command: "npx", args: ["foundry-local-mcp"] })',
  },
  ...(["legacy", "auto", "pinned"] as const).map(
    (mode): Client => ({
      name: `@modelcontextprotocol/client, ${mode}`,
      ecosystem: "npm",
      packages: ["@modelcontextprotocol/client@2.4.0"],
      script: "sdk-2.mjs",
      isWithoutAgent: true,
      mode,
      limitSeconds: 60,
      source: SDK_LIMIT,
      setup: 'new StdioClientTransport({ command: "npx", args: ["foundry-local-mcp"] })',
    }),
  ),
  {
    name: "@langchain/mcp-adapters",
    ecosystem: "npm",
    packages: ["@langchain/mcp-adapters@1.1.4", "langchain@1.5.14", "@langchain/core@1.4.0"],
    script: "langchain.mjs",
    limitSeconds: 60,
    source: `${SDK_LIMIT}; \`defaultToolTimeout\``,
    setup:
      'new MultiServerMCPClient({ mcpServers: { foundry: { command: "npx", args: ["foundry-local-mcp"] } } })',
  },
  {
    name: "@ai-sdk/mcp",
    ecosystem: "npm",
    packages: ["@ai-sdk/mcp@2.0.99", "ai@7.0.173", "zod@4.6.7"],
    script: "ai-sdk.mjs",
    isForNewerNode: true,
    limitSeconds: null,
    source: "a call ends with `abortSignal` only",
    setup:
      'createMCPClient({ transport: new Experimental_StdioMCPTransport({ command: "npx", args: ["foundry-local-mcp"] }) })',
  },
  {
    name: "@openai/agents",
    ecosystem: "npm",
    packages: ["@openai/agents@0.20.0", "zod@4.6.7"],
    script: "openai-agents.mjs",
    limitSeconds: 60,
    source: "`timeout` of `MCPServerStdio`",
    setup: 'new MCPServerStdio({ name: "foundry", command: "npx", args: ["foundry-local-mcp"] })',
  },
  {
    name: "@mastra/mcp",
    ecosystem: "npm",
    packages: ["@mastra/mcp@2.0.0", "@mastra/core@1.71.0", "zod@4.6.7"],
    script: "mastra.mjs",
    isForNewerNode: true,
    limitSeconds: 60,
    source: "`timeout` of `MCPClient`",
    setup:
      'new MCPClient({ servers: { foundry: { command: "npx", args: ["foundry-local-mcp"] } } })',
  },
  {
    name: "mcp 1.x",
    ecosystem: "PyPI",
    packages: ["mcp==1.30.0"],
    script: "mcp_session.py",
    isWithoutAgent: true,
    limitSeconds: null,
    source: SESSION_LIMIT,
    setup: 'StdioServerParameters(command="npx", args=["foundry-local-mcp"])',
  },
  ...(["session", "legacy", "auto", "2026-07-28"] as const).map(
    (mode): Client => ({
      name: `mcp 2.x, ${mode}`,
      ecosystem: "PyPI",
      packages: ["mcp==2.3.0"],
      script: mode === "session" ? "mcp_session.py" : "mcp_client.py",
      isWithoutAgent: true,
      mode,
      limitSeconds: null,
      source: SESSION_LIMIT,
      setup: 'StdioServerParameters(command="npx", args=["foundry-local-mcp"])',
    }),
  ),
  {
    name: "openai-agents",
    ecosystem: "PyPI",
    packages: ["openai-agents==0.24.0"],
    script: "openai_agents.py",
    limitSeconds: 5,
    source: "`client_session_timeout_seconds` of `MCPServerStdio`",
    setup: 'MCPServerStdio(params={"command": "npx", "args": ["foundry-local-mcp"]})',
  },
  {
    name: "pydantic-ai-slim",
    ecosystem: "PyPI",
    packages: ["pydantic-ai-slim[mcp]==2.68.0"],
    script: "pydantic_ai_agent.py",
    limitSeconds: 300,
    source: "`read_timeout` of `MCPToolset`",
    setup: 'MCPToolset(StdioTransport(command="npx", args=["foundry-local-mcp"]))',
  },
  {
    name: "langchain-mcp-adapters",
    ecosystem: "PyPI",
    packages: ["langchain-mcp-adapters==0.3.2", "langchain==1.5.0", "mcp==1.30.0"],
    script: "langchain_agent.py",
    limitSeconds: null,
    source: SESSION_LIMIT,
    setup:
      'MultiServerMCPClient({"foundry": {"transport": "stdio", "command": "npx", "args": ["foundry-local-mcp"]}}).session("foundry")',
  },
  {
    name: "google-adk",
    ecosystem: "PyPI",
    packages: ["google-adk[mcp]==2.13.0"],
    script: "google_adk.py",
    limitSeconds: 5,
    source: "`timeout` of `StdioConnectionParams`",
    setup:
      'McpToolset(connection_params=StdioConnectionParams(server_params=StdioServerParameters(command="npx", args=["foundry-local-mcp"])))',
  },
  {
    name: "crewai-tools",
    ecosystem: "PyPI",
    packages: ["crewai-tools[mcp]==1.15.30", "crewai==1.15.30"],
    script: "crewai_crew.py",
    limitSeconds: null,
    source: SESSION_LIMIT,
    setup: 'MCPServerAdapter(StdioServerParameters(command="npx", args=["foundry-local-mcp"]))',
  },
  {
    name: "smolagents",
    ecosystem: "PyPI",
    packages: ["smolagents[mcp]==1.26.0", "mcp==1.30.0"],
    script: "smolagents_agent.py",
    limitSeconds: null,
    source: SESSION_LIMIT,
    setup: 'MCPClient(StdioServerParameters(command="npx", args=["foundry-local-mcp"]))',
  },
  {
    name: "agent-framework-core",
    ecosystem: "PyPI",
    packages: ["agent-framework-core==1.23.0", "tenacity==9.2.1", "mcp==2.3.0"],
    script: "agent_framework_tool.py",
    isWithoutAgent: true,
    limitSeconds: null,
    source: "`request_timeout` of `MCPStdioTool` is unset",
    setup: 'MCPStdioTool(name="foundry", command="npx", args=["foundry-local-mcp"])',
  },
];
