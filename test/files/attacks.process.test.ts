import { execFileSync } from "node:child_process";
import { renameSync, symlinkSync } from "node:fs";
import { link, mkdir, realpath, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AllowedFolders } from "../../src/files/index.js";
import { deferred, type FoundryError } from "../../src/lib/index.js";
import { inPool } from "../../src/platform/index.js";
import { temporaryFolder } from "../temporary-folder.js";
import { watchedPaths } from "./watch.js";

const SECRET = "the secret outside";
const isPosix = process.platform !== "win32";

/** `allowed/a.md`, and beside it `outside/secret.md`. */
async function place() {
  const folder = await realpath(await temporaryFolder("attack-"));
  const allowed = join(folder, "allowed");
  const outside = join(folder, "outside");
  await mkdir(join(allowed, "sub"), { recursive: true });
  await mkdir(outside);
  await writeFile(join(allowed, "a.md"), "inside");
  await writeFile(join(outside, "secret.md"), SECRET);
  return { folder, allowed, outside, folders: new AllowedFolders([allowed]) };
}

const refusalOf = (reading: Promise<unknown>): Promise<FoundryError> =>
  reading.then(
    () => expect.fail("it was read"),
    (error: FoundryError) => error,
  );

/** The message of a refusal without the given path. */
const wordsOf = ({ code, message, action }: FoundryError): string =>
  [code, message.replace(/^".*?"/, "…"), action].join("\n");

/** The accessed paths that are not in a folder. */
const notIn = (folder: string, paths: readonly string[]): string[] =>
  paths.filter((path) => path !== folder && !path.startsWith(join(folder, "/")));

describe("a path that leads out of the allowed folder", () => {
  it.each([
    "../outside/secret.md",
    "sub/../../outside/secret.md",
    "../outside/none.md",
    "../outside/*.md",
    "../*/secret.md",
    "sub/../../outside/**",
    "*/../../outside/secret.md",
    "/etc/passwd",
    "/etc/*",
    "/*",
    "/",
    "//server/share/a.md",
    "a\0.md",
  ])("is refused by its text, without access to anything outside: %j", async (path) => {
    const { allowed, folders } = await place();
    const asked = watchedPaths();
    const error = await refusalOf(folders.read([path]));
    expect(error.code).toBe("FILE_NOT_ALLOWED");
    expect(notIn(allowed, asked)).toEqual([]);
  });

  it("is refused as an absolute path, whether it exists or not", async () => {
    const { allowed, outside, folders } = await place();
    const asked = watchedPaths();
    const there = await refusalOf(folders.read([join(outside, "secret.md")]));
    const absent = await refusalOf(folders.read([join(outside, "none.md")]));
    const similar = await refusalOf(folders.read([`${allowed}2/a.md`]));
    expect(there.code).toBe("FILE_NOT_ALLOWED");
    expect(wordsOf(absent)).toBe(wordsOf(there));
    expect(wordsOf(similar)).toBe(wordsOf(there));
    expect(notIn(allowed, asked)).toEqual([]);
  });
});

it("an allowed folder is not accessed while the disk does not answer other reads", async () => {
  const { folders } = await place();
  const disk = deferred<void>();
  await Promise.all([1, 2].map(() => inPool(() => disk.promise, 1)));
  const asked = watchedPaths();

  const error = await refusalOf(folders.read(["a.md"]));

  disk.resolve();
  expect(error.code).toBe("TIMEOUT");
  expect(error.message).toContain("FOUNDRY_FILES");
  expect(error.message).not.toContain("allowed");
  expect(asked).toEqual([]);
});

