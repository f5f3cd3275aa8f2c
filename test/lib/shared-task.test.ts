import { describe, expect, it } from "vitest";
import { SharedTask, SharedTasks } from "../../src/lib/shared-task.js";

/** A promise and what settles it. */
function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

describe("a shared task", () => {
  it("returns its result to every waiter", async () => {
    const task = new SharedTask(async () => "done");
    expect(await Promise.all([task.wait(), task.wait()])).toEqual(["done", "done"]);
  });

  it("rejects for every waiter, without an unhandled rejection if there is none", async () => {
    const { promise, reject } = deferred<never>();
    const task = new SharedTask(() => promise);
    const waits = [task.wait(), task.wait()];
    reject(new Error("failed"));
    for (const wait of waits) await expect(wait).rejects.toThrow("failed");
    new SharedTask(() => Promise.reject(new Error("not handled")));
  });

  it("continues for the others when one waiter leaves, and is aborted when the last one does", async () => {
    const task = new SharedTask(() => new Promise<never>(() => {}));
    const [first, second] = [new AbortController(), new AbortController()];
    const waits = [task.wait({ signal: first.signal }), task.wait({ signal: second.signal })];
    first.abort();
    await expect(waits[0]).rejects.toMatchObject({ code: "CANCELLED" });
    expect([task.signal.aborted, task.waiters]).toEqual([false, 1]);
    second.abort();
    await expect(waits[1]).rejects.toMatchObject({ code: "CANCELLED" });
    expect(task.signal.aborted).toBe(true);
    expect(() => task.runOn()).toThrow("cancelled");
  });

  it.each(["from the beginning", "later"])("that runs on %s is not aborted", async (when) => {
    const { promise, resolve } = deferred<string>();
    const task = new SharedTask(() => promise, { runsOn: when === "from the beginning" });
    if (when === "later") task.runOn();
    const leaving = new AbortController();
    const wait = task.wait({ signal: leaving.signal });
    leaving.abort();
    await expect(wait).rejects.toMatchObject({ code: "CANCELLED" });
    expect(task.signal.aborted).toBe(false);
    resolve("done");
    expect(await task.wait()).toBe("done");
  });

  it("sends updates to every waiter, and the latest one to those that come later", async () => {
    const { promise, resolve } = deferred<string>();
    const task = new SharedTask<string, number>(() => promise);
    const seen: number[] = [];
    const onUpdate = (update: number): void => void seen.push(update);
    const waits = [task.wait({ onUpdate }), task.wait({ onUpdate })];
    task.update(1);
    waits.push(task.wait({ onUpdate }));
    expect([seen, task.latest]).toEqual([[1, 1, 1], 1]);
    resolve("done");
    await Promise.all(waits);
  });

  it("fails only for the waiter whose listener throws", async () => {
    const { promise, resolve } = deferred<string>();
    const task = new SharedTask<string, number>(() => promise);
    const onUpdate = (): void => {
      throw new Error("of the listener");
    };
    const broken = task.wait({ onUpdate });
    const other = task.wait();
    task.update(1);
    await expect(broken).rejects.toThrow("of the listener");
    resolve("done");
    expect(await other).toBe("done");
  });
});

describe("shared tasks", () => {
  it("run once per key at a time, and again afterwards", async () => {
    const tasks = new SharedTasks<number>();
    let runs = 0;
    const work = async () => {
      runs += 1;
      return runs;
    };
    const all = Array.from({ length: 10_000 }, () => tasks.get("key", work).wait());
    expect(new Set(await Promise.all(all))).toEqual(new Set([1]));
    expect(tasks.size).toBe(0);
    expect(
      await Promise.all([tasks.get("key", work).wait(), tasks.get("other", work).wait()]),
    ).toEqual([2, 3]);
  });

  it("start again for a key whose task was aborted", async () => {
    const tasks = new SharedTasks<string>();
    const leaving = new AbortController();
    const wait = tasks.get("key", () => new Promise(() => {})).wait({ signal: leaving.signal });
    leaving.abort();
    await expect(wait).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await tasks.get("key", async () => "new").wait()).toBe("new");
  });

  it("start again after a clear, while the former task ends", async () => {
    const tasks = new SharedTasks<string>();
    const old = tasks.get("key", async () => "old").wait();
    tasks.clear();
    expect(await tasks.get("key", async () => "new").wait()).toBe("new");
    expect(await old).toBe("old");
  });
});
