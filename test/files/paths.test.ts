import { describe, expect, it } from "vitest";
import {
  isAbsolutePath,
  isPlainName,
  isSystemPath,
  isWritableName,
  namesOf,
  partsInside,
} from "../../src/files/paths.js";
import { baseOf, patternOf } from "../../src/files/pattern.js";
import { folderSeparator, foldersIn, type Machine } from "../../src/platform/index.js";

const SYSTEMS = ["linux", "darwin", "win32"] as const;

it.each([
  ["linux", ".git", false],
  ["linux", "GIT~1", true],
  ["win32", "GIT~1", false],
  ["win32", "vscode~12", false],
  ["win32", "draft~", true],
  ["win32", "nul.txt", false],
] as const)("on %s, the path %j is allowed for a new file: %j", (system, name, answer) => {
  expect(isWritableName(name, system)).toBe(answer);
});

it.each([
  ["docs/*.md", "docs", "*.md"],
  ["*.md", "", "*.md"],
  ["/*.md", "/", "*.md"],
  ["D:/*.md", "D:/", "*.md"],
  ["D:/a/**/*.md", "D:/a", "**/*.md"],
])("the glob %j begins at %j", (glob, base, rest) => {
  expect(baseOf(glob)).toEqual({ base, rest });
});

it.each([
  [["/home/me/notes"], ["notes"]],
  [
    ["/home/me/app/docs", "/home/me/site/docs", "/notes"],
    ["app/docs", "site/docs", "notes"],
  ],
  [
    ["/docs", "/a/docs"],
    ["docs", "a/docs"],
  ],
  [
    ["C:\\app\\docs", "D:\\app\\docs"],
    ["C:/app/docs", "D:/app/docs"],
  ],
])("the folders %j are shown as %j", (folders, names) => {
  expect(namesOf(folders)).toEqual(names);
});

describe("a path by its text alone", () => {
  it.each([
    ["linux", "/home/me/notes", "/home/me/notes/a/b.md", ["a", "b.md"]],
    ["linux", "/home/me/notes", "/home/me/notes", []],
    ["linux", "/home/me/notes", "/home/me/notes2/a.md", null],
    ["linux", "/home/me/notes", "/home/me/notes/../secret", null],
    ["linux", "/home/me/notes", "/home/me/notes/..a", ["..a"]],
    ["linux", "/", "/etc/passwd", ["etc", "passwd"]],
    ["darwin", "/Users/me/notes", "/users/me/notes/a.md", null],
    ["win32", "C:\\notes", "c:\\NOTES\\a\\b.md", ["a", "b.md"]],
    ["win32", "C:\\notes", "D:\\notes\\a.md", null],
    ["win32", "C:\\notes", "C:\\notes\\..\\secret", null],
    ["win32", "C:\\notes", "\\\\server\\share\\a.md", null],
    ["win32", "C:\\notes", "\\\\?\\C:\\notes\\a.md", null],
    ["win32", "\\\\nas\\me", "\\\\nas\\me\\a.md", ["a.md"]],
    ["win32", "\\\\nas\\me", "\\\\nas\\other\\a.md", null],
  ] as const)("on %s, from %j to %j are the parts %j", (system, folder, target, parts) => {
    expect(partsInside(folder, target, system)).toEqual(parts);
  });

  it.each([
    ["linux", "/a", true],
    ["linux", "a", false],
    ["linux", "C:\\a", false],
    ["darwin", "//server/share/a", true],
    ["win32", "C:\\a", true],
    ["win32", "c:/a", true],
    ["win32", "a\\b", false],
    ["win32", "\\\\server\\share\\a", true],
    ["win32", "//server/share/a", true],
    ["win32", "C:a", null],
    ["win32", "C:", null],
    ["win32", "\\a", null],
    ["win32", "/a", null],
    ["win32", "\\\\?\\C:\\a", null],
    ["win32", "//?/C:/a", null],
    ["win32", "\\\\.\\PhysicalDrive0", null],
    ["win32", "\\\\.\\pipe\\a", null],
  ] as const)("on %s, %j is absolute: %j", (system, text, answer) => {
    expect(isAbsolutePath(text, system)).toBe(answer);
  });

  const DEVICES = [
    "CON",
    "nul",
    "NUL.txt",
    "aux.tar.gz",
    "COM1",
    "lpt9.md",
    "com¹",
    "CONIN$",
    "nul ",
  ];
  const STREAMS = ["a.txt:secret", "a.txt::$DATA", ":secret"];
  it.each([...DEVICES, ...STREAMS, "a.", "a ", "a?", "a*b", "a|b", 'a"b', "a\u0001b"])(
    "on Windows, %j is no valid file name",
    (name) => {
      expect(isPlainName(name, "win32")).toBe(false);
    },
  );

  it.each(["a.txt", "..a", ".env", "console.md", "com10", "nulls", "é", "a b", "[id].tsx"])(
    "%j is a valid file name on every system",
    (name) => {
      for (const system of SYSTEMS) expect(isPlainName(name, system)).toBe(true);
    },
  );

  it("contains no NUL", () => {
    for (const system of SYSTEMS) expect(isPlainName("a\0b", system)).toBe(false);
  });

  it.each(["/proc/self/environ", "/sys", "/dev/zero"])("%j is a system path", (path) => {
    expect(isSystemPath(path, "linux")).toBe(true);
    expect(isSystemPath(`${path}`.replace("/", "/home/"), "linux")).toBe(false);
    expect(isSystemPath(path, "win32")).toBe(false);
  });
});

