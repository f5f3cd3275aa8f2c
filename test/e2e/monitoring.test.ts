import { execFile } from "node:child_process";
import { request } from "node:http";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.js";
import { httpServer } from "./http-server.js";
import { ANSWER, PROMPT_ANSWER, simulated } from "./simulated.js";

const run = promisify(execFile);
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

  test.each(["/metrics", "/status", "/mcp"])("%s is refused as the rest is", async (path) => {
    const { at } = await usedServer();
    const url = at(path);
    expect(await statusOf(url, {})).toBe(401);
    expect(await statusOf(url, { authorization: `Bearer ${KEY}x` })).toBe(401);
    expect(await statusOf(`${url}?key=${KEY}`, {})).toBe(401);
    expect(await statusOf(url, { ...AUTHORIZED, host: "evil.example" })).toBe(403);
    expect(await statusOf(url, { ...AUTHORIZED, origin: "https://evil.example" })).toBe(403);
  });

  test("/status has health, metrics and the last hour, and is degraded until a completion succeeds", async () => {
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

  test("the page at / has no data, and may load and send nothing elsewhere", async () => {
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

/** Debian's and others' Chromium, or Chrome; `null` where there is none. */
async function browser(): Promise<string | null> {
  if (process.platform === "win32") return null;
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    const found = await run(name, ["--version"]).catch(() => null);
    if (found !== null) return name;
  }
  return null;
}

/** The page after its script has run, and what the browser complained of. */
async function shown(name: string, url: string) {
  const profile = await temporaryFolder("browser-");
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${profile}`];
  const { stdout, stderr } = await run(
    name,
    [...flags, "--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom", url],
    { maxBuffer: 2 ** 24 },
  );
  const complaints = stderr.split("\n").filter((line) => /CONSOLE|Content Security/.test(line));
  return { dom: stdout, complaints };
}

test("the page shows state, plots and calls in a real browser", async ({ skip }) => {
  const name = await browser();
  if (name === null) return skip("no Chromium found");
  const simulator = await simulated();
  const { url } = await httpServer(simulator.url);
  const client = new Client({ name: "e2e", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  onTestFinished(() => client.close());
  await client.callTool({
    name: "complete",
    arguments: { prompt: "Hello", model: PROMPT_ANSWER },
  });
  const { dom, complaints } = await shown(name, new URL("/", url).href);
  expect(complaints).toEqual([]);
  expect(dom).toContain("The service is healthy.");
  expect(dom.match(/<svg /g)).toHaveLength(4);
  expect(dom).toMatch(new RegExp(`<td>complete</td><td>${PROMPT_ANSWER}</td><td>1</td><td>0</td>`));
});

test("the page of a server with a key asks for it in a real browser", async ({ skip }) => {
  const name = await browser();
  if (name === null) return skip("no Chromium found");
  const simulator = await simulated();
  const { url } = await httpServer(simulator.url, { FOUNDRY_HTTP_KEY: KEY });
  const { dom } = await shown(name, new URL("/", url).href);
  expect(dom).toMatch(/<form id="ask">/);
  expect(dom).toMatch(/<main id="main" hidden/);
});
