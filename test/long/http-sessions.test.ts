import {
  Client,
  StreamableHTTPClientTransport as HttpTransport,
} from "@modelcontextprotocol/client";
import { expect, onTestFinished, test } from "vitest";
import { httpServer } from "../e2e/http-server.js";
import { ANSWER, PROMPT_ANSWER, simulated } from "../e2e/simulated.js";

const MOST_SESSIONS = 500;
const VERSION = "2025-11-25";
const HEADERS = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};
const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: "e2e", version: "1" } },
});

async function served() {
  const simulator = await simulated();
  return httpServer(simulator.url);
}

/** A session that is opened and then not used. */
async function begun(url: string): Promise<{ status: number; id: string }> {
  const answer = await fetch(url, { method: "POST", headers: HEADERS, body: INITIALIZE });
  await answer.text();
  return { status: answer.status, id: answer.headers.get("mcp-session-id") ?? "" };
}

async function sessionsOf(url: string): Promise<unknown> {
  const health = await fetch(url.replace("/mcp", "/health"));
  return Object(await health.json()).sessions;
}

const fullLines = (stderr: string): number =>
  stderr.split(`There are ${MOST_SESSIONS} sessions`).length - 1;

test("the number of sessions is bounded, which is logged once, and the newest of 10,000 works", async () => {
  const { url, server } = await served();
  for (let count = 0; count < 10_000; count += 20) {
    const some = await Promise.all(Array.from({ length: 20 }, () => begun(url)));
    expect(some.filter(({ status }) => status !== 200)).toEqual([]);
  }
  expect(await sessionsOf(url)).toBeLessThanOrEqual(MOST_SESSIONS);
  expect(fullLines(server.stderr)).toBe(1);

  const client = new Client({ name: "e2e", version: "1" });
  onTestFinished(() => client.close());
  await client.connect(new HttpTransport(new URL(url)));
  const call = { name: "complete", arguments: { prompt: "Hello", model: PROMPT_ANSWER } };
  expect((await client.callTool(call)).structuredContent).toMatchObject({ text: ANSWER });
});

test("a session in use is not ended for a new one, which is refused", async () => {
  const { url, server } = await served();
  const streams: Response[] = [];
  for (let count = 0; count < MOST_SESSIONS; count += 1) {
    const { id } = await begun(url);
    const headers = {
      accept: "text/event-stream",
      "mcp-session-id": id,
      "mcp-protocol-version": VERSION,
    };
    streams.push(await fetch(url, { headers }));
  }
  const refused = await Promise.all([begun(url), begun(url)]);
  expect(refused.map(({ status }) => status)).toEqual([503, 503]);
  expect(fullLines(server.stderr)).toBe(1);

  await Promise.all(streams.map(({ body }) => body?.cancel()));
  await expect.poll(async () => (await begun(url)).status).toBe(200);
});
