import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programFiles } from "../../src/cli/program.js";
import { type Simulator, StandInInUse, startFoundryCli, startSimulator } from "../../src/index.js";
import { run } from "./run.js";

describe("the program of a stand-in", () => {
  let place: string;
  let service: Simulator;
  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), "foundry-local-mcp-test-"));
    service = await startSimulator();
  });
  afterAll(async () => {
    await service.close();
    await rm(place, { recursive: true, force: true, maxRetries: 10 });
  });

  it.each(["linux", "darwin"] as const)("is an executable and a script on %s", (platform) => {
    const files = programFiles({ platform, directory: "/a b/it's", node: "/opt/no de" }, 7, "t");
    expect(files.map(({ path }) => path)).toEqual(["/a b/it's/foundry", "/a b/it's/foundry.mjs"]);
    expect(files[0]?.text).toMatch(
      /^#!\/bin\/sh\n# .*\nexec '\/opt\/no de' '\/a b\/it'\\''s\/foundry\.mjs' "\$@"\n$/,
    );
    expect(files.map(({ executable }) => executable)).toEqual([true, false]);
  });

  it("is only a script on Windows, where a script cannot replace an .exe", () => {
    const node = "C:\\Program Files\\nodejs\\node.exe";
    const files = programFiles({ platform: "win32", directory: "C:\\t", node }, 7, "t");
    expect(files.map(({ path }) => path)).toEqual(["C:\\t\\foundry.mjs"]);
  });

  it("runs from a directory with spaces and quotes, and by Node without the executable", async () => {
    const directory = join(place, "Foundry's new home");
    await using cli = await startFoundryCli({ generation: "server", service, directory });
    const direct = await run(cli, "--version");
    const byNode = await promisify(execFile)(process.execPath, [cli.script, "--version"]);
    expect(direct.stdout).toBe("0.10.3\n");
    expect(byNode.stdout).toBe("0.10.3\n");
    expect(cli.calls).toEqual([["--version"], ["--version"]]);
  });

  it("removes its files when it is closed, and also the directory if it created it", async () => {
    const directory = join(place, "given");
    const given = await startFoundryCli({ generation: "server", service, directory });
    const own = await startFoundryCli({ generation: "server", service });
    await given.close();
    await own.close();
    expect([existsSync(directory), existsSync(given.path), existsSync(given.script)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(existsSync(own.directory)).toBe(false);
  });

  it("replaces a stand-in whose simulator has ended, and no other file", async () => {
    const directory = join(place, "used");
    await mkdir(directory);
    const real = join(directory, "foundry.mjs");
    await writeFile(real, "the real one");
    const refused = startFoundryCli({ generation: "server", service, directory });
    await expect(refused).rejects.toThrow("not a stand-in");
    expect(await readFile(real, "utf8")).toBe("the real one");
    const [, left] = programFiles({ platform: "linux", directory, node: "node" }, 7, "t");
    await writeFile(real, left?.text ?? "");
    await chmod(real, 0o600);
    await using cli = await startFoundryCli({ generation: "server", service, directory });
    expect((await run(cli, "--version")).code).toBe(0);
  });

  it("does not replace a stand-in whose simulator runs, and removes only its own files", async () => {
    const directory = join(place, "shared");
    const first = await startFoundryCli({ generation: "server", service, directory });
    const refused = startFoundryCli({ generation: "server", service, directory });
    await expect(refused).rejects.toThrow(StandInInUse);
    expect((await run(first, "--version")).code).toBe(0);
    await writeFile(first.script, "of another program");
    await first.close();
    expect(await readFile(first.script, "utf8")).toBe("of another program");
    expect(existsSync(first.path)).toBe(true);
  });

  it("fails with a message when its simulator has ended", async () => {
    const cli = await startFoundryCli({ generation: "server", service });
    const script = join(place, "orphan.mjs");
    await writeFile(script, await readFile(cli.script));
    await cli.close();
    const failed = promisify(execFile)(process.execPath, [script, "server", "status"]);
    await expect(failed).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("has ended"),
    });
  });
});
