import { ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect, test } from "vitest";
import type { Host } from "./host.js";
import { ANSWER, ENDLESS, hostOn, PROMPT_ANSWER, simulated, wireHostOn } from "./simulated.js";

/** Three seconds of the endless model. */
const SLOW = { prompt: "Go on.", model: ENDLESS, max_tokens: 120 };
const QUICK = { prompt: "Hello", model: PROMPT_ANSWER };

/** Starts a completion that outlives its call; returns its URI. */
async function started(host: Host): Promise<{ id: string; uri: string }> {
  const { result } = await host.complete({ ...SLOW, reply_within: 0 });
  const id = String(result["completion_id"]);
  return { id, uri: `foundry://completions/${id}` };
}

async function read(host: Host, uri: string): Promise<{ text: string; status: string }> {
  const { contents } = await host.client.readResource({ uri });
  const [text, state] = contents.map((content) => ("text" in content ? content.text : ""));
  return { text: text ?? "", status: String(JSON.parse(state ?? "")["status"]) };
}

/** Resolves when the completion has ended, by the updates of a subscription. */
function ended(host: Host, uri: string, onUpdate: () => void = () => {}): Promise<void> {
  return new Promise((resolve, reject) => {
    host.client.setNotificationHandler(ResourceUpdatedNotificationSchema, async ({ params }) => {
      onUpdate();
      if (params.uri !== uri) reject(new Error(`an update of ${params.uri}`));
      if ((await read(host, uri)).status === "completed") resolve();
    });
  });
}

test("a completion is listed and can be read while it runs, and completely when it has ended", async () => {
  const simulator = await simulated();
  const host = await hostOn(simulator.url);
  const { id, uri } = await started(host);
  const end = ended(host, uri);
  await host.client.subscribeResource({ uri });

  const { resources } = await host.client.listResources();
  const early = await read(host, uri);
  await end;
  const late = await read(host, uri);

  expect(resources).toMatchObject([
    { uri, name: id, mimeType: "text/plain" },
    { uri: "foundry://metrics" },
  ]);
  expect(early.status).not.toBe("completed");
  expect(late.text.startsWith(early.text)).toBe(true);
  const { result } = await host.call("get_completion", { completion_ids: [id] });
  expect(result["completions"]).toMatchObject([{ text: late.text, status: "completed" }]);
});

test("a subscriber gets updates of growing text about once a second, and of the end", async () => {
  const simulator = await simulated();
  const host = await hostOn(simulator.url);
  const { uri } = await started(host);
  let updates = 0;
  const end = ended(host, uri, () => {
    updates += 1;
  });
  const startedAt = performance.now();
  await host.client.subscribeResource({ uri });

  await end;

  const seconds = (performance.now() - startedAt) / 1000;
  expect(updates).toBeGreaterThanOrEqual(2);
  // Besides the updates of the text: its start, its first piece, its end.
  expect(updates).toBeLessThanOrEqual(seconds + 3);
});

test("a completion that has ended is listed with its first words", async () => {
  const simulator = await simulated();
  const host = await hostOn(simulator.url);

  await host.complete(QUICK);

  const { resources } = await host.client.listResources();
  expect(resources[0]).toMatchObject({ title: expect.stringContaining(`: ${ANSWER}`) });
});

test("an evicted completion is not found, and the error says why", async () => {
  const simulator = await simulated();
  const host = await hostOn(simulator.url);
  const { result } = await host.complete(QUICK);
  const uri = `foundry://completions/${result["completion_id"]}`;
  // The maximum number of kept completions.
  for (let number = 0; number < 200; number += 1) await host.complete(QUICK);

  const gone = { code: -32602, message: expect.stringContaining("is not kept any more") };
  await expect(host.client.readResource({ uri })).rejects.toMatchObject(gone);
  await expect(host.client.subscribeResource({ uri })).rejects.toMatchObject(gone);
  await expect(host.client.unsubscribeResource({ uri })).resolves.toEqual({});
});

test("a server ends when its subscribed host has gone", async () => {
  const simulator = await simulated();
  const host = await wireHostOn(simulator.url);
  const { result } = await host.answerTo(host.call("complete", { ...SLOW, reply_within: 0 }));
  const { completion_id } = Object(result?.["structuredContent"]);
  const uri = `foundry://completions/${completion_id}`;
  await host.request("resources/subscribe", { uri });
  await host.when("an update", () =>
    host.received.find(({ message }) => message.method === "notifications/resources/updated"),
  );
  const leftAt = performance.now();

  host.endInput();
  const { code, at } = await host.ended;

  expect(code).toBe(0);
  expect(at - leftAt).toBeLessThan(6000);
  expect(host.stderr).not.toContain('"level":"error"');
});
