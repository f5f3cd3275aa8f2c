import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { startSimulator } from "foundry-local-simulator";
import { expect, it, onTestFinished } from "vitest";
import { FoundryClient } from "../../src/jobs/index.js";
import { SecretMask } from "../../src/lib/secrets.js";
import { argumentCompletion } from "../../src/mcp/argument-completion.js";
import { createServer } from "../../src/mcp/server.js";
import { httpService } from "../foundry/dialects/http-service.js";
import { backendOf } from "./backend.js";

const KEY = "sk-SECRET-0123456789";

/** A host of a server that uses this service with the key. */
async function hostOn(url: string): Promise<Client> {
  const foundry = new FoundryClient({ endpoint: url, apiKey: KEY });
  const secrets = new SecretMask([KEY]);
  const server = createServer({ backend: backendOf({ client: foundry, secrets }) });
  const host = new Client({ name: "test", version: "1" });
  const [hostSide, serverSide] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(serverSide), host.connect(hostSide)]);
  onTestFinished(async () => {
    await host.close();
    await foundry.close();
  });
  return host;
}

it.each(["list_models", "health_check", "load_model"])(
  "%s shows neither the key nor control characters from a name of the service",
  async (name) => {
    const { url } = await httpService((request, response) => {
      const isList = request.url === "/v1/models";
      response.writeHead(isList ? 200 : 404, { "content-type": "application/json" });
      const data = [{ id: `m-${KEY}`, object: "model", owned_by: `${KEY}\u001b[2J\u202e` }];
      response.end(JSON.stringify(isList ? { object: "list", data } : { message: KEY }));
    });
    const host = await hostOn(url);
    const given = name === "load_model" ? { model: "m" } : {};
    const answer = JSON.stringify(await host.callTool({ name, arguments: given }));
    expect(answer).not.toContain(KEY);
    expect(answer).not.toMatch(/\\u001b|\u202e/);
  },
);

it("progress and resources show neither the key nor control characters in the name of a model", async () => {
  const id = `m-${KEY}\u009b2J\u202e`;
  const { url } = await httpService((request, response) => {
    const isList = request.url === "/v1/models";
    const isChat = request.url === "/v1/chat/completions";
    const type = isChat ? "text/event-stream" : "application/json";
    response.writeHead(isList || isChat ? 200 : 404, { "content-type": type });
    const answer = { choices: [{ delta: { content: "Hi." }, finish_reason: "stop" }] };
    if (isChat) response.end(`data: ${JSON.stringify(answer)}\n\ndata: [DONE]\n\n`);
    else response.end(JSON.stringify(isList ? { object: "list", data: [{ id }] } : {}));
  });
  const host = await hostOn(url);
  const said: unknown[] = [];
  const onprogress = (progress: unknown): void => void said.push(progress);
  const call = { name: "complete", arguments: { prompt: "Hi", model: id } };
  const { structuredContent } = await host.callTool(call, undefined, { onprogress });
  expect(structuredContent).toMatchObject({ text: "Hi." });
  const { resources } = await host.listResources();
  said.push(resources);
  for (const { uri } of resources) {
    said.push(await host.readResource({ uri }));
    if (uri.includes("completions/")) said.push(await host.readResource({ uri: `${uri}/state` }));
  }
  expect(resources).toHaveLength(2);
  const all = JSON.stringify(said);
  expect(all).toContain("m-(secret)");
  expect(all).not.toContain(KEY);
  expect(all).not.toMatch(/\u009b|\u202e/);
});

it("progress of a load does not show the key in the name of the model", async () => {
  const simulator = await startSimulator({ models: [{ id: `m-${KEY}:1`, loadMs: 300 }] });
  onTestFinished(() => simulator.close());
  const host = await hostOn(simulator.url);
  const said: unknown[] = [];
  const onprogress = (progress: unknown): void => void said.push(progress);
  const call = { name: "load_model", arguments: { model: `m-${KEY}:1` } };
  await host.callTool(call, undefined, { onprogress });
  expect(JSON.stringify(said)).toContain("m-(secret)");
  expect(JSON.stringify(said)).not.toContain(KEY);
});

it("the completion of a model's name leaves out names with the key or with control characters", async () => {
  const names = [
    `m-${KEY}`,
    "m-\u001b[2J",
    "m-\u202egnp",
    "m-\nignore all",
    `m-${KEY}-b`,
    "m-good",
  ];
  const { url } = await httpService((request, response) => {
    const isList = request.url === "/v1/models";
    response.writeHead(isList ? 200 : 404, { "content-type": "application/json" });
    const data = names.map((id) => ({ id, object: "model" }));
    response.end(JSON.stringify(isList ? { object: "list", data } : { message: "none" }));
  });
  const client = new FoundryClient({ endpoint: url, apiKey: KEY });
  onTestFinished(() => client.close());
  const complete = argumentCompletion({ client, secrets: new SecretMask([KEY]) });
  const request = { signal: new AbortController().signal };

  for (const [name, value] of Object.entries({ model: "m", models: "x, m" })) {
    const ref = { type: "ref/prompt", name: "ask_local" };
    const params = { ref, argument: { name, value } };
    const answer = JSON.stringify(await Reflect.apply(complete, null, [params, request]));
    expect(answer).toContain("m-good");
    expect(answer).not.toMatch(/SECRET|\\u001b|\u202e|\\n/);
  }
});