describe("a pattern", () => {
  it.each([
    ["notes.md", "notes.md", null],
    ["notes.md:10-40", "notes.md", { first: 10, last: 40 }],
    ["notes.md:10-", "notes.md", { first: 10, last: null }],
    ["notes.md:10", "notes.md", { first: 10, last: 10 }],
    ["src/**/*.ts:1-20", "src/**/*.ts", { first: 1, last: 20 }],
    ["a:b.md", "a:b.md", null],
    ["a.md:x-3", "a.md:x-3", null],
    ["a.md:3-2x", "a.md:3-2x", null],
    ["/home/me/notes.md:7", "/home/me/notes.md", { first: 7, last: 7 }],
  ])("%j is the path %j with the lines %j, on every system", (given, path, lines) => {
    for (const system of SYSTEMS) expect(patternOf(given, system)).toEqual({ given, path, lines });
  });

  it.each([
    ["C:\\notes.md", "C:/notes.md", null],
    ["C:\\notes.md:10-40", "C:/notes.md", { first: 10, last: 40 }],
    ["a.txt:secret", "a.txt:secret", null],
    ["src\\*.ts:5", "src/*.ts", { first: 5, last: 5 }],
  ])("on Windows, %j is the path %j with the lines %j", (given, path, lines) => {
    expect(patternOf(given, "win32")).toEqual({ given, path, lines });
  });

  it.each(["a.md:0", "a.md:0-3", "a.md:4-3", `${"a".repeat(1001)}`])("%j is refused", (given) => {
    expect(() => patternOf(given, "linux")).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});

const machine = (platform: NodeJS.Platform): Machine => ({
  platform,
  arch: "x64",
  environment: { USERPROFILE: "C:\\Users\\me" },
  home: platform === "win32" ? "C:\\Users\\me" : "/home/me",
});

describe("a list of folders", () => {
  it.each([
    ["linux", "/home/me/notes", ["/home/me/notes"]],
    ["linux", "/a:/b/:/a", ["/a", "/b"]],
    ["linux", ":/a: :", ["/a"]],
    ["linux", "~/notes:~", ["/home/me/notes", "/home/me"]],
    ["linux", "'/a b'", ["/a b"]],
    ["linux", "", []],
    ["linux", "notes", null],
    ["linux", "/a:.", null],
    ["linux", "%USERPROFILE%", null],
    ["darwin", "/Users/me/a:/b", ["/Users/me/a", "/b"]],
    ["win32", "C:\\a;D:\\b\\", ["C:\\a", "D:\\b"]],
    ["win32", '"C:\\a;b";c:/d', ["C:\\a;b", "c:\\d"]],
    ["win32", "~\\notes;%USERPROFILE%\\b", ["C:\\Users\\me\\notes", "C:\\Users\\me\\b"]],
    ["win32", "\\\\nas\\me\\notes", ["\\\\nas\\me\\notes"]],
    ["win32", "%NOT_SET%\\a", null],
    ["win32", "C:a", null],
    ["win32", "\\a", null],
    ["win32", "\\\\?\\C:\\a", null],
    ["win32", "\\\\.\\pipe", null],
  ] as const)("on %s, %j has the folders %j", (system, text, folders) => {
    expect(foldersIn(text, machine(system))).toEqual(folders);
  });

  it("is separated as in PATH", () => {
    expect(SYSTEMS.map(folderSeparator)).toEqual([":", ":", ";"]);
  });
});
