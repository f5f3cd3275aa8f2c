import { describe, expect, it } from "vitest";
import { connectedHost, simulatedService, textOf } from "./host.js";

const model = (script: object) => ({ id: "talker-generic-cpu:1", loaded: true, script });

describe("complete", () => {
  it("answers with the model's text and nothing around it", async () => {
    const service = await simulatedService({ models: [model({ text: "It is blue." })] });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool({ name: "complete", arguments: { prompt: "Why?" } });
    expect(textOf(answer)).toBe("It is blue.");
    expect(answer.structuredContent).toMatchObject({
      status: "completed",
      text: "It is blue.",
      finish_reason: "stop",
      model: "talker-generic-cpu:1",
      attempts: 1,
      cached: false,
    });
  });

  it("says so when the answer is empty", async () => {
    const service = await simulatedService({ models: [model({ tokens: [] })] });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool({ name: "complete", arguments: { prompt: "Why?" } });
    expect(textOf(answer)).toContain("The model gave no text before it ended.");
    expect(answer.structuredContent).toMatchObject({ text: "" });
  });

  it("tells the text as it grows to a caller who asked for progress, and nothing after the result", async () => {
    const text = "One two three four five six seven eight nine ten.";
    const service = await simulatedService({ models: [model({ text })], tokensPerSecond: 40 });
    const { host, received } = await connectedHost({ endpoint: service.url });
    let told = "";
    const answer = await host.callTool(
      { name: "complete", arguments: { prompt: "Count" } },
      undefined,
      {
        onprogress: ({ progress, message = "" }) => {
          if (Number.isInteger(progress)) told += message;
        },
      },
    );
    expect(told).toBe(text);
    expect(textOf(answer)).toBe(text);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(received.at(-1)).toHaveProperty("result");
  });

  it("sends no progress to a caller who did not ask", async () => {
    const service = await simulatedService({ models: [model({ text: "Hello there." })] });
    const { host, received } = await connectedHost({ endpoint: service.url });
    await host.callTool({ name: "complete", arguments: { prompt: "Hi" } });
    expect(received.filter((message) => "method" in message)).toEqual([]);
  });

  it("tells of a load while it lasts", async () => {
    const service = await simulatedService({
      models: [{ ...model({ text: "Hi." }), loaded: false }],
      loadMs: 1300,
    });
    const { host } = await connectedHost({ endpoint: service.url });
    const messages: string[] = [];
    await host.callTool({ name: "complete", arguments: { prompt: "Hi" } }, undefined, {
      onprogress: ({ message = "" }) => void messages.push(message),
    });
    expect(messages).toContain("Loading talker-generic-cpu:1…");
    expect(messages).toContain("Loading talker-generic-cpu:1, 1 s");
  });

  it("keeps the text of a generation that fails, and marks it as not the whole", async () => {
    const script = { text: "A long story about the sea and more.", failAfterTokens: 6 };
    const service = await simulatedService({ models: [model(script)] });
    const { host } = await connectedHost({ endpoint: service.url });
    await host.listTools();
    const answer = await host.callTool({ name: "complete", arguments: { prompt: "Tell" } });
    const partial = String(Reflect.get(Object(answer.structuredContent), "text"));
    expect(answer.isError).toBe(true);
    expect(partial).toMatch(/^A long story/);
    expect(textOf(answer)).toMatch(/^INFERENCE_FAILED: /);
    expect(textOf(answer)).toContain(`which is not the whole answer:\n${partial}`);
    expect(answer.structuredContent).toMatchObject({
      status: "failed",
      warnings: expect.arrayContaining([expect.stringMatching(/^INFERENCE_FAILED: /)]),
    });
  });

  it("ends the request within 100 ms of the caller's cancellation, and answers nothing", async () => {
    const service = await simulatedService({
      models: [model({ text: "On and on. ", forever: true })],
      tokensPerSecond: 50,
    });
    const { host, received } = await connectedHost({ endpoint: service.url });
    const cancel = new AbortController();
    const call = host
      .callTool({ name: "complete", arguments: { prompt: "Go", max_tokens: 3000 } }, undefined, {
        signal: cancel.signal,
      })
      .catch(() => "cancelled");
    await service.waitFor((s) => s.generating > 0);
    const pinged = host.ping();
    await expect(pinged).resolves.toEqual({});
    const before = received.length;
    const cancelledAt = performance.now();
    cancel.abort();
    await service.waitFor((s) => s.requests.some(({ endedBy }) => endedBy === "client-gone"));
    expect(performance.now() - cancelledAt).toBeLessThan(100);
    expect(await call).toBe("cancelled");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(received.length).toBe(before);
  });
});
