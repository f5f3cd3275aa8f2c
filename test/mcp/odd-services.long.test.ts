import type { DialectName, Simulator } from "foundry-local-simulator";
import { describe, expect, it } from "vitest";
import { connectedHost, simulatedService, textOf } from "./host.js";

const MODELS = [
  { id: "alpha-generic-cpu:1", alias: "alpha", loaded: true },
  { id: "beta-generic-cpu:2", alias: "beta" },
] as const;

const CHANGES_LINES = /[\p{Cc}\p{Bidi_Control}]/u;
const LONG = "a".repeat(100_000);

/** JSON texts of values that are no model's name. */
const NO_NAMES = [
  "null",
  "5",
  "1e999",
  "true",
  "[]",
  "{}",
  `${"[".repeat(90)}${"]".repeat(90)}`,
  '""',
  '"  "',
  JSON.stringify(LONG),
  '"a\\u001b[31mb"',
  '"a\\nb"',
  '"a\\u202eb"',
];
/** JSON texts of names that are unusual, but names. */
const ODD_NAMES = ['"constructor"', '"__proto__"', '"toString"', '"a/../b?c#d%00"', '"\\ud800"'];

/** Bodies that are no list, and no status, of any service. */
const NO_ANSWERS = [
  "",
  "null",
  "5",
  '"text"',
  "{}",
  "[null]",
  "[5, {}]",
  '{"data": null}',
  '{"data": {"length": 1}}',
  '{"data": [null, 5, {"id": 5}]}',
  '{"models": [{"name": 5}]}',
  '{"__proto__": {"data": []}}',
  '{"data": [',
  "<!doctype html><title>Sign in</title>",
  `${"[".repeat(200_000)}`,
];

type Entry = (name: string) => string;
const asText: Entry = (name) => name;
const withId: Entry = (name) => `{"id": ${name}, "object": "model", "parent": ${name}}`;
const withName: Entry = (name) => `{"name": ${name}, "alias": ${name}, "runtime": ${name}}`;

/** The lists of each service, and how an entry of each is written. */
const LISTS: readonly (readonly [DialectName, string, Entry])[] = [
  ["C1", "/v1/models", withId],
  ["C1", "/models/loaded", asText],
  ["C2", "/v1/models", withId],
  ["C2", "/catalogs/local/v1/models", withId],
  ["C2", "/models/loaded", asText],
  ["C2", "/catalogs/local/models/loaded", asText],
  ["S", "/foundry/list", withName],
  ["S", "/openai/models", asText],
  ["S", "/openai/loadedmodels", asText],
  ["S", "/v1/models", withId],
  ["openai", "/v1/models", withId],
];

const STATUSES: readonly (readonly [DialectName, string])[] = [
  ["C1", "/status"],
  ["C2", "/status"],
  ["S", "/openai/status"],
];

/** JSON texts of process ids that are none. */
const NO_PIDS = ["-1", "0", "1.5", "1e300", '"7"', "null", "[]", "99999999999999999999"];

const honestBody = async ({ url }: Simulator, path: string): Promise<string> =>
  (await fetch(`${url}${path}`)).text();

/** Answers a path with this body instead of the service's. Returns what ends that. */
const answering = (service: Simulator, path: string, body: string): (() => void) =>
  service.addFault({
    kind: "status",
    status: 200,
    contentType: "application/json",
    body,
    on: { method: "GET", path },
  });

/** The list of a service, with these entries in front of its own and behind them. */
function withEntries(honest: string, entries: readonly string[]): string {
  const [start, end] = [honest.indexOf("["), honest.lastIndexOf("]")];
  const own = honest.slice(start + 1, end).trim();
  const all = [...entries, ...(own === "" ? [] : [own]), ...entries];
  return `${honest.slice(0, start + 1)}${all.join(", ")}${honest.slice(end)}`;
}

/** A host that has not asked anything yet. The SDK's client holds each result against its schema. */
async function newHost({ url }: Simulator) {
  const { host } = await connectedHost({
    endpoint: url,
    retry: { retries: 1, initialPauseMs: 1, maxPauseMs: 1 },
  });
  await host.listTools();
  return async () => {
    const listed = await host.callTool({ name: "list_models", arguments: { filter: "all" } });
    const checked = await host.callTool({ name: "health_check", arguments: {} });
    const health = Object(checked.structuredContent);
    const models: readonly Record<string, unknown>[] | undefined = Object(
      listed.structuredContent,
    ).models;
    return {
      /** `null` where the list failed. */
      ids: models?.map(({ id }) => String(id)) ?? null,
      /** The values that a host can rely on, without those that change from call to call. */
      facts: {
        models,
        status: health.status,
        dialect: health.dialect,
        loaded: health.loaded_models,
        problems: health.problems,
      },
      pid: health.pid,
      texts: [textOf(listed), textOf(checked)],
    };
  };
}

