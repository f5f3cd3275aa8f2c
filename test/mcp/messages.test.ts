import { describe, expect, it } from "vitest";
import { connectedHost, runningCompletion, simulatedService, textOf } from "./host.js";

const FAILING = "Non-zero status code returned while running Gather node.";

type Connected = Awaited<ReturnType<typeof connectedHost>>;

async function started(host: Connected["host"], given = {}) {
  const args = { prompt: "Go on", reply_within: 0, ...given };
  const answer = await host.callTool({ name: "complete", arguments: args });
  return String(Reflect.get(Object(answer.structuredContent), "completion_id"));
}

describe("the refusal to unload a model in use", () => {
  it.each(["C1", "C2"] as const)("names the completion and cancel_completion on %s", async (d) => {
    const running = { text: "On and on. ", forever: true };
    const { host, service } = await runningCompletion(running, "auto", { dialect: d });
    const id = await started(host);
    await expect.poll(() => service.requests.at(-1)?.path).toContain("/chat/completions");
    await host.callTool({
      name: "get_completion",
      arguments: { completion_ids: [id], reply_within: 1 },
    });

    const refused = await host.callTool({ name: "unload_model", arguments: { model: "talker" } });

    expect(refused.isError).toBe(true);
    expect(textOf(refused)).toMatch(/^MODEL_BUSY: /);
    expect(textOf(refused)).toContain(
      `To cancel, call cancel_completion with completion_id "${id}"; to wait, call get_completion with completion_ids ["${id}"].`,
    );
  });
});

describe("a variant for a device that the service does not load", () => {
  it("is refused with the variant that was loaded instead", async () => {
    const service = await simulatedService({
      models: [
        { id: "talker-cuda-gpu:1", alias: "talker" },
        { id: "talker-generic-cpu:1", alias: "talker" },
      ],
    });
    const { host } = await connectedHost({ endpoint: service.url });
    const load = (device: string) =>
      host.callTool({ name: "load_model", arguments: { model: "talker", device } });
    const answers = [await load("gpu"), await load("cpu")];
    const texts = answers.map((answer) => textOf(answer)).join("\n");
    expect(texts).toMatch(
      /This service chooses the variant and the version of a model by itself: it loaded talker-\S+:1 and not talker-\S+:1\.\nUse talker-\S+:1, which is loaded now, and leave device out\./,
    );
    expect(texts).not.toContain("HTTP");
  });
});

describe("the list of the latest completions", () => {
  it("names the batch of each, and how its results are returned", async () => {
    const service = await simulatedService({
      models: [{ id: "talker-generic-cpu:1", loaded: true, script: { text: "Yes." } }],
    });
    const { host } = await connectedHost({ endpoint: service.url });
    await host.listTools();
    await host.callTool({
      name: "complete_batch",
      arguments: { prompts: ["a"], batch_id: "mine", reply_within: 0 },
    });
    await started(host);

    const answer = await host.callTool({ name: "get_completion" });

    const next =
      'Call get_completion with completion_ids for their text. Call complete_batch with batch_id "mine" for the results of that batch.';
    expect(answer.structuredContent).toMatchObject({ next, latest: [{}, { batch_id: "mine" }] });
    expect(textOf(answer)).toContain(', batch "mine", ');
    expect(textOf(answer).startsWith(`${next}\n\n`)).toBe(true);
  });
});

