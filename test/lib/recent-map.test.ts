import { expect, it } from "vitest";
import { RecentMap } from "../../src/lib/recent-map.js";

it("a recent map evicts the entry that was set longest ago", () => {
  const map = new RecentMap<string, number>(2).set("a", 1).set("b", 2).set("a", 3).set("c", 4);
  expect([...map]).toEqual([
    ["a", 3],
    ["c", 4],
  ]);
});