describe("a glob that would take exponential time", () => {
  it.each([
    "(a+)+b*",
    "(a|a)*(a|aa)+b*",
    `${"[a-z]+".repeat(20)}Z*`,
    `${"{?,?}".repeat(40)}Z`,
    `${"{a,{a,a}}".repeat(20)}Z*`,
  ])("is refused or matches nothing, at once: %j", async (glob) => {
    const { allowed, folders } = await place();
    await writeFile(join(allowed, "a".repeat(60)), "inside");
    expect(await refusalOf(folders.read([glob]))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("has no parentheses, which are literal characters", async () => {
    const { allowed, folders } = await place();
    await writeFile(join(allowed, "Report (2) new.md"), "inside");
    expect(await folders.read(["Report (2)*.md"])).toMatchObject([{ text: "inside" }]);
  });
});

describe.skipIf(!isPosix)("a link", () => {
  it.each([
    ["to a file outside", "../outside/secret.md", "link"],
    ["to a file outside that does not exist", "../outside/none.md", "link"],
    ["to the folder outside", "../outside", "link/secret.md"],
    ["to the folder outside, by a glob", "../outside", "link/*.md"],
    ["to a file outside, by a glob", "../outside/secret.md", "li*"],
    ["to the root", "/", "link/etc/passwd"],
    ["through its own folder", "sub/../../outside/secret.md", "link"],
    ["to /proc", "/proc/self/environ", "link"],
    ["to /dev", "/dev/zero", "link"],
  ])("%s is refused, without access to anything outside", async (_, target, path) => {
    const { allowed, folders } = await place();
    await symlink(target, join(allowed, "link"));
    const asked = watchedPaths();
    const error = await refusalOf(folders.read([path]));
    if (path !== "link/*.md") expect(error.code).toBe("FILE_NOT_ALLOWED");
    expect(`${error.message} ${error.action}`).not.toContain(SECRET);
    expect(notIn(allowed, asked)).toEqual([]);
  });

  it("that leads outside has the same error, whether its target exists or not", async () => {
    const { allowed, folders } = await place();
    await symlink("../outside/secret.md", join(allowed, "there"));
    await symlink("../outside/none.md", join(allowed, "absent"));
    const there = await refusalOf(folders.read(["there"]));
    expect(wordsOf(await refusalOf(folders.read(["absent"])))).toBe(wordsOf(there));
  });

  it("inside, to another allowed folder, and the allowed folder as a link are followed", async () => {
    const { folder, allowed, outside } = await place();
    await symlink("../a.md", join(allowed, "sub", "link"));
    await symlink(outside, join(allowed, "other"));
    await symlink(allowed, join(folder, "alias"));
    const folders = new AllowedFolders([join(folder, "alias"), outside]);
    expect(await folders.read(["sub/link"])).toMatchObject([{ text: "inside" }]);
    expect(await folders.read([join(allowed, "a.md")])).toMatchObject([{ text: "inside" }]);
    expect(await folders.read([join(folder, "alias", "a.md")])).toMatchObject([{ text: "inside" }]);
    expect(await folders.read(["other/secret.md"])).toMatchObject([{ text: SECRET }]);
  });

  it("to itself is absent", async () => {
    const { allowed, folders } = await place();
    await symlink("loop", join(allowed, "loop"));
    await symlink("..", join(allowed, "sub", "up"));
    expect(await refusalOf(folders.read(["loop"]))).toMatchObject({ code: "INVALID_ARGUMENT" });
    // A link to a folder is not entered by a glob.
    expect(await folders.read(["**/*.md"])).toHaveLength(1);
  });

  it.each([
    ["lstat", "the file", "a.md"],
    ["open", "the file", "a.md"],
    ["open", "its folder", "sub/secret.md"],
    ["lstat", "its folder", "sub/secret.md"],
  ])("that is put in place before each %s, of %s, is detected", async (call, what, path) => {
    const { allowed, outside, folders } = await place();
    await writeFile(join(allowed, "sub", "secret.md"), "inside");
    const name = what === "the file" ? "a.md" : "sub";
    const target = what === "the file" ? join(outside, "secret.md") : outside;
    let swaps = 0;
    watchedPaths((asked, at) => {
      if (asked !== call || !at.endsWith(path.split("/").at(-1) ?? "") || swaps > 0) return;
      swaps += 1;
      renameSync(join(allowed, name), join(allowed, "old"));
      symlinkSync(target, join(allowed, name));
    });
    const error = await refusalOf(folders.read([path]));
    expect(swaps).toBe(1);
    expect(error.code).toBe("FILE_NOT_ALLOWED");
  });

  it("that exists only while the file is opened is detected", async () => {
    const { allowed, outside, folders } = await place();
    await writeFile(join(allowed, "sub", "secret.md"), "inside");
    const [sub, old] = [join(allowed, "sub"), join(allowed, "old")];
    const opened: string[] = [];
    watchedPaths((asked, at) => {
      if (asked === "open") {
        opened.push(at);
        renameSync(sub, old);
        symlinkSync(outside, sub);
      } else if (opened.length === 1) {
        opened.push("back");
        renameSync(sub, join(allowed, "link"));
        renameSync(old, sub);
      }
    });
    const error = await refusalOf(folders.read(["sub/secret.md"]));
    expect(opened).toHaveLength(2);
    expect(error).toMatchObject({ code: "FILE_NOT_ALLOWED", retryable: true });
  });

  it("that is swapped all the time never gives content from outside", async () => {
    const { allowed, outside, folders } = await place();
    const name = join(allowed, "swap.md");
    let isOver = false;
    const swapping = (async () => {
      while (!isOver) {
        await symlink(join(outside, "secret.md"), name).catch(() => {});
        await unlink(name).catch(() => {});
        await link(join(allowed, "a.md"), name).catch(() => {});
        await unlink(name).catch(() => {});
      }
    })();
    const texts = new Set<string>();
    for (let round = 0; round < 300; round += 1) {
      await folders.read(["swap.md"]).then(
        ([file]) => texts.add(file?.text ?? ""),
        () => {},
      );
    }
    isOver = true;
    await swapping;
    expect([...texts].filter((text) => text !== "inside")).toEqual([]);
  });
});

describe.skipIf(!isPosix)("a path that is no ordinary file", () => {
  it("is refused at once: a FIFO, also one that takes the place of a file", async () => {
    const { allowed, folders } = await place();
    execFileSync("mkfifo", [join(allowed, "pipe"), join(allowed, "pipe2")]);
    expect(await refusalOf(folders.read(["pipe"]))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await refusalOf(folders.read(["p*"]))).toMatchObject({ code: "INVALID_ARGUMENT" });
    watchedPaths((asked) => {
      if (asked === "open") renameSync(join(allowed, "pipe2"), join(allowed, "a.md"));
    });
    expect(await refusalOf(folders.read(["a.md"]))).toMatchObject({ code: "FILE_NOT_ALLOWED" });
  });

  it.each(["dev/zero", "proc/self/environ", "proc/self/root/etc/passwd", "sys/kernel/mm", "dev/*"])(
    "is refused in a folder that is the whole disk: %s",
    async (path) => {
      const asked = watchedPaths();
      const error = await refusalOf(new AllowedFolders(["/"]).read([path]));
      expect(["FILE_NOT_ALLOWED", "INVALID_ARGUMENT"]).toContain(error.code);
      expect(asked.filter((each) => /^\/(?:dev|proc|sys)/.test(each))).toEqual([]);
    },
  );

  it("has its name sanitized in every text", async () => {
    const { allowed, folders } = await place();
    const name = "x\u001b[31m\n\u202ey.md";
    await writeFile(join(allowed, name), "text");
    await writeFile(join(allowed, `b${name}`), "a\0");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    const controls = /[\u0000-\u001f\u202e]/;
    const [file] = await folders.read(["x*"]);
    expect(file?.path).not.toMatch(controls);
    const skipped: string[] = [];
    await folders.read(["*.md"], {
      onSkipped: (path, { message, action }) => void skipped.push(path, message, action),
    });
    expect(skipped).toHaveLength(3);
    expect(skipped.join("")).not.toMatch(controls);
    const error = await refusalOf(folders.read([`none${name}`]));
    expect(`${error.message}${error.action}`).not.toMatch(controls);
  });
});
