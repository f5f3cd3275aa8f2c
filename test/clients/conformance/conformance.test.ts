import { describe, expect, onTestFinished, test } from "vitest";
import { createBackend } from "../../../src/commands/backend.js";
import { Lazy } from "../../../src/lib/index.js";
import { serveOverHttp } from "../../../src/mcp/index.js";
import { readSettings } from "../../../src/settings.js";
import { httpServer } from "../../e2e/http-server.js";
import { simulated } from "../../e2e/simulated.js";
import { CannotRunHere } from "../../installed.js";
import { EXPECTED_FAILURES, REVISIONS, unexpected } from "./expected-failures.js";
import { fixtureServer } from "./fixture-server.js";
import { installedSuite, runSuite } from "./suite.js";

const FEWEST_SCENARIOS = 30;
const suite = await installedSuite().catch((error: unknown) => {
  if (error instanceof CannotRunHere) return error.message;
  throw error;
});

/** The fixtures of the suite behind this project's Streamable HTTP and its guarded transport. */
async function fixtureUrl(): Promise<string> {
  const { url: endpoint } = await simulated();
  const flags = ["--endpoint", endpoint, "--log-level", "silent", "--keep", "never"];
  const backend = createBackend(readSettings(flags, {}), flags);
  const ending = new AbortController();
  const { url, ended } = await serveOverHttp({
    backend: new Lazy(async () => backend),
    host: "127.0.0.1",
    port: 0,
    signal: ending.signal,
    newServer: fixtureServer,
  });
  onTestFinished(async () => {
    ending.abort();
    await ended;
  });
  return url;
}

async function productUrl(): Promise<string> {
  const { url: endpoint } = await simulated();
  return (await httpServer(endpoint)).url;
}

const name =
  typeof suite === "string"
    ? `the official conformance suite (left out: ${suite})`
    : "the official conformance suite";

describe.each(REVISIONS)(`${name}, revision %s`, (revision) => {
  test.skipIf(typeof suite === "string").each([
    ["serve --http", productUrl, EXPECTED_FAILURES.product],
    ["the suite's own fixtures", fixtureUrl, EXPECTED_FAILURES.fixtures],
  ])("passes over HTTP with %s, with listed exceptions", async (_served, start, expected) => {
    if (typeof suite === "string") return;
    const { scenarios, failures } = await runSuite(suite, await start(), revision);
    expect(scenarios.length).toBeGreaterThan(FEWEST_SCENARIOS);
    const { notListed, listedInVain } = unexpected(failures, expected[revision]);
    expect(notListed).toEqual([]);
    expect(listedInVain).toEqual([]);
  });
});
