import {
  EmptyResultSchema,
  ListResourcesResultSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import type { SimulatorOptions } from "foundry-local-simulator";
import { describe, expect, it } from "vitest";
import { chatEngine, events } from "../../foundry/dialects/chat-engine.js";
import { connectedHost, simulatedService } from "../host.js";

const TINY = "tiny-generic-cpu:1";
const ENDLESS = "endless-generic-cpu:1";
const MODELS = [
  { id: TINY, loaded: true, script: { text: "Hello from a tiny model." } },
  {
    id: ENDLESS,
    loaded: true,
    contextLength: 10_000_000,
    tokensPerSecond: 40,
    script: { text: "On and on and on it goes. ", forever: true },
  },
];
const GO_ON = { prompt: "Go on.", model: ENDLESS, maxTokens: 1_000_000 };
const HELLO = { prompt: "Hello", model: TINY };

/** A host, with the client whose completions it sees. */
async function hostAndClient(models: SimulatorOptions["models"] = MODELS) {
  const service = await simulatedService({ models });
  const { host, received, foundry } = await connectedHost({ endpoint: service.url });
  const { completions } = foundry;
  const updated: string[] = [];
  const listening: (() => void)[] = [];
  host.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
    updated.push(params.uri);
    for (const tell of listening) tell();
  });
  return {
    host,
    service,
    completions,
    received,
    updated,
    /** Resolves when the condition is true, which is checked after each update. */
    when: (condition: () => boolean): Promise<void> =>
      new Promise((resolve) => {
        const check = (): void => void (condition() && resolve());
        listening.push(check);
        check();
      }),
    /** A completion that already has some text. */
    running: async (): Promise<string> => {
      const { id } = completions.start(GO_ON, { join: false }).state;
      await new Promise<void>((resolve) => {
        const stop = completions.onChange((changed, what) => {
          if (changed !== id || what !== "text") return;
          stop();
          resolve();
        });
      });
      return id;
    },
  };
}

const CALL = { index: 0, id: "1", function: { name: "now", arguments: "{}" } };
const METRICS = "foundry://metrics";
const uriOf = (id: string): string => `foundry://completions/${id}`;

/** The text of a content, which is not binary. */
function textIn(content: object | undefined): string {
  const text: unknown = Reflect.get(content ?? {}, "text");
  if (typeof text !== "string") throw new Error("this content has no text");
  return text;
}

