import { execFileSync } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inPool, LATE, readSmallFile } from "../../src/platform/file-reads.js";
import { standStill } from "../stand-still.js";
import { temporaryFolder } from "../temporary-folder.js";

const LIMITS = { maxBytes: 1000, timeoutMs: 10_000 };
const isPosix = process.platform !== "win32";

async function folder(): Promise<string> {
  const path = await temporaryFolder("small-");
  return path;
}

async function fileWith(content: string | Buffer): Promise<string> {
  const path = join(await folder(), "file.json");
  await writeFile(path, content);
  return path;
}

describe("a small file", () => {
  it.each([
    ["as it is", "{}", "{}"],
    ["empty", "", ""],
    ["without a byte order mark", "\uFEFF{}", "{}"],
    ["of the largest size", "x".repeat(1000), "x".repeat(1000)],
  ])("is read %s", async (_, content, text) => {
    expect(await readSmallFile(await fileWith(content), LIMITS)).toEqual({ text });
  });

  it("is not read when it is larger", async () => {
    const path = await fileWith("x".repeat(1001));
    expect(await readSmallFile(path, LIMITS)).toEqual({ fault: "too_large" });
  });

  // wine 8 makes no links, and on Windows they need a right that users lack.
  it.skipIf(process.platform === "win32")("is read through a link", async () => {
    const path = await fileWith("{}");
    await symlink(path, `${path}.link`);
    expect(await readSmallFile(`${path}.link`, LIMITS)).toEqual({ text: "{}" });
  });

  it("is absent where its folder is, too", async () => {
    const path = await folder();
    expect(await readSmallFile(join(path, "a", "b"), LIMITS)).toEqual({ fault: "absent" });
  });

  it("is not read when it is a folder", async () => {
    const path = await folder();
    await mkdir(join(path, "a"));
    expect(await readSmallFile(join(path, "a"), LIMITS)).toEqual({ fault: "not_a_file" });
  });

  it.skipIf(!isPosix)(
    "is not read when it is a pipe without a writer, or a link to one",
    async () => {
      const path = join(await folder(), "pipe");
      execFileSync("mkfifo", [path]);
      await symlink(path, `${path}.link`);
      expect(await readSmallFile(path, LIMITS)).toEqual({ fault: "not_a_file" });
      expect(await readSmallFile(`${path}.link`, LIMITS)).toEqual({ fault: "not_a_file" });
    },
  );

  it.skipIf(!isPosix).each(["/dev/zero", "/dev/tty", "/dev/random"])(
    "is not read when it is the device %s",
    async (path) => {
      expect(await readSmallFile(path, LIMITS)).toEqual({ fault: "not_a_file" });
    },
  );

  it.skipIf(process.platform !== "linux")("has a limit although its size is 0", async () => {
    const limits = { ...LIMITS, maxBytes: 10 };
    expect(await readSmallFile("/proc/self/status", limits)).toEqual({ fault: "too_large" });
  });

  it.skipIf(!isPosix)("is not read when it belongs to another user", async () => {
    const path = await fileWith("{}");
    const uid = process.getuid?.() ?? 0;
    expect(await readSmallFile(path, { ...LIMITS, ownerUid: uid })).toEqual({ text: "{}" });
    if (uid !== 0) {
      expect(await readSmallFile(path, { ...LIMITS, ownerUid: uid + 1 })).toEqual({
        fault: "not_ours",
      });
    }
  });
});

/** Work whose thread blocks until the test releases it. */
function blocked() {
  let end = () => {};
  const done = new Promise<string>((resolve) => {
    end = () => resolve("late, but done");
  });
  return { work: () => done, end };
}

describe("file access that does not return", () => {
  it("is abandoned at its time limit, and delays other access only until then", async () => {
    const dead = [blocked(), blocked()];
    const givenUp = dead.map(({ work }) => inPool(work, 20));
    const behind = inPool(async () => "never begun", 20);
    expect(await Promise.all([...givenUp, behind])).toEqual([LATE, LATE, LATE]);
    // Both places are occupied for good, so no call waits for them.
    let wasBegun = false;
    const next = inPool(async () => {
      wasBegun = true;
    }, 600_000);
    expect(await next).toBe(LATE);
    expect(wasBegun).toBe(false);

    dead[0]?.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await inPool(async () => "read", 10_000)).toBe("read");
    dead[1]?.end();
  });

  it("is not taken for late where the process stood still while a thread did it", async () => {
    const path = await fileWith("{}");
    const content = inPool(() => readFile(path, "utf8"), 1000);
    standStill(1500);
    expect(await content).toBe("{}");
  });

  it("has at most two calls in flight", async () => {
    let inFlight = 0;
    let most = 0;
    const work = async () => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight -= 1;
    };
    await Promise.all(Array.from({ length: 50 }, () => inPool(work, 60_000)));
    expect(most).toBe(2);
  });

  it("releases its place when it fails", async () => {
    for (let count = 0; count < 5; count += 1) {
      await expect(inPool(() => Promise.reject(new Error("no")), 60_000)).rejects.toThrow("no");
    }
    expect(await inPool(async () => "read", 60_000)).toBe("read");
  });
});
