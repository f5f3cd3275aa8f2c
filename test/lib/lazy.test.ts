import { describe, expect, it } from "vitest";
import { Lazy } from "../../src/lib/async.js";

describe("a lazy value", () => {
  it("is created once, at its first use", async () => {
    let made = 0;
    const lazy = new Lazy(async () => {
      made += 1;
      return made;
    });
    expect(made).toBe(0);
    expect(await lazy.ifBegun()).toBeNull();
    expect(await Promise.all([lazy.get(), lazy.get()])).toEqual([1, 1]);
    expect(lazy.made).toBe(1);
  });

  it("can be awaited by ifBegun while it is created", async () => {
    let finish = (_value: string): void => {};
    const lazy = new Lazy(
      () =>
        new Promise<string>((resolve) => {
          finish = resolve;
        }),
    );
    void lazy.get();
    const begun = lazy.ifBegun();
    expect(lazy.made).toBeNull();
    finish("value");
    expect(await begun).toBe("value");
  });

  it("is created again after a failure", async () => {
    let calls = 0;
    const lazy = new Lazy(async () => {
      calls += 1;
      if (calls === 1) throw new Error("not yet");
      return calls;
    });
    await expect(lazy.get()).rejects.toThrow("not yet");
    expect(await lazy.ifBegun()).toBeNull();
    expect(await lazy.get()).toBe(2);
  });
});
