import { execFile, execFileSync } from "node:child_process";
import { chmod, chown, mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { type FileLock, FileLocks } from "../../src/platform/file-lock.js";
import { stableHost } from "../../src/platform/own-directory.js";
import { machine } from "../foundry/downloads/fixtures.js";

const PROGRAM = fileURLToPath(new URL("locking-process.ts", import.meta.url));

/** A lock as a process would have left it. */
async function leftBehind(text: string): Promise<string> {
  const { home } = await machine();
  await writeFile(join(home, "left.lock"), text);
  return home;
}

const owner = (pid: number, host = hostname()) => JSON.stringify({ pid, host });

/** Tries until it gets the lock; returns the number of tries. */
async function looksOf(locks: FileLocks, most: number): Promise<number> {
  for (let looks = 1; looks <= most; looks += 1) {
    const lock = await locks.tryLock();
    if (lock === null) continue;
    await lock.release();
    return looks;
  }
  return Number.POSITIVE_INFINITY;
}

describe("a lock", () => {
  it("is held by one process at a time", async () => {
    const { home } = await machine();
    const lock = await new FileLocks(home).tryLock();
    expect(lock).not.toBeNull();
    expect(await new FileLocks(home).tryLock()).toBeNull();
    await lock?.release();
    expect(await looksOf(new FileLocks(home), 1)).toBe(1);
  });

  it("is never held by two processes, however many try at the same time", async () => {
    const { home } = await machine();
    let holders = 0;
    let most = 0;
    const tryOften = async (locks: FileLocks): Promise<void> => {
      for (let tries = 0; tries < 40; tries += 1) {
        const lock: FileLock | null = await locks.tryLock();
        if (lock === null) continue;
        holders += 1;
        most = Math.max(most, holders);
        await new Promise((resolve) => setImmediate(resolve));
        holders -= 1;
        await lock.release();
      }
    };
    await Promise.all(Array.from({ length: 8 }, () => tryOften(new FileLocks(home))));
    expect(most).toBeLessThanOrEqual(1);
    expect(await looksOf(new FileLocks(home), 1)).toBe(1);
    expect(await readdir(home)).toEqual([]);
  });

  it("of a process that has ended is stale", async () => {
    // Above the ids that systems assign.
    const home = await leftBehind(owner(2 ** 30));
    expect(await looksOf(new FileLocks(home), 1)).toBe(1);
    expect(await readdir(home)).toEqual([]);
  });

  it.each([
    ["whose process id belongs to another process now", owner(process.pid)],
    ["of another machine that shares the home", owner(2 ** 30, "another-host")],
    ["that cannot be read", "{"],
  ])("%s is valid until many checks have found no sign of life", async (_, text) => {
    const home = await leftBehind(text);
    expect(await looksOf(new FileLocks(home, 0), 100)).toBe(31);
    expect(await readdir(home)).toEqual([]);
  });

  it("is checked rarely enough for its process to refresh it in between", async () => {
    const home = await leftBehind(owner(process.pid));
    expect(await looksOf(new FileLocks(home, 60_000), 100)).toBe(Number.POSITIVE_INFINITY);
  });

  // Windows has no user ids.
  it.skipIf(process.platform === "win32")("of another user does not block this user", async () => {
    const { home } = await machine();
    const uid = process.getuid?.() ?? 0;
    // The directory belongs to this user, the file in it to another one.
    await writeFile(join(home, "theirs.lock"), owner(process.pid));
    if (uid === 0) await chown(join(home, "theirs.lock"), 4711, 4711);
    expect(await looksOf(new FileLocks(home), 1)).toBe(uid === 0 ? 1 : Number.POSITIVE_INFINITY);
  });

  it.skipIf(process.platform === "win32")("must be a file, no pipe, folder or link", async () => {
    const { home } = await machine();
    const held = await new FileLocks(home).tryLock();
    const [name = ""] = await readdir(home);
    const other = await machine();
    execFileSync("mkfifo", [join(other.home, "pipe.lock")]);
    await mkdir(join(other.home, "folder.lock"));
    await symlink(join(home, name), join(other.home, "link.lock"));
    await symlink("nowhere", join(other.home, "broken.lock"));
    expect(await looksOf(new FileLocks(other.home), 1)).toBe(1);
    await held?.release();
  });

  it.each([
    ["of a process id that means a group", owner(0)],
    ["of a process id beyond all numbers", `{"pid":${"9".repeat(400)},"host":"x"}`],
    ["with bytes of no text", "\uFFFD\u0000"],
  ])("%s is treated like an unreadable one", async (_, text) => {
    const home = await leftBehind(text);
    expect(await looksOf(new FileLocks(home, 0), 100)).toBe(31);
  });

  it("larger than a valid lock is ignored", async () => {
    const home = await leftBehind("x".repeat(5000));
    expect(await looksOf(new FileLocks(home), 1)).toBe(1);
  });

  it("cannot be created in a directory of another user", async () => {
    const { home } = await machine();
    const uid = (process.getuid?.() ?? 0) + 1;
    await expect(new FileLocks(home, 0, uid).tryLock()).rejects.toThrow("another user");
  });

  it.skipIf(process.platform === "win32").each([0o000, 0o022, 0o277])(
    "is accessible only to this user with the umask %i",
    async (mask) => {
      const { home } = await machine();
      const args = ["--import", "tsx", PROGRAM, join(home, "locks"), String(mask)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      expect(stdout).toBe("700 600");
    },
  );
});

describe("the directory of locks", () => {
  it.skipIf(process.platform === "win32")("is made private where it was open", async () => {
    const { home } = await machine();
    await chmod(home, 0o777);
    const lock = await new FileLocks(home).tryLock();
    expect((await stat(home)).mode & 0o777).toBe(0o700);
    await lock?.release();
  });
});

describe("the name of a machine in locks", () => {
  it.each([
    ["darwin", "Anna.local", "anna"],
    ["darwin", "anna.fritz.box", "anna"],
    ["linux", "host.example.org", "host.example.org"],
    ["win32", "PC", "PC"],
  ] as const)(
    "stays the same on %s as long as it is the same machine",
    (platform, name, stable) => {
      expect(stableHost(platform, name)).toBe(stable);
    },
  );
});