describe("completions as resources", () => {
  it("are empty at first, and described by two templates", async () => {
    const { host } = await hostAndClient();
    expect(host.getServerCapabilities()?.resources).toEqual({ subscribe: true });
    const { resources } = await host.listResources();
    expect(resources.map(({ uri }) => uri)).toEqual([METRICS]);
    const { resourceTemplates } = await host.listResourceTemplates();
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
      "foundry://completions/{id}",
      "foundry://completions/{id}/state",
    ]);
  });

  it("are listed beside the metrics, whose subscription has no effect", async () => {
    const { host } = await hostAndClient();
    expect(await host.subscribeResource({ uri: METRICS })).toEqual({});
  });

  it("are listed, the newest first, with model, status, time and first words", async () => {
    const { host, completions } = await hostAndClient();
    const first = await completions.wait(completions.start(HELLO).state.id);
    // The first request also loads the code that handles it.
    await host.listResources();
    const second = completions.start(GO_ON).state;

    const { resources } = await host.listResources();

    expect(resources).toEqual([
      expect.objectContaining({
        uri: uriOf(second.id),
        title: expect.stringMatching(/^Completion, queued, \d\d:\d\d$/),
      }),
      {
        uri: uriOf(first.id),
        name: first.id,
        title: expect.stringMatching(
          /^tiny-generic-cpu:1, completed, \d\d:\d\d: Hello from a tiny model\.$/,
        ),
        description: `Text of a completion by ${TINY}: completed, 6 tokens`,
        mimeType: "text/plain",
        size: 24,
        annotations: { lastModified: expect.any(String) },
      },
      expect.objectContaining({ uri: METRICS }),
    ]);
  });

  it("have the number of their tokens in words, also of one", async () => {
    const models = [{ id: TINY, loaded: true, script: { tokens: ["Yes"] } }];
    const { host, completions } = await hostAndClient(models);
    await completions.wait(completions.start(HELLO).state.id);

    const { resources } = await host.listResources();

    expect(resources[0]?.description).toBe(`Text of a completion by ${TINY}: completed, 1 token`);
  });

  it("are listed in pages, each once, even if others are started in between", async () => {
    const { host, completions } = await hostAndClient();
    const started = Array.from({ length: 120 }, () => completions.start(HELLO).state.id);
    await Promise.all(started.map((id) => completions.wait(id)));

    const listed: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await host.listResources(cursor === undefined ? {} : { cursor });
      listed.push(...page.resources.map(({ name }) => name));
      cursor = page.nextCursor;
      completions.start(HELLO);
    } while (cursor !== undefined);

    // Some exceed the queue's limit, and are still listed.
    expect(listed).toEqual([...started.toReversed(), "metrics"]);
  });

  it("continue at the time of the last page when its last completion was evicted", async () => {
    const { host, completions } = await hostAndClient();
    const { id, createdAt } = completions.start(HELLO).state;
    const { resources } = await host.listResources({ cursor: `${createdAt}.c-gone00-1` });
    expect(resources.map(({ name }) => name)).toEqual([id, "metrics"]);
  });

  it("are read in their current state, with the state beside the text", async () => {
    const { host, completions } = await hostAndClient();
    const { id } = await completions.wait(completions.start(HELLO).state.id);

    const { contents } = await host.readResource({ uri: uriOf(id) });

    expect(contents).toEqual([
      { uri: uriOf(id), mimeType: "text/plain", text: "Hello from a tiny model." },
      { uri: `${uriOf(id)}/state`, mimeType: "application/json", text: expect.any(String) },
    ]);
    expect(JSON.parse(textIn(contents[1]))).toMatchObject({
      completion_id: id,
      status: "completed",
      model: TINY,
      characters: 24,
      finish_reason: "stop",
      error: null,
      next: "Nothing: this is the whole answer.",
    });
    const alone = await host.readResource({ uri: `${uriOf(id)}/state` });
    expect(alone.contents).toEqual([contents[1]]);
  });

  it.each([
    ["that called tools", { tool_calls: [CALL] }, "tool_calls", "Run the tool_calls"],
    ["that a filter ended", { content: "It is" }, "content_filter", "A content filter ended"],
    ["that a filter refused", { content: "" }, "content_filter", "before its first word"],
    ["that was cut off", { content: "It is" }, "length", "ask again with a larger max_tokens"],
    ["without text", { content: "" }, "stop", "The model gave no text"],
  ])("say of one %s what complete says to do next", async (_what, delta, finish_reason, words) => {
    const { url } = await chatEngine(() => events({ choices: [{ delta, finish_reason }] }));
    const { host } = await connectedHost({ endpoint: url });
    const given = {
      prompt: "What time is it?",
      model: "m",
      tools: [{ function: { name: "now" } }],
    };
    const answer = await host.callTool({ name: "complete", arguments: given });
    const { completion_id: id, next, notes } = Object(answer.structuredContent);

    const { contents } = await host.readResource({ uri: `${uriOf(id)}/state` });

    const advice: string = next ?? notes.at(-1);
    expect(advice).toContain(words);
    expect(JSON.parse(textIn(contents[0])).next).toBe(
      next === null ? advice : `Call get_completion with ${id} for the tool_calls. ${advice}`,
    );
  });

  it("contain the text so far while they run, and the next call", async () => {
    const { host, running } = await hostAndClient();
    const id = await running();

    const { contents } = await host.readResource({ uri: uriOf(id) });

    expect(textIn(contents[0])).toMatch(/^On/);
    expect(JSON.parse(textIn(contents[1]))).toMatchObject({
      status: "running",
      ended_at: null,
      next: expect.stringContaining(`get_completion with ${id}`),
    });
  });

  it("keep the text of a failed completion, with what to do", async () => {
    const { host, service, completions, running } = await hostAndClient();
    const id = await running();
    await service.close();
    await completions.wait(id);

    const { contents } = await host.readResource({ uri: uriOf(id) });

    expect(textIn(contents[0])).toMatch(/^On/);
    expect(JSON.parse(textIn(contents[1]))).toMatchObject({
      status: "interrupted",
      error: { code: expect.any(String), message: expect.any(String) },
      next: expect.stringMatching(/\w+ .*\.$/),
    });
  });
});

