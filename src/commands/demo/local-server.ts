import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { FoundryError, jsonFrom, VERSION } from "../../lib/index.js";
import type { ProgressUpdate } from "../../mcp/index.js";

export interface ToolOutcome {
  readonly isError: boolean;
  readonly text: string;
  readonly result: Readonly<Record<string, unknown>>;
}

interface StartOptions {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** No call of ours ends by the SDK's own limit of 60 s: a first load takes longer. */
const PATIENCE_MS = 3_600_000;

/**
 * A server of ours in a process of its own, and a real MCP client that speaks to it over stdio: what
 * a host does, in small. For the demo.
 */
export class LocalServer {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  /**
   * Starts `node ...args` and introduces itself.
   *
   * @throws FoundryError `INTERNAL` when it ends before it answers.
   */
  static async start({ args, env }: StartOptions): Promise<LocalServer> {
    const client = new Client({ name: "foundry-local-mcp-demo", version: VERSION });
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [...args],
      env: { ...env },
      stderr: "inherit",
    });
    try {
      await client.connect(transport);
    } catch (cause) {
      throw new FoundryError("INTERNAL", "The server that was started here did not answer.", {
        action: "What it wrote above says why; FOUNDRY_LOG_LEVEL=debug makes it say more.",
        detail: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
        cause,
      });
    }
    return new LocalServer(client);
  }

  /** Name and version, as the server reports them. */
  get title(): string {
    const { name, version } = this.#client.getServerVersion() ?? { name: "?", version: "?" };
    return `${name} ${version}`;
  }

  async toolNames(): Promise<string[]> {
    const { tools } = await this.#client.listTools();
    return tools.map(({ name }) => name);
  }

  async call(
    name: string,
    given: Readonly<Record<string, unknown>> = {},
    onProgress?: (update: ProgressUpdate) => void,
  ): Promise<ToolOutcome> {
    const { content, structuredContent, isError } = await this.#client.callTool(
      { name, arguments: { ...given } },
      {
        timeout: PATIENCE_MS,
        ...(onProgress && {
          onprogress: ({ progress, message = "" }) => onProgress({ progress, message }),
        }),
      },
    );
    const text = content.map((block) => (block.type === "text" ? block.text : "")).join("\n");
    return { isError: isError === true, text, result: { ...Object(structuredContent) } };
  }

  /** How a completion stands, with its figures. */
  async stateOf(id: string): Promise<unknown> {
    const uri = `foundry://completions/${id}/state`;
    const { contents } = await this.#client.readResource({ uri });
    const [content] = contents;
    return content !== undefined && "text" in content ? jsonFrom(content.text) : undefined;
  }

  /** Closes the server's stdin, which ends it. */
  close(): Promise<void> {
    return this.#client.close();
  }
}