type Answers = Awaited<ReturnType<Awaited<ReturnType<typeof newHost>>>>;

/** The properties of any answer, whatever the service sent. */
function expectFit({ ids, facts, texts }: Answers, body: string): void {
  const said = `after ${body.slice(0, 200)}`;
  expect(facts.status, said).toMatch(/^(healthy|degraded|unavailable)$/);
  const shown = [...(ids ?? []), ...(facts.loaded ?? [])];
  expect(
    shown.filter((id) => CHANGES_LINES.test(id) || id.length > 300),
    said,
  ).toEqual([]);
  for (const text of texts) {
    expect(text.replaceAll("\n", ""), said).not.toMatch(CHANGES_LINES);
    expect(text.length, said).toBeLessThan(10_000);
  }
}

/** A service, and what a host learns from its correct answers. */
async function honestService(dialect: DialectName) {
  const service = await simulatedService({ dialect, models: MODELS });
  const honest = await (await newHost(service))();
  expect(honest.ids).toEqual(expect.arrayContaining([expect.stringMatching(/^alpha/)]));
  return { service, honest };
}

describe.each(LISTS)("a service %s whose %s", (dialect, path, entryOf) => {
  it.each([
    ["no names", NO_NAMES],
    ["unusual names", ODD_NAMES],
  ])("has entries with %s is listed with all valid models", async (_, names) => {
    const { service, honest } = await honestService(dialect);
    const own = await honestBody(service, path);
    for (const name of names) {
      const body = withEntries(own, [entryOf(name), name]);
      const ask = await newHost(service);
      const end = answering(service, path, body);
      const odd = await ask();
      expectFit(odd, body);
      // Without valid models, the list has no entry that shows its kind.
      if (own.includes("alpha") || own.includes("beta")) {
        expect(odd.ids, body.slice(0, 200)).toEqual(
          expect.arrayContaining([...(honest.ids ?? [])]),
        );
      }
      end();
      const { ids, facts } = await ask();
      // The catalog of S is kept for a while.
      if (path === "/foundry/list")
        expect(ids).toEqual(expect.arrayContaining([...(honest.ids ?? [])]));
      else expect(facts, `after ${body.slice(0, 200)}`).toEqual(honest.facts);
    }
  });

  it("is no list is valid again with the next correct answer", async () => {
    const { service, honest } = await honestService(dialect);
    for (const body of NO_ANSWERS) {
      const ask = await newHost(service);
      const end = answering(service, path, body);
      expectFit(await ask(), body);
      end();
      expect((await ask()).facts, `after ${body.slice(0, 200)}`).toEqual(honest.facts);
    }
  });
});

describe.each(STATUSES)("a service %s whose %s", (dialect, path) => {
  it("is invalid, or has members of other types, is valid again with the next one", async () => {
    const { service, honest } = await honestService(dialect);
    const own = await honestBody(service, path);
    const withOdd = ["5", "null", "[]", "{}", JSON.stringify(LONG), '"a\\u0000b"'].map((value) =>
      own.replace(/("model(?:DirPath|CachePath)":\s*)"[^"]*"/i, `$1${value}`),
    );
    expect(withOdd).not.toContain(own);
    for (const body of [...NO_ANSWERS, "[]", ...withOdd]) {
      const ask = await newHost(service);
      const end = answering(service, path, body);
      expectFit(await ask(), body);
      end();
      expect((await ask()).facts, `after ${body.slice(0, 200)}`).toEqual(honest.facts);
    }
  });
});

it.each(NO_PIDS)(
  "the pid %s of a service C2 is ignored, and has no effect on other values",
  async (pid) => {
    const { service, honest } = await honestService("C2");
    const own = await honestBody(service, "/status");
    const ask = await newHost(service);
    const end = answering(service, "/status", own.replace(/("pid":\s*)\d+/, `$1${pid}`));
    const odd = await ask();
    expect(odd.pid).toBeUndefined();
    expect(odd.facts).toEqual(honest.facts);
    end();
    expect((await ask()).pid).toBe(honest.pid);
  },
);
