import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { describe, expect, onTestFinished, test } from "vitest";
import { environmentWith, MAIN } from "./executable.js";
import { httpServer } from "./http-server.js";
import { PROMPT_ANSWER, simulated } from "./simulated.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const LOG = { FOUNDRY_LOG_LEVEL: "debug" };

/** A server in front of a service, and the client of SDK 2 connected to it. */
async function world(over: "stdio" | "HTTP", mode: "legacy" | "auto") {
  const simulator = await simulated();
  const client = new Client({ name: "e2e", version: "1" }, { versionNegotiation: { mode } });
  let logged = (): string => "";
  if (over === "HTTP") {
    const { server, url } = await httpServer(simulator.url, LOG);
    logged = () => server.stderr;
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  } else {
    const env = environmentWith({ FOUNDRY_ENDPOINT: simulator.url, ...LOG });
    const launch = { command: process.execPath, args: [MAIN], env, stderr: "pipe" as const };
    const transport = new StdioClientTransport(launch);
    let text = "";
    transport.stderr?.on("data", (chunk) => {
      text += String(chunk);
    });
    logged = () => text;
    await client.connect(transport);
  }
  onTestFinished(() => client.close());
  const complete = (_meta: Record<string, unknown>) =>
    client.callTool({
      name: "complete",
      arguments: { prompt: "Hello", model: PROMPT_ANSWER },
      _meta,
    });
  const chats = () => simulator.requests.filter(({ path }) => path === "/v1/chat/completions");
  return { complete, chats, logged };
}

describe.each([
  ["stdio", "legacy"],
  ["stdio", "auto"],
  ["HTTP", "legacy"],
  ["HTTP", "auto"],
] as const)("a host over %s in mode %s", (over, mode) => {
  test("finds its trace context in the request to the service and in the log", async () => {
    const { complete, chats, logged } = await world(over, mode);
    const { structuredContent } = await complete({
      traceparent: TRACEPARENT,
      tracestate: "congo=t61rcWkgMzE",
      baggage: "user=ada",
    });
    const { completion_id: id } = Object(structuredContent);

    expect(chats()[0]?.headers).toMatchObject({
      traceparent: TRACEPARENT,
      tracestate: "congo=t61rcWkgMzE",
      "x-request-id": id,
    });
    expect(chats()[0]?.headers).not.toHaveProperty("baggage");
    await expect
      .poll(() => logged().split("\n"))
      .toContainEqual(expect.stringMatching(new RegExp(`"trace_id":"${TRACE}".*"tool answered"`)));
  });

  test("is served without a trace context where its values are malformed", async () => {
    const { complete, chats } = await world(over, mode);
    const { isError } = await complete({
      traceparent: "00-abc\r\nx: 1",
      tracestate: 7,
      baggage: [],
    });

    expect(isError).not.toBe(true);
    expect(chats()[0]?.headers).not.toHaveProperty("traceparent");
    expect(chats()[0]?.headers).not.toHaveProperty("tracestate");
  });
});
