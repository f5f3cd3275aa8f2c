import { mkdir, readdir, readFile, realpath, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.js";
import { hostOn, simulated } from "./simulated.js";

const MODEL = "tiny-generic-cpu:1";
const ANSWER = "The report says that all is well. ".repeat(30).trim();
const SECRET = "the secret outside";

/** A server that may use `notes`, and records the paths that it accesses on the disk. */
async function serverWithFiles(settings: Readonly<Record<string, string>> = {}) {
  const folder = await realpath(await temporaryFolder("files-"));
  const [notes, outside] = [join(folder, "notes"), join(folder, "outside")];
  await mkdir(join(notes, "2025"), { recursive: true });
  await mkdir(outside);
  await writeFile(join(notes, "report.md"), "All is well.\nNothing else.\n");
  await writeFile(join(notes, "2025", "old.md"), "Old.\n");
  await writeFile(join(outside, "secret.md"), SECRET);
  // Windows lets only some users make links.
  for (const [target, name] of [
    ["../outside", "folder-link"],
    ["../outside/secret.md", "link.md"],
    ["../outside/none.md", "dead-link.md"],
  ] as const) {
    await symlink(target, join(notes, name)).catch(() => {});
  }
  const simulator = await simulated({
    models: [{ id: MODEL, script: { text: ANSWER }, loaded: true }],
  });
  const log = join(folder, "asked.log");
  await writeFile(log, "");
  const watch = new URL("disk-watch.mjs", import.meta.url).href;
  const host = await hostOn(simulator.url, {
    FOUNDRY_FILES: notes,
    NODE_OPTIONS: `--import ${watch}`,
    DISK_WATCH_LOG: log,
    ...settings,
  });
  /** The paths that the server accessed, apart from its own files. */
  const asked = async (): Promise<string[]> =>
    (await readFile(log, "utf8")).split("\n").filter((line) => line.includes(folder));
  const sent = (): string => JSON.stringify(simulator.requests.map(({ body }) => body));
  return { host, notes, outside, asked, sent };
}

test("the server reads the files, and writes the answer to a file", async () => {
  const { host, notes, asked, sent } = await serverWithFiles();

  const { result } = await host.complete({
    prompt: "Summarise.",
    model: MODEL,
    files: ["**/*.md"],
    write_to: "summary.md",
  });

  expect(sent()).toContain("All is well.");
  expect(result).toMatchObject({
    files: [
      { path: "2025/old.md", lines: "1-1" },
      { path: "report.md", lines: "1-2" },
    ],
    written: { path: "summary.md", characters: ANSWER.length },
  });
  expect(String(result["text"]).length).toBeLessThan(ANSWER.length);
  expect(await readFile(join(notes, "summary.md"), "utf8")).toBe(ANSWER);
  expect((await asked()).some((line) => line.includes("report.md"))).toBe(true);
});

test("no path outside of the allowed folder is checked, read or written", async () => {
  const { host, outside, asked, sent } = await serverWithFiles();
  const paths = [
    "../outside/secret.md",
    "../outside/none.md",
    "2025/../../outside/secret.md",
    "../outside/*.md",
    "../**/*.md",
    "link.md",
    "dead-link.md",
    "folder-link/secret.md",
    join(outside, "secret.md"),
    join(outside, "none.md"),
    `${outside}/*`,
  ];

  for (const path of paths) {
    const read = await host.complete({ prompt: "Summarise.", model: MODEL, files: [path] });
    const batch = await host.call("complete_batch", {
      prompts: ["a"],
      model: MODEL,
      files: [path],
    });
    const write = await host.complete({ prompt: "Write.", model: MODEL, write_to: path });
    expect([read.isError, batch.isError, write.isError]).toEqual([true, true, true]);
    expect(JSON.stringify([read, batch, write])).not.toContain(SECRET);
  }

  await host.complete({ prompt: "Summarise.", model: MODEL, files: ["**/*", "*"] });
  expect(sent()).not.toContain(SECRET);
  expect(await readdir(outside)).toEqual(["secret.md"]);
  // Links are read, but not followed.
  const lines = await asked();
  expect(lines.length).toBeGreaterThan(20);
  expect(lines.filter((line) => line.includes(outside))).toEqual([]);
});

test("without a folder the arguments are not listed, and their refusal says how to allow one", async () => {
  const { host } = await serverWithFiles({ FOUNDRY_FILES: "" });

  const { tools } = await host.client.listTools();
  const read = await host.complete({ prompt: "Summarise.", files: ["report.md"] });
  const write = await host.complete({ prompt: "Write.", write_to: "a.md" });

  expect(JSON.stringify(tools)).not.toMatch(/"files"|write_to/);
  expect([read.code, write.code]).toEqual(["FILE_NOT_ALLOWED", "FILE_NOT_ALLOWED"]);
  expect(read.text).toContain('"env": {"FOUNDRY_FILES": "');
});
