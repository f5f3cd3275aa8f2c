import { expect, it } from "vitest";
import { Ids } from "../../src/jobs/ids.js";

it("gives ids that tell their kind and are never given twice", () => {
  const ids = new Ids();
  const given = [ids.next("completion"), ids.next("completion"), ids.next("batch")];
  expect(given[0]).toMatch(/^c-[a-z0-9]{6}-1$/);
  expect(given[1]).toMatch(/^c-[a-z0-9]{6}-2$/);
  expect(given[2]).toMatch(/^b-[a-z0-9]{6}-1$/);
});

it("tells what has become of an id that is not kept", () => {
  const ids = new Ids();
  const completion = ids.next("completion");
  const batch = ids.next("batch");
  const [, run] = completion.split("-");
  expect(ids.standingOf(completion, "completion")).toBe("expired");
  expect(ids.standingOf(batch, "completion")).toBe("other_kind");
  expect(ids.standingOf(completion, "batch")).toBe("other_kind");
  expect(ids.standingOf(`c-${run}-2`, "completion")).toBe("unknown");
  expect(ids.standingOf(`c-${run}-01`, "completion")).toBe("unknown");
  expect(ids.standingOf("c-000000-1", "completion")).toBe("other_run");
  expect(ids.standingOf("hello", "completion")).toBe("unknown");
});
