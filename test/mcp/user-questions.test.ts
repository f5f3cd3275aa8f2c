import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect, it, onTestFinished } from "vitest";
import { FoundryClient } from "../../src/jobs/index.js";
import { HostLimits } from "../../src/mcp/hosts.js";
import { createServer } from "../../src/mcp/server.js";
import { Tasks } from "../../src/mcp/tasks.js";
import { callHandler } from "../../src/mcp/tool-registry.js";
import { TOOLS } from "../../src/mcp/tools/index.js";
import { backendOf } from "./backend.js";
import { cacheFolder, simulatedService, textOf } from "./host.js";

const MODEL = {
  id: "talker-generic-cpu:1",
  alias: "talker",
  downloaded: false,
  script: { text: "It is blue." },
};

/** A host whose user agrees to a download when the server has waited for so many seconds. */
async function answeringHost(replyWithinMs: number, answersAfter: number) {
  const { url } = await simulatedService({
    dialect: "S",
    models: [MODEL],
    modelCachePath: await cacheFolder(),
    loadMs: 100,
  });
  const client = new FoundryClient({ endpoint: url });
  const policy = { onCancel: "auto", replyWithinMs } as const;
  const server = createServer({ backend: backendOf({ client, policy }) });
  const host = new Client(
    { name: "test", version: "1" },
    { capabilities: { elicitation: { form: {} } } },
  );
  const [hostSide, serverSide] = InMemoryTransport.createLinkedPair();
  const updates: { progress: number; message?: string | undefined }[] = [];
  host.setRequestHandler(ElicitRequestSchema, async () => {
    const waited = (message = ""): number =>
      Number(/^Waiting for the user's answer, (\d+) s$/.exec(message)?.[1] ?? 0);
    await expect
      .poll(() => Math.max(...updates.map(({ message }) => waited(message))), { timeout: 60_000 })
      .toBeGreaterThanOrEqual(answersAfter);
    return { action: "accept", content: {} };
  });
  await Promise.all([server.connect(serverSide), host.connect(hostSide)]);
  onTestFinished(async () => {
    await host.close();
    await client.close();
  });
  const complete = async (given: object = {}) => {
    const params = { name: "complete", arguments: { prompt: "Why?", model: "talker", ...given } };
    const onprogress = (update: (typeof updates)[number]) => void updates.push(update);
    return host.callTool(params, undefined, { onprogress });
  };
  return { complete, updates };
}

it("a question to the user is part of its call, whose progress continues", async () => {
  const { complete, updates } = await answeringHost(45_000, 1);
  expect(textOf(await complete())).toBe("It is blue.");
  const numbers = updates.map(({ progress }) => progress);
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
});

it.each([
  [5000, {}],
  [45_000, { reply_within: 5 }],
])("the time until the user's answer counts as time of the call: %i, %j", async (limit, given) => {
  const { complete } = await answeringHost(limit, 5);
  expect(textOf(await complete(given))).toMatch(/^MODEL_NOT_CACHED: .* is being downloaded/);
});

it("the time of a download that the user agreed to counts as time of the call", async () => {
  const service = await simulatedService({
    dialect: "S",
    models: [{ ...MODEL, script: { text: "On and on. ", forever: true } }],
    modelCachePath: await cacheFolder(),
  });
  const client = new FoundryClient({ endpoint: service.url });
  onTestFinished(() => client.close());
  const isAsked = () => service.requests.some(({ path }) => path.includes("/download"));
  const call = callHandler(TOOLS, await backendOf({ client }).get(), {
    clock: { now: () => (isAsked() ? 3_600_000 : 0), after: () => () => {} },
    session: "",
    limits: new HostLimits(),
    tasks: new Tasks(),
  });
  const given = { prompt: "Why?", model: "talker", reply_within: 3600 };

  const answer = await call(
    { name: "complete", arguments: given },
    {
      envelope: { "io.modelcontextprotocol/clientCapabilities": { elicitation: {} } },
      inputResponses: { download: { action: "accept" } },
      signal: new AbortController().signal,
      notify: async () => {},
      send: () => Promise.reject(new Error("not of this test")),
    },
  );

  expect(textOf(answer)).toMatch(/^Not finished: /);
});
