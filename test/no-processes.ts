import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

/**
 * The unit project starts no process, which keeps it fast. A test that needs one goes into a file
 * named `*.process.test.ts`.
 */
const refuse = (): never => {
  throw new Error("A unit test starts a process: name its file *.process.test.ts");
};

Object.assign(childProcess, {
  exec: refuse,
  execFile: refuse,
  fork: refuse,
  spawn: refuse,
  execFileSync: refuse,
  execSync: refuse,
  spawnSync: refuse,
});
syncBuiltinESMExports();
