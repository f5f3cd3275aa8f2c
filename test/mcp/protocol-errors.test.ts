import { PassThrough } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { FoundryClient } from "../../src/jobs/index.js";
import { ERRORS_LOGGED_PERIOD_MS, Lazy, MOST_ERRORS_LOGGED } from "../../src/lib/index.js";
import { silentLogger } from "../../src/log.js";
import { reporterOf, serveOverStdio } from "../../src/mcp/server.js";
import { backendOf } from "./backend.js";

it("logs the first protocol errors of a period, and the number of omitted ones", async () => {
  const logged: object[] = [];
  let now = 0;
  const log = { ...silentLogger, warn: (fields: object) => void logged.push(fields) };
  const report = reporterOf(new Lazy(async () => ({ log })), () => now);
  for (let n = 0; n < MOST_ERRORS_LOGGED + 1000; n++) report(new Error(`error ${n}`));
  await setImmediate();
  expect(logged).toHaveLength(MOST_ERRORS_LOGGED);

  now = ERRORS_LOGGED_PERIOD_MS;
  report(new Error("next"));
  report(new Error("last"));
  await setImmediate();
  expect(logged.slice(MOST_ERRORS_LOGGED)).toEqual([
    { detail: "next", notLogged: 1000 },
    { detail: "last" },
  ]);
});

it("logs what is wrong with a line once", async () => {
  const logged: object[] = [];
  const log = { ...silentLogger, warn: (fields: object) => void logged.push(fields) };
  const client = new FoundryClient({ endpoint: "http://127.0.0.1:9" });
  const [input, output] = [new PassThrough(), new PassThrough()];
  const backend = backendOf({ client, log });
  const { signal } = new AbortController();
  const served = serveOverStdio({ backend, input, output: output.resume(), signal });
  const clientInfo = { name: "test", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  for (const message of [
    { jsonrpc: "2.0", id: 1, method: "initialize", params },
    { jsonrpc: "2.0", id: 1.5, method: "ping" },
  ]) {
    input.write(`${JSON.stringify(message)}\n`);
  }
  input.end();
  await served;
  await client.close();
  await setImmediate();
  expect(logged).toEqual([
    { detail: "Invalid JSON-RPC 2.0 message. id must be a string or an integer." },
  ]);
});