describe("a resource that is not there", () => {
  it.each([
    ["an unknown completion", "foundry://completions/c-zzzzzz-1", "from an earlier run"],
    ["a batch", "foundry://completions/b-zzzzzz-1", "the id of a batch"],
    ["no id of ours", "foundry://completions/42", 'There is no completion "42"'],
    ["another scheme", "file:///etc/passwd", "No resource has this URI"],
    ["a path below", "foundry://completions/c-zzzzzz-1/text/1", "No resource has this URI"],
  ])("is the protocol's error, with this server's message: %s", async (_what, uri, words) => {
    const { host } = await hostAndClient();
    const refusal = { code: -32602, data: { uri }, message: expect.stringContaining(words) };
    await expect(host.readResource({ uri })).rejects.toMatchObject(refusal);
    await expect(host.subscribeResource({ uri })).rejects.toMatchObject(refusal);
    await expect(host.unsubscribeResource({ uri })).resolves.toEqual({});
  });

  it("is distinguished from an evicted one", async () => {
    const { host, completions } = await hostAndClient();
    const { id } = completions.start(HELLO).state;
    await completions.wait(id);
    // Most of them exceed the queue's limit, and are kept as failed ones.
    const later = Array.from({ length: 201 }, () => completions.start(HELLO).state.id);
    await Promise.all(later.map((each) => completions.wait(each)));
    await expect(host.readResource({ uri: uriOf(id) })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining("is not kept any more"),
    });
  });

  it("is distinguished from invalid parameters", async () => {
    const { host } = await hostAndClient();
    const ask = (method: string, params?: Record<string, unknown>) =>
      host.request({ method, params }, EmptyResultSchema);
    const list = (cursor: unknown) =>
      host.request({ method: "resources/list", params: { cursor } }, ListResourcesResultSchema);
    const wrong = (words: string) => ({
      code: -32602,
      message: expect.stringContaining(words),
    });
    await expect(ask("resources/read")).rejects.toMatchObject(wrong("uri is missing."));
    await expect(ask("resources/read", { uri: 7 })).rejects.toMatchObject(
      wrong("Invalid value for uri: 7"),
    );
    await expect(ask("resources/subscribe", {})).rejects.toMatchObject(wrong("uri is missing."));
    expect(await list("")).toEqual(await list(undefined));
    await expect(list("50")).rejects.toMatchObject(wrong("Unknown cursor"));
    await expect(list(50)).rejects.toMatchObject(wrong("Invalid value for cursor: 50"));
  });
});

describe("a host that subscribed", () => {
  it("is notified of the end of a completion, and of nothing after it", async () => {
    const { host, completions, running, updated, when } = await hostAndClient();
    const id = await running();
    await host.subscribeResource({ uri: uriOf(id) });

    await when(() => updated.length > 0);
    await completions.cancel(id);
    const heard = updated.length;
    await host.ping();

    expect(new Set(updated)).toEqual(new Set([uriOf(id)]));
    expect(heard).toBeGreaterThan(1);
    expect(updated).toHaveLength(heard);
    const { contents } = await host.readResource({ uri: uriOf(id) });
    expect(JSON.parse(textIn(contents[1]))).toMatchObject({ status: "cancelled" });
  });

  it("too late is notified once", async () => {
    const { host, completions, updated, when } = await hostAndClient();
    const { id } = await completions.wait(completions.start(HELLO).state.id);
    await host.subscribeResource({ uri: uriOf(id) });
    await when(() => updated.length === 1);
  });

  it("is not notified of other completions, nor after it unsubscribed", async () => {
    const { host, completions, running, updated } = await hostAndClient();
    const [subscribed, other] = [await running(), await running()];
    await host.subscribeResource({ uri: uriOf(subscribed) });
    await host.unsubscribeResource({ uri: uriOf(subscribed) });
    const heard = updated.length;

    await completions.cancel(subscribed);
    await completions.cancel(other);
    await host.ping();

    expect(updated).toHaveLength(heard);
  });
});

describe("a host", () => {
  it("that did not subscribe is not notified of completions", async () => {
    const { host, completions, received } = await hostAndClient();
    await completions.wait(completions.start(HELLO).state.id);
    await host.ping();
    expect(received.filter((message) => "method" in message)).toEqual([]);
  });

  it("that has gone is not notified", async () => {
    const { host, completions, running, received } = await hostAndClient();
    const id = await running();
    await host.subscribeResource({ uri: uriOf(id) });
    await host.close();
    const heard = received.length;

    completions.start(HELLO);
    await completions.cancel(id);

    expect(received).toHaveLength(heard);
  });
});

describe("the metrics as a resource", () => {
  it("are JSON with counts and times by operation and model", async () => {
    const { host, completions } = await hostAndClient();
    await completions.wait(completions.start(HELLO).state.id);

    const { contents } = await host.readResource({ uri: METRICS });

    expect(contents).toMatchObject([{ uri: METRICS, mimeType: "application/json" }]);
    expect(JSON.parse(textIn(contents[0]))).toMatchObject({
      uptime_ms: expect.any(Number),
      operations: [
        {
          operation: "complete",
          model: TINY,
          completed: 1,
          failed: 0,
          errors: {},
          output_tokens: 6,
          requests: expect.any(Number),
          received_bytes: expect.any(Number),
          latency_ms: { count: 1, p50: expect.any(Number), p99: expect.any(Number) },
          first_token_ms: { count: 1 },
        },
      ],
      background: { requests: expect.any(Number) },
      circuit: { opened: 0, closed: 0 },
      last_error: null,
      queue: { running: 0, waiting: 0 },
    });
  });
});
