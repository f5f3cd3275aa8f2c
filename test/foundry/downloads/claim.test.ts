import { readdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Claim, Claims } from "../../../src/foundry/downloads/claim.js";
import { machine } from "./fixtures.js";

/** A claim as a process would have left it. */
async function leftBehind(text: string): Promise<string> {
  const { home } = await machine();
  await writeFile(join(home, "left.claim"), text);
  return home;
}

const owner = (pid: number, host = hostname()) => JSON.stringify({ pid, host });

/** Looks until it has the claim; how often that took. */
async function looksOf(claims: Claims, most: number): Promise<number> {
  for (let looks = 1; looks <= most; looks += 1) {
    const claim = await claims.tryClaim();
    if (claim === null) continue;
    await claim.release();
    return looks;
  }
  return Number.POSITIVE_INFINITY;
}

describe("a claim", () => {
  it("is had by one alone", async () => {
    const { home } = await machine();
    const claim = await new Claims(home).tryClaim();
    expect(claim).not.toBeNull();
    expect(await new Claims(home).tryClaim()).toBeNull();
    await claim?.release();
    expect(await looksOf(new Claims(home), 1)).toBe(1);
  });

  it("is never had by two, however many try at the same time", async () => {
    const { home } = await machine();
    let holders = 0;
    let most = 0;
    const tryOften = async (claims: Claims): Promise<void> => {
      for (let tries = 0; tries < 40; tries += 1) {
        const claim: Claim | null = await claims.tryClaim();
        if (claim === null) continue;
        holders += 1;
        most = Math.max(most, holders);
        await new Promise((resolve) => setImmediate(resolve));
        holders -= 1;
        await claim.release();
      }
    };
    await Promise.all(Array.from({ length: 8 }, () => tryOften(new Claims(home))));
    expect(most).toBeLessThanOrEqual(1);
    expect(await looksOf(new Claims(home), 1)).toBe(1);
    expect(await readdir(home)).toEqual([]);
  });

  it("of a process that is gone is nobody's", async () => {
    // Above what any system gives out.
    const home = await leftBehind(owner(2 ** 30));
    expect(await looksOf(new Claims(home), 1)).toBe(1);
    expect(await readdir(home)).toEqual([]);
  });

  it.each([
    ["whose process id is somebody else's by now", owner(process.pid)],
    ["of another machine that shares the home", owner(2 ** 30, "another-host")],
    ["that cannot be read", "{"],
  ])("%s counts until it gave no sign of life for many looks", async (_, text) => {
    const home = await leftBehind(text);
    expect(await looksOf(new Claims(home, 0), 100)).toBe(31);
    expect(await readdir(home)).toEqual([]);
  });

  it("is looked at rarely enough that its process can give signs of life in between", async () => {
    const home = await leftBehind(owner(process.pid));
    expect(await looksOf(new Claims(home, 60_000), 100)).toBe(Number.POSITIVE_INFINITY);
  });
});