describe("values that are not known yet", () => {
  const stateOf = async ({ host }: Pick<Connected, "host">, id: string): Promise<unknown> => {
    const { contents } = await host.readResource({ uri: `foundry://completions/${id}/state` });
    return JSON.parse(String(Object(contents[0]).text));
  };

  it("are null in the state while the model is loading, and absent from a result", async () => {
    const service = await simulatedService({
      models: [{ id: "talker-generic-cpu:1", script: { text: "Yes." }, loadMs: 600_000 }],
    });
    const { host, foundry } = await connectedHost({ endpoint: service.url });
    const id = await started(host, { model: "talker" });
    await expect.poll(() => foundry.completions.get(id).status).toBe("loading");
    const answer = await host.callTool({
      name: "get_completion",
      arguments: { completion_ids: [id], reply_within: 0 },
    });
    const state = await stateOf({ host }, id);
    const [completion] = Object(answer.structuredContent).completions;
    expect(completion).toMatchObject({ status: "loading" });
    expect(state).toMatchObject({ attempts: null, timing: { load_ms: null } });
    for (const name of ["attempts", "timing"]) expect(completion).not.toHaveProperty(name);
    const { structuredContent: cancelled } = await host.callTool({
      name: "cancel_completion",
      arguments: { completion_id: id },
    });
    expect(cancelled).toMatchObject({ status: "cancelled" });
    expect(cancelled).not.toHaveProperty("attempts");
  });

  it("are null in the state while it waits in the queue", async () => {
    const { host } = await runningCompletion({ text: "On and on. ", forever: true });
    await started(host);
    const second = await started(host, { prompt: "Another" });
    const answer = await host.callTool({
      name: "get_completion",
      arguments: { completion_ids: [second], reply_within: 1 },
    });
    expect(answer.structuredContent).toMatchObject({ completions: [{ status: "queued" }] });
    expect(await stateOf({ host }, second)).toMatchObject({
      attempts: null,
      timing: { queued_ms: null, load_ms: null },
    });
  });

  it("are null in the state of a completion that was never sent", async () => {
    const { host, foundry } = await connectedHost({
      endpoint: "http://127.0.0.1:9",
      retry: { retries: 0 },
    });
    const answer = await host.callTool({ name: "complete", arguments: { prompt: "Hi" } });
    const [{ id } = { id: "none" }] = foundry.completions.list();
    expect(answer.isError).toBe(true);
    expect(await stateOf({ host }, id)).toMatchObject({
      status: "failed",
      attempts: null,
      timing: { queued_ms: null, load_ms: null },
    });
  });
});

describe("a generation that fails midway", () => {
  it.each(["C1", "C2", "openai"] as const)("is interrupted on %s, with its text", async (d) => {
    const service = await simulatedService({
      dialect: d,
      models: [
        {
          id: "talker-generic-cpu:1",
          loaded: true,
          script: { text: "A long story about the sea.", failAfterTokens: 4 },
        },
      ],
    });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool({ name: "complete", arguments: { prompt: "Tell" } });
    expect(answer.isError).toBe(true);
    expect(answer.structuredContent).toMatchObject({
      status: "interrupted",
      text: expect.stringMatching(/^A long story/),
    });
  });

  it("has the runtime's message once in the text, and once in the structured result", async () => {
    const service = await simulatedService({
      models: [
        {
          id: "talker-generic-cpu:1",
          loaded: true,
          script: { text: "A long story about the sea.", failAfterTokens: 4 },
        },
      ],
    });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool({ name: "complete", arguments: { prompt: "Tell" } });
    expect(JSON.stringify(answer.content).split(FAILING)).toHaveLength(2);
    expect(JSON.stringify(answer.structuredContent).split(FAILING)).toHaveLength(2);
    expect(answer.structuredContent).toMatchObject({
      next: expect.stringMatching(/^Try again; .* The same call may succeed later\.$/),
      notes: expect.arrayContaining([
        expect.stringMatching(/^INFERENCE_FAILED: talker-generic-cpu:1 failed while generating\. /),
      ]),
    });
  });
});

describe("a stop string that is a line break", () => {
  it.each([["\n"], [["\n"]], ['["\\n"]']])("is accepted: %j", async (stop) => {
    const service = await simulatedService({
      dialect: "openai",
      models: [{ id: "m:1", loaded: true, script: { text: "First.\nSecond." } }],
    });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool({
      name: "complete",
      arguments: { prompt: "Hi", model: "m:1", stop },
    });
    expect(answer.structuredContent).toMatchObject({ text: "First.", finish_reason: "stop" });
  });
});
