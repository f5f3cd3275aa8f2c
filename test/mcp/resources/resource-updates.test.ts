import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CompletionChange } from "../../../src/jobs/index.js";
import {
  MOST_SUBSCRIPTIONS,
  ResourceUpdates,
  type UpdateOptions,
} from "../../../src/mcp/resources/resource-updates.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const URI = "foundry://completions/c-1";

/** All notifications to a host, with their times. */
function recorded(
  takes: () => Promise<void> = async () => {},
  notifies: UpdateOptions["notifies"] = "subscribed",
) {
  const told: { what: string; at: number }[] = [];
  const tell = (what: string): Promise<void> => {
    told.push({ what, at: performance.now() });
    return takes();
  };
  let changed: (id: string, what: CompletionChange) => void = () => {};
  const onChange = (listener: typeof changed): (() => void) => {
    changed = listener;
    return () => {
      changed = () => {};
    };
  };
  const updates = new ResourceUpdates({ onChange }, { notifies, updated: tell });
  return {
    updates,
    told,
    changed: (id: string, what: CompletionChange) => changed(id, what),
    times: (what: string) => told.filter((one) => one.what === what).length,
  };
}

describe("the updates of a completion", () => {
  it("are sent at once when its status changes, and at most once a second while its text grows", async () => {
    const { updates, changed, told } = recorded();
    updates.subscribe("c-1", URI);
    changed("c-1", "status");
    for (let token = 0; token < 300; token += 1) {
      changed("c-1", "text");
      await vi.advanceTimersByTimeAsync(10);
    }
    changed("c-1", "completed");
    changed("c-1", "ended");

    const [first = 0, ...rest] = told.map(({ at }) => at);
    expect(rest.map((at) => at - first)).toEqual([1000, 2000, 3000, 3000]);
  });

  it("are sent for each completion to a host that follows all of them", async () => {
    const { changed, times } = recorded(undefined, "all");
    for (let number = 0; number <= MOST_SUBSCRIPTIONS; number += 1) {
      changed(`c-${number}`, "started");
    }
    const uri = `foundry://completions/c-${MOST_SUBSCRIPTIONS}`;
    await vi.advanceTimersByTimeAsync(0);
    expect(times(uri)).toBe(1);
    changed(`c-${MOST_SUBSCRIPTIONS}`, "ended");
    expect([times(uri), times(`${uri}/state`)]).toEqual([2, 2]);
  });

  it("are sent for the last piece of text also when nothing follows it", async () => {
    const { updates, changed, told } = recorded();
    updates.subscribe("c-1", URI);
    changed("c-1", "text");
    changed("c-1", "text");
    await vi.advanceTimersByTimeAsync(5000);
    expect(told).toHaveLength(2);
  });

  it("are sent only to subscribers, for each of its resources", () => {
    const { updates, changed, times } = recorded();
    updates.subscribe("c-1", URI);
    updates.subscribe("c-1", URI);
    updates.subscribe("c-1", `${URI}/state`);
    updates.subscribe("c-2", "foundry://completions/c-2");
    changed("c-1", "status");
    changed("c-3", "status");
    expect([times(URI), times(`${URI}/state`), times("foundry://completions/c-2")]).toEqual([
      1, 1, 0,
    ]);
  });

  it("end with the subscription, including pending ones", async () => {
    const { updates, changed, told } = recorded();
    updates.subscribe("c-1", URI);
    changed("c-1", "text");
    changed("c-1", "text");
    updates.unsubscribe("c-1", URI);
    changed("c-1", "ended");
    await vi.advanceTimersByTimeAsync(5000);
    expect(told).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each(["ended", "gone"] as const)("leave no timer when it is %s", (what) => {
    const { updates, changed } = recorded();
    updates.subscribe("c-1", URI);
    changed("c-1", "text");
    changed("c-1", "text");
    changed("c-1", what);
    updates.close();
    expect(updates.subscriptions).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("have a limited number of subscriptions", () => {
    const { updates } = recorded();
    for (let number = 0; number < MOST_SUBSCRIPTIONS; number += 1) {
      expect(updates.subscribe(`c-${number}`, `foundry://completions/c-${number}`)).toBe(true);
    }
    expect(updates.subscribe("c-x", "foundry://completions/c-x")).toBe(false);
    expect(updates.subscribe("c-1", URI)).toBe(true);
    updates.unsubscribe("c-1", URI);
    expect(updates.subscribe("c-x", "foundry://completions/c-x")).toBe(true);
  });

  it("wait for a host that does not read, which then gets one more", async () => {
    const waiting: (() => void)[] = [];
    const { updates, changed, times } = recorded(
      () => new Promise((resolve) => waiting.push(resolve)),
    );
    updates.subscribe("c-1", URI);
    changed("c-1", "status");
    for (let second = 0; second < 10; second += 1) {
      changed("c-1", "text");
      await vi.advanceTimersByTimeAsync(1000);
    }
    changed("c-1", "ended");
    expect(times(URI)).toBe(1);

    for (const take of waiting.splice(0)) take();
    await vi.advanceTimersByTimeAsync(0);
    expect(times(URI)).toBe(2);
  });
});

describe("after the server's end", () => {
  it("no update is sent, and no timer is left", async () => {
    const { updates, changed, told } = recorded();
    updates.subscribe("c-1", URI);
    for (const what of ["started", "text", "text", "started"] as const) changed("c-1", what);
    updates.notifyOnce(URI);
    const before = told.length;
    updates.close();
    changed("c-1", "ended");
    changed("c-2", "started");
    await vi.advanceTimersByTimeAsync(5000);
    expect(told).toHaveLength(before);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("a host that has gone causes no error", async () => {
    const { updates, changed } = recorded(async () => {
      throw new Error("Not connected");
    });
    updates.subscribe("c-1", URI);
    changed("c-1", "started");
    changed("c-1", "ended");
    await vi.advanceTimersByTimeAsync(1000);
    expect(updates.subscriptions).toBe(0);
  });
});
