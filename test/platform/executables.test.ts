import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Machine } from "../../src/platform/machine.js";
import { executableCandidates, firstExecutable, pathAsTyped } from "../../src/platform/paths.js";
import { ProgramFolder } from "./program-folder.js";

const HOMES = { win32: "C:\\Users\\ada", darwin: "/Users/ada", linux: "/home/ada" } as const;

const machine = (
  platform: keyof typeof HOMES,
  environment: Machine["environment"] = {},
): Machine => ({ platform, arch: "x64", environment, home: HOMES[platform] });

describe("the candidate paths of a program on Linux", () => {
  const USUAL = [
    "/usr/local/bin/foundry",
    "/home/ada/.local/bin/foundry",
    "/home/linuxbrew/.linuxbrew/bin/foundry",
  ];

  it("are the folders of PATH in their order, then the usual ones", () => {
    const found = executableCandidates("foundry", machine("linux", { PATH: "/opt/a:/usr/bin" }));
    expect(found).toEqual(["/opt/a/foundry", "/usr/bin/foundry", ...USUAL]);
  });

  it("are the usual folders where PATH is not set", () => {
    expect(executableCandidates("foundry", machine("linux"))).toEqual(USUAL);
  });

  it("are never in the working directory, nor relative to it", () => {
    const PATH = ".::bin:./bin:../bin:~/bin:/usr/bin:";
    const found = executableCandidates("foundry", machine("linux", { PATH }));
    expect(found).toEqual(["/usr/bin/foundry", ...USUAL]);
  });

  it("contain each path once", () => {
    const PATH = "/usr/local/bin:/usr/bin:/usr/bin/";
    const found = executableCandidates("foundry", machine("linux", { PATH }));
    expect(found).toEqual(["/usr/local/bin/foundry", "/usr/bin/foundry", ...USUAL.slice(1)]);
  });

  it("depend only on the variable PATH, in capitals", () => {
    expect(executableCandidates("foundry", machine("linux", { Path: "/opt/a" }))).toEqual(USUAL);
  });
});

describe("the candidate paths of a program on macOS", () => {
  it("include Homebrew's folders, which are missing in the PATH of graphical programs", () => {
    const found = executableCandidates("foundry", machine("darwin", { PATH: "/usr/bin:/bin" }));
    expect(found).toEqual([
      "/usr/bin/foundry",
      "/bin/foundry",
      "/opt/homebrew/bin/foundry",
      "/usr/local/bin/foundry",
      "/Users/ada/.local/bin/foundry",
      "/opt/local/bin/foundry",
    ]);
  });
});

describe("the candidate paths of a program on Windows", () => {
  const LOCALAPPDATA = "C:\\Users\\ada\\AppData\\Local";
  /** Below the home, where no variable says so. */
  const USUAL = [
    `${LOCALAPPDATA}\\Microsoft\\WindowsApps\\foundry.exe`,
    `${LOCALAPPDATA}\\Microsoft\\WinGet\\Links\\foundry.exe`,
  ];

  it("are the folders of PATH, the app execution aliases, and winget's links", () => {
    const Path = "C:\\Windows\\system32;D:/tools";
    const found = executableCandidates("foundry", machine("win32", { Path, LOCALAPPDATA }));
    expect(found).toEqual([
      "C:\\Windows\\system32\\foundry.exe",
      "D:\\tools\\foundry.exe",
      ...USUAL,
    ]);
  });

  it.each(["PATH", "Path", "path"])("use the variable %s", (name) => {
    const found = executableCandidates("foundry", machine("win32", { [name]: "C:\\a" }));
    expect(found).toEqual(["C:\\a\\foundry.exe", ...USUAL]);
  });

  it("include the packages of another drive where the variable names it", () => {
    const found = executableCandidates("foundry", machine("win32", { LocalAppData: "D:\\L" }));
    expect(found).toEqual([
      "D:\\L\\Microsoft\\WindowsApps\\foundry.exe",
      "D:\\L\\Microsoft\\WinGet\\Links\\foundry.exe",
    ]);
  });

  it("remove quotes, also around a semicolon", () => {
    const Path = '"C:\\Program Files\\a;b";C:\\c;"C:\\d"';
    expect(executableCandidates("foundry", machine("win32", { Path }))).toEqual([
      "C:\\Program Files\\a;b\\foundry.exe",
      "C:\\c\\foundry.exe",
      "C:\\d\\foundry.exe",
      ...USUAL,
    ]);
  });

  it("are never in the working directory, on the current drive, or on another machine", () => {
    const Path = ".;;bin;\\bin;C:bin;\\\\server\\share;%TOOLS%;C:\\a; ;";
    const found = executableCandidates("foundry", machine("win32", { Path }));
    expect(found).toEqual(["C:\\a\\foundry.exe", ...USUAL]);
  });

  it("have only extensions that run without a shell, in the user's order", () => {
    const PATHEXT = ".COM;.EXE;.BAT;.CMD;.JS";
    const found = (variables: Machine["environment"]) =>
      executableCandidates("foundry", machine("win32", { Path: "C:\\a", ...variables }));
    expect(found({ PATHEXT }).slice(0, 2)).toEqual(["C:\\a\\foundry.com", "C:\\a\\foundry.exe"]);
    expect(found({ PATHEXT: ".BAT" })).toEqual(["C:\\a\\foundry.exe", ...USUAL]);
  });

  it("contain each path once, whatever its spelling", () => {
    const Path = `${LOCALAPPDATA.toUpperCase()}\\Microsoft\\WindowsApps;C:\\a;c:\\A\\`;
    const found = executableCandidates("foundry", machine("win32", { Path, LOCALAPPDATA }));
    expect(found.map((each) => each.toLowerCase())).toEqual([
      USUAL[0]?.toLowerCase(),
      "c:\\a\\foundry.exe",
      USUAL[1]?.toLowerCase(),
    ]);
  });
});

