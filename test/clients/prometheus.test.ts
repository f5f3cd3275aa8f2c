import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import * as z from "zod";
import { httpServer } from "../e2e/http-server.js";
import { PROMPT_ANSWER, simulated } from "../e2e/simulated.js";
import { CannotRunHere } from "../installed.js";
import { fromPyPi } from "./packages.js";

const run = promisify(execFile);

/** The samples of a text, by the parser of Prometheus' own client for Python. */
const PARSER = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = text_string_to_metric_families(sys.argv[1])
print(json.dumps([[f.name, f.type, [[s.name, s.labels, s.value] for s in f.samples]] for f in families]))
`;
const families = z.array(
  z.tuple([
    z.string(),
    z.string(),
    z.array(z.tuple([z.string(), z.record(z.string(), z.string()), z.number()])),
  ]),
);

const python = await fromPyPi(["prometheus_client==0.26.0"]).catch((error: unknown) => {
  if (error instanceof CannotRunHere) return null;
  throw error;
});

test.skipIf(python === null)("Prometheus' own parser reads /metrics", async () => {
  const model = 'odd "name" \\ 漢字:1';
  const models = [PROMPT_ANSWER, model].map((id) => ({ id, loaded: true }));
  const simulator = await simulated({ models });
  const { url } = await httpServer(simulator.url);
  const headers = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "complete",
  };
  const envelope = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "clients", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  for (const name of [PROMPT_ANSWER, model, "no-such-model"]) {
    const call = { name: "complete", arguments: { prompt: "Hello", model: name } };
    const params = { ...call, _meta: envelope };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
    const answer = await fetch(url, { method: "POST", headers, body });
    expect(await answer.text()).toContain(name === "no-such-model" ? "isError" : '"completed"');
  }
  const text = await (await fetch(new URL("/metrics", url))).text();
  const { stdout } = await run(String(python), ["-c", PARSER, text], {
    env: { ...process.env, PYTHONIOENCODING: "utf-8" },
  });
  const read = families.parse(JSON.parse(stdout));

  const samplesOf = (family: string) => read.find(([name]) => name === family)?.[2] ?? [];
  const calls = samplesOf("foundry_local_mcp_calls");
  for (const name of [PROMPT_ANSWER, model]) {
    expect(calls).toContainEqual([
      "foundry_local_mcp_calls_total",
      { operation: "complete", model: name, outcome: "completed" },
      1,
    ]);
  }
  expect(read.map(([, type]) => type)).not.toContain("unknown");
  const duration = samplesOf("foundry_local_mcp_call_duration_seconds");
  for (const name of [PROMPT_ANSWER, model]) {
    const own = duration.filter(([, labels]) => labels["model"] === name);
    expect(own.filter(([each]) => each.endsWith("_bucket")).at(-1)).toMatchObject([
      "foundry_local_mcp_call_duration_seconds_bucket",
      { le: "+Inf" },
      1,
    ]);
  }
});
