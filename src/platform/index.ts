export { FileCache } from "./file-cache.js";
export { type FileLock, FileLocks } from "./file-lock.js";
export { exists, type FileFault, inPool, LATE, readAtMost, readSmallFile } from "./file-reads.js";
export {
  freeDiskMb,
  isDiskExact,
  type MemoryFigures,
  machineMemory,
  memoryFigures,
} from "./free-space.js";
export { type ListenerOwner, ownerOfListener } from "./listener-owner.js";
export { type Machine, thisMachine } from "./machine.js";
export {
  type KeeperAddress,
  keeperAddress,
  makePrivateDirectory,
  makePrivateFile,
  ownDirectory,
  ownUid,
  replaceFile,
  serversDirectory,
  stableHost,
} from "./own-directory.js";
export { endProcess, keepHeapSmall, onTermination, unblock } from "./own-process.js";
export {
  executableCandidates,
  firstExecutable,
  folderSeparator,
  foldersIn,
  pathAsTyped,
  pathsOf,
  withoutQuotes,
} from "./paths.js";
export { isProcessAlive, type ProcessFigures, processFigures } from "./processes.js";
export { OutputLines } from "./program-output.js";
export {
  type ProgramEnd,
  type ProgramOptions,
  type ProgramRun,
  runProgram,
} from "./run-program.js";
