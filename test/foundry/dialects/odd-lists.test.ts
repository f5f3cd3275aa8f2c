import { describe, expect, it } from "vitest";
import {
  idListSchema,
  isModelName,
  jsonOf,
  leftOutWarning,
  modelListSchema,
  pidSchema,
} from "../../../src/foundry/dialects/answers.js";
import { listedModels } from "../../../src/foundry/dialects/legacy/catalog.js";
import { mergeModels, NO_DISK_FACTS } from "../../../src/foundry/models/index.js";
import { growthOf, LINEAR } from "../../cpu-time.js";

const answer = (body: string) => ({ status: 200, headers: {}, body, attempts: 1 });

const merge = (count: number): unknown => {
  const ids = Array.from({ length: count }, (_, at) => `model-${at}-generic-cpu`);
  return mergeModels({
    listed: ids.map((id) => ({
      id,
      alias: null,
      family: "public" as const,
      downloaded: true,
      contextLength: null,
    })),
    loaded: ids.map((id) => ({ id: `${id}:1`, family: "public" as const })),
    disk: NO_DISK_FACTS,
    listsOnlyDownloaded: true,
    contextLimit: "max_length",
    learnedContext: new Map(),
  });
};
const join = (count: number): unknown => {
  const cached = Array.from({ length: count }, (_, at) => `model-${at}:1`);
  return listedModels(
    [],
    cached,
    cached.map((id) => ({ id })),
  );
};

describe("the lists of a service", () => {
  it.each(["", "   ", "a".repeat(301), "a\u0000b", "a\nb", "a\u202eb", "a\u2066b", "a\ud83db"])(
    "are read without the name %j",
    (id) => {
      expect(isModelName(id)).toBe(false);
      expect(idListSchema.parse([id, "phi"])).toEqual({ data: ["phi"], leftOut: 1 });
      const list = modelListSchema.parse({ data: [{ id }, { id: "phi" }] });
      expect(list.data.map((model) => model.id)).toEqual(["phi"]);
      expect(list.leftOut).toBe(1);
    },
  );

  it.each([5, null, "phi", [], {}, { id: 5 }, { id: null }, { id: ["phi"] }])(
    "are read without the entry %j, but with the others",
    (entry) => {
      const list = modelListSchema.parse({ data: [entry, { id: "phi" }] });
      expect(list.data.map((model) => model.id)).toEqual(["phi"]);
      expect(list.leftOut).toBe(1);
    },
  );

  it.each([5, null, [], {}, { id: "phi" }])("of ids are read without %j", (entry) => {
    expect(idListSchema.parse([entry, "phi"])).toEqual({ data: ["phi"], leftOut: 1 });
  });

  it("are rejected as another API's where no entry is a model", () => {
    expect(idListSchema.safeParse([5, { id: "phi" }]).success).toBe(false);
    expect(idListSchema.parse([])).toEqual({ data: [], leftOut: 0 });
    expect(modelListSchema.safeParse({ data: [5, { name: "phi" }] }).success).toBe(false);
    expect(modelListSchema.parse({ data: [] }).data).toEqual([]);
  });

  it.each(["constructor", "__proto__", "toString"])("keep the name %s", (id) => {
    expect(modelListSchema.parse({ data: [{ id, parent: id }] }).data[0]?.id).toBe(id);
  });

  it("are read with a count of the omitted entries", () => {
    expect(leftOutWarning(0)).toBeNull();
    expect(leftOutWarning(2)).toBe("2 entries were left out: their names cannot be used.");
  });

  it.each([-1, 0, 1.5, 1e300, "7", Number.NaN, null, {}])("ignore %s as a number", (odd) => {
    expect(pidSchema.parse(odd)).toBeNull();
    const list = modelListSchema.parse({ data: [{ id: "phi", max_model_len: odd }] });
    expect(list.data[0]?.contextLength).toBeNull();
  });

  it.each([
    ["numbers", `[${"1,".repeat(600_000)}1]`],
    ["objects", `[${"{},".repeat(600_000)}{}]`],
    ["brackets", "[".repeat(1_000_000) + "]".repeat(1_000_000)],
  ])("are not parsed when they hold too many %s", (_, body) => {
    expect(jsonOf(answer(body))).toBeUndefined();
  });

  it.each([
    ["merged", merge],
    ["joined", join],
  ])("are %s in linear time", async (_, work) => {
    expect(await growthOf(work, 4000)).toBeLessThan(LINEAR);
  });
});