describe("the first existing candidate", () => {
  let programs: ProgramFolder;
  beforeEach(async () => {
    programs = await ProgramFolder.make();
  });
  afterEach(() => programs.remove());

  it.skipIf(process.platform === "win32")("is executable", async () => {
    const plain = join(programs.path, "plain");
    await writeFile(plain, "");
    await chmod(plain, 0o644);
    const folder = join(programs.path, "folder");
    await mkdir(folder);
    const broken = join(programs.path, "broken");
    await symlink("nowhere", broken);
    const good = await programs.executable("foundry", "");
    const link = join(programs.path, "link");
    await symlink(good, link);
    const missing = join(programs.path, "missing");

    expect(await firstExecutable([missing, plain, folder, broken, link, good], "linux")).toBe(link);
    expect(await firstExecutable([missing, plain, folder, broken], "darwin")).toBeNull();
  });

  it.skipIf(process.platform === "win32")(
    "may be an app execution alias on Windows, which cannot be followed",
    async () => {
      const alias = join(programs.path, "foundry.exe");
      await symlink("nowhere", alias);
      expect(await firstExecutable([programs.path, alias], "win32")).toBe(alias);
      expect(await firstExecutable([join(programs.path, "missing.exe")], "win32")).toBeNull();
    },
  );
});

describe("a path typed by the user", () => {
  it("may begin with the home", () => {
    expect(pathAsTyped("~/bin/foundry", machine("linux"))).toBe("/home/ada/bin/foundry");
    expect(pathAsTyped("~\\foundry.exe", machine("win32"))).toBe("C:\\Users\\ada\\foundry.exe");
  });

  it.each([
    ["win32", '"C:\\Program Files\\foundry.exe"', "C:\\Program Files\\foundry.exe"],
    ["win32", " 'C:\\a b\\foundry.exe' ", "C:\\a b\\foundry.exe"],
    ["win32", "%USERPROFILE%\\foundry.exe", "C:\\Users\\ada\\foundry.exe"],
    ["win32", '"%LocalAppData%\\x\\foundry.exe"', "D:\\L\\x\\foundry.exe"],
    ["win32", '"~\\foundry.exe"', "C:\\Users\\ada\\foundry.exe"],
    ["win32", "C:\\100%\\of%it%\\foundry.exe", "C:\\100%\\of%it%\\foundry.exe"],
    ["linux", '"/opt/a b/foundry"', "/opt/a b/foundry"],
    ["linux", "/opt/%USERPROFILE%/foundry", "/opt/%USERPROFILE%/foundry"],
  ] as const)("on %s may be %s", (platform, typed, path) => {
    const environment = { UserProfile: "C:\\Users\\ada", LOCALAPPDATA: "D:\\L" };
    expect(pathAsTyped(typed, machine(platform, environment))).toBe(path);
  });

  it("may be relative to the folder of another process", () => {
    const inFolder = (platform: "linux" | "win32", folder: string) => ({
      ...machine(platform),
      folder,
    });
    const windows = inFolder("win32", "C:\\work");
    expect(pathAsTyped("./bin/foundry", inFolder("linux", "/work"))).toBe("/work/bin/foundry");
    expect(pathAsTyped("bin\\foundry.exe", windows)).toBe("C:\\work\\bin\\foundry.exe");
  });

  it("is kept where it is absolute", () => {
    expect(pathAsTyped("/opt/foundry", machine("darwin"))).toBe("/opt/foundry");
    expect(pathAsTyped("D:\\foundry.exe", machine("win32"))).toBe("D:\\foundry.exe");
  });
});
