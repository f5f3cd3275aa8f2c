import { request } from "node:http";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { describe, expect, onTestFinished, test } from "vitest";
import { BROWSER, BrowserPage } from "../browser.js";
import { httpServer } from "./http-server.js";
import { ANSWER, PROMPT_ANSWER, simulated } from "./simulated.js";

const KEY = "a-key-of-many-characters";
const AUTHORIZED = { authorization: `Bearer ${KEY}` };

/** A server over HTTP with a key that has answered one completion, and failed one. */
async function usedServer() {
  const simulator = await simulated();
  const { url } = await httpServer(simulator.url, { FOUNDRY_HTTP_KEY: KEY, FOUNDRY_RETRIES: "0" });
  const client = new Client({ name: "e2e", version: "1" });
  const requestInit = { headers: AUTHORIZED };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  onTestFinished(() => client.close());
  const call = { name: "complete", arguments: { prompt: "Hello", model: PROMPT_ANSWER } };
  expect((await client.callTool(call)).structuredContent).toMatchObject({ text: ANSWER });
  const mend = simulator.addFault({ kind: "status", status: 503, on: { method: "POST" } });
  await client.callTool(call);
  mend();
  return { at: (path: string) => new URL(path, url).href, call: () => client.callTool(call) };
}

/** The status of a GET with whatever headers: `fetch` sends its own Host. */
const statusOf = (url: string, headers: Readonly<Record<string, string>>): Promise<number> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.once("error", reject).end();
  });

describe("what an operator sees of a server over HTTP", () => {
  test("/metrics has its counts as Prometheus reads them", async () => {
    const { at } = await usedServer();
    const answer = await fetch(at("/metrics"), { headers: AUTHORIZED });
    const lines = (await answer.text()).split("\n");
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const calls = `foundry_local_mcp_calls_total{operation="complete",model="${PROMPT_ANSWER}"`;
    expect(lines).toContain(`${calls},outcome="completed"} 1`);
    expect(lines).toContain(`${calls},outcome="failed"} 1`);
  });

  test.each(["/metrics", "/status", "/mcp"])("%s requires the key, too", async (path) => {
    const { at } = await usedServer();
    const url = at(path);
    expect(await statusOf(url, {})).toBe(401);
    expect(await statusOf(url, { authorization: `Bearer ${KEY}x` })).toBe(401);
    expect(await statusOf(`${url}?key=${KEY}`, {})).toBe(401);
    expect(await statusOf(url, { ...AUTHORIZED, host: "evil.example" })).toBe(403);
    expect(await statusOf(url, { ...AUTHORIZED, origin: "https://evil.example" })).toBe(403);
  });

  test("/status reports health, metrics and the last hour, and degraded until a completion succeeds", async () => {
    const { at, call } = await usedServer();
    const status = async () => (await fetch(at("/status"), { headers: AUTHORIZED })).json();
    expect(await status()).toMatchObject({
      sessions: 1,
      health: {
        status: "degraded",
        loaded_models: expect.arrayContaining([PROMPT_ANSWER]),
        totals: { completed: 1, failed: 1 },
        problems: [{ what: expect.stringContaining("failed") }],
      },
      metrics: {
        operations: [{ operation: "complete", errors: { SERVICE_BUSY: 1 } }],
        last_error: { code: "SERVICE_BUSY" },
      },
      samples: [],
    });
    await call();
    const healthy = async () => Object(await status()).health.status === "healthy";
    await expect.poll(healthy).toBe(true);
  });

  test("the page at / contains no data, and its policy forbids requests to other hosts", async () => {
    const { at } = await usedServer();
    const answer = await fetch(at("/"));
    const text = await answer.text();
    expect(answer.status).toBe(200);
    expect(text).not.toContain(PROMPT_ANSWER);
    expect(text).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-\S+'; style-src 'sha256-\S+';/);
    expect(policy).not.toContain("unsafe");
    expect(await statusOf(at("/"), { host: "evil.example" })).toBe(403);
  });
});

/** The page of a server once its script has filled it. */
async function pageOf(
  url: string,
  isFilled: RegExp,
): Promise<{ html: string; complaints: unknown }> {
  const page = await BrowserPage.open(BROWSER ?? expect.fail());
  await page.show(new URL("/", url).href);
  await expect.poll(() => page.html()).toMatch(isFilled);
  return { html: await page.html(), complaints: page.complaints };
}

describe.skipIf(BROWSER === undefined)("the page in a real browser", () => {
  test("shows state, plots and calls", async () => {
    const simulator = await simulated();
    const { url } = await httpServer(simulator.url);
    const client = new Client({ name: "e2e", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    onTestFinished(() => client.close());
    await client.callTool({
      name: "complete",
      arguments: { prompt: "Hello", model: PROMPT_ANSWER },
    });
    const { html, complaints } = await pageOf(url, /The service is healthy\./);
    expect(complaints).toEqual([]);
    expect(html.match(/<svg /g)).toHaveLength(4);
    const row = `<td>complete</td><td>${PROMPT_ANSWER}</td><td>1</td><td>0</td>`;
    expect(html).toMatch(new RegExp(row));
  });

  test("asks the user for the key of the server", async () => {
    const simulator = await simulated();
    const { url } = await httpServer(simulator.url, { FOUNDRY_HTTP_KEY: KEY });
    const { html } = await pageOf(url, /<form id="ask">/);
    expect(html).toMatch(/<main id="main" hidden/);
  });
});
