import { describe, expect, it, onTestFinished, vi } from "vitest";
import { ServiceCatalog } from "../../../../src/foundry/dialects/legacy/catalog.js";
import { HttpTransport } from "../../../../src/http/index.js";
import { clientOf } from "../../fixtures.js";
import { CALL, catalogEntry, dialectOf, oldService } from "../old-service.js";

const HOUR = 3_600_000;

/** A catalog with a stopped clock, and its service, which answers as `route` says. */
async function catalogOf(route: { answer: unknown }) {
  const service = await oldService({
    "/foundry/list": (response) => {
      if (route.answer === "silence") return;
      if (typeof route.answer === "number") response.writeHead(route.answer).end();
      else response.end(JSON.stringify(route.answer));
    },
  });
  const transport = new HttpTransport({ baseUrl: service.url });
  onTestFinished(() => transport.close());
  const clock = { now: 0 };
  return { catalog: new ServiceCatalog(transport, () => clock.now), clock, service };
}

const namesOf = ({ entries }: { entries: readonly { name: string }[] }): string[] =>
  entries.map(({ name }) => name);

describe("the catalog of the legacy service", () => {
  it("is requested once for concurrent callers, and cached for a while", async () => {
    const { catalog, clock, service } = await catalogOf({ answer: [catalogEntry("a:1")] });
    const lists = await Promise.all([catalog.list(CALL), catalog.list(CALL)]);
    clock.now = 60_000;
    lists.push(await catalog.list(CALL));
    expect(lists.map((list) => [namesOf(list), list.warning])).toEqual([
      [["a:1"], null],
      [["a:1"], null],
      [["a:1"], null],
    ]);
    expect(service.asked).toHaveLength(1);
  });

  it("is requested again after a while: its variants come and go (#347)", async () => {
    const route = { answer: [catalogEntry("a:1")] };
    const { catalog, clock } = await catalogOf(route);
    await catalog.list(CALL);
    route.answer = [catalogEntry("b:1")];
    clock.now = HOUR;
    expect(namesOf(await catalog.list(CALL))).toEqual(["b:1"]);
  });

  it.each([
    ["empty", []],
    ["an error", 500],
    ["no list", "hello"],
  ])("stays the last valid one, with its age, when it is %s", async (_what, answer) => {
    const route: { answer: unknown } = { answer: [catalogEntry("a:1")] };
    const { catalog, clock } = await catalogOf(route);
    await catalog.list(CALL);
    route.answer = answer;
    clock.now = HOUR;
    const list = await catalog.list(CALL);
    expect(namesOf(list)).toEqual(["a:1"]);
    expect(list.warning).toContain("60 minutes old");
  });

  it.each([
    ["empty", []],
    ["an error", 500],
    ["no list", "hello"],
  ])("still shows the downloaded models, with a warning, when it is %s", async (_what, answer) => {
    const { catalog } = await catalogOf({ answer });
    const { entries, warning } = await catalog.list(CALL);
    expect(entries).toEqual([]);
    expect(warning).toMatch(/only downloaded models are listed\. They may still work\.$/);
  });

  it("counts the entries that are no models, beside its models", async () => {
    const answer = [catalogEntry("a:1"), null, { name: 5 }, { ...catalogEntry("b:1"), name: "" }];
    const { catalog } = await catalogOf({ answer });
    const list = await catalog.list(CALL);
    expect(namesOf(list)).toEqual(["a:1"]);
    expect(list).toMatchObject({ warning: null, leftOut: 3 });
  });

  it("without a usable entry is requested again, without a warning about the network", async () => {
    const route: { answer: unknown } = { answer: [5, {}] };
    const { catalog } = await catalogOf(route);
    expect(await catalog.list(CALL)).toEqual({ entries: [], warning: null, leftOut: 2 });
    const signal = AbortSignal.timeout(20_000);
    await expect(catalog.find("a:1", signal)).rejects.toMatchObject({
      code: "INVALID_RESPONSE",
      action: expect.not.stringContaining("network"),
    });
    route.answer = [catalogEntry("a:1")];
    expect(namesOf(await catalog.list(CALL))).toEqual(["a:1"]);
  });

  it("that is slow delays the first list only for a part of its time limit, and is used afterwards", async () => {
    let answer: () => void = () => {};
    const service = await oldService({
      "/openai/models": { json: ["b:1"] },
      "/foundry/list": (response) => {
        answer = () => response.end(JSON.stringify([catalogEntry("a:1")]));
      },
    });
    const dialect = dialectOf(service);
    const first = await dialect.listModels({ limits: { wholeMs: 1500 } });
    expect(first.models.map(({ id }) => id)).toEqual(["b:1"]);
    expect(first.warning).toContain("has not given its catalog");
    answer();
    await vi.waitFor(async () => {
      const { models, warning } = await dialect.listModels(CALL);
      expect(models.map(({ id }) => id)).toEqual(["a:1", "b:1"]);
      expect(warning).toBeNull();
    });
    expect(service.asked.filter((line) => line.includes("/foundry/list"))).toHaveLength(1);
  });

  it("that is later than its limit is a TIMEOUT, not a missing model", async () => {
    const { catalog, clock } = await catalogOf({ answer: "silence" });
    await catalog.list({ limits: { wholeMs: 2 } });
    clock.now = HOUR;
    await expect(catalog.find("a:1", new AbortController().signal)).rejects.toMatchObject({
      code: "TIMEOUT",
      message: expect.stringContaining("did not give its catalog"),
      retryable: true,
    });
  });

  it("ends at once for a caller that aborts, and continues for the others", async () => {
    const { catalog } = await catalogOf({ answer: "silence" });
    const caller = new AbortController();
    const asked = catalog.list({ limits: {}, signal: caller.signal });
    caller.abort();
    await expect(asked).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("is not needed to use a downloaded model (#78)", async () => {
    const id = "Phi-4-mini-instruct-generic-cpu:5";
    const { url } = await oldService({
      "/foundry/list": { status: 500, text: "op_handler_failed" },
      "/openai/models": { json: [id] },
      [`/openai/load/${encodeURIComponent(id)}`]: { status: 500, text: "No memory" },
    });
    const client = clientOf(url);
    const { models, warning } = await client.listModels();
    expect(models).toMatchObject([{ id, downloaded: true, device: "cpu" }]);
    expect(warning).toContain("no catalog");
    await expect(client.loadModel("phi-4-mini")).rejects.toMatchObject({ code: "LOAD_FAILED" });
  });
});
