import { expect, it } from "vitest";
import { Ids } from "../../src/jobs/ids.js";

it("creates ids that show their kind and are unique", () => {
  const ids = new Ids();
  const given = [ids.next("completion"), ids.next("completion"), ids.next("batch")];
  expect(given[0]).toMatch(/^c-[a-z0-9]{12}-1$/);
  expect(given[1]).toMatch(/^c-[a-z0-9]{12}-2$/);
  expect(given[2]).toMatch(/^b-[a-z0-9]{12}-1$/);
});

it("creates ids that cannot be guessed from earlier ones", () => {
  const ids = new Ids();
  const codes = Array.from({ length: 100 }, () => ids.next("completion").split("-")[1]);
  expect(new Set(codes).size).toBe(100);
  expect(ids.next("batch")).not.toBe(new Ids().next("batch"));
});

it("explains why an id is unknown", () => {
  const ids = new Ids();
  const completion = ids.next("completion");
  const batch = ids.next("batch");
  const [, code] = completion.split("-");
  expect(ids.standingOf(completion, "completion")).toBe("expired");
  expect(ids.standingOf(batch, "completion")).toBe("other_kind");
  expect(ids.standingOf(completion, "batch")).toBe("other_kind");
  expect(ids.standingOf(`c-${code}-2`, "completion")).toBe("unknown");
  expect(ids.standingOf(`c-${code}-01`, "completion")).toBe("unknown");
  expect(ids.standingOf("c-000000-1", "completion")).toBe("other_run");
  expect(ids.standingOf("hello", "completion")).toBe("unknown");
});
