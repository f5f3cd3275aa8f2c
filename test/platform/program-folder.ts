import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFolder } from "../temporary-folder.js";

/** A folder of small programs, for tests that run them. */
export class ProgramFolder {
  private constructor(readonly path: string) {}

  static async make(): Promise<ProgramFolder> {
    return new ProgramFolder(await mkdtemp(join(tmpdir(), "programs-")));
  }

  /** A JavaScript module, which runs on every system. Returns its path. */
  async script(name: string, source: string): Promise<string> {
    const file = join(this.path, `${name}.mjs`);
    await writeFile(file, source);
    return file;
  }

  /** An executable file with a first line that names its interpreter. */
  async executable(name: string, source: string): Promise<string> {
    const file = join(this.path, name);
    await writeFile(file, `#!${process.execPath}\n${source}`);
    await chmod(file, 0o755);
    return file;
  }

  remove(): Promise<void> {
    return removeFolder(this.path);
  }
}
