export { endProcess } from "./end-process.js";
export {
  executableCandidates,
  firstExecutable,
  pathAsTyped,
  withoutQuotes,
} from "./executables.js";
export { FileCache } from "./file-cache.js";
export { type FileLock, FileLocks, stableHost } from "./file-lock.js";
export { folderSeparator, foldersIn } from "./folder-list.js";
export { freeDiskMb, isDiskExact, type MemoryFigures, memoryFigures } from "./free-space.js";
export { type KeeperAddress, keeperAddress, serversDirectory } from "./keeper-address.js";
export { type ListenerOwner, ownerOfListener } from "./listener-owner.js";
export { type Machine, thisMachine } from "./machine.js";
export { makePrivateDirectory, ownDirectory, ownUid } from "./own-directory.js";
export { inPool, LATE } from "./pool.js";
export { isProcessAlive } from "./process-alive.js";
export {
  type MachineMemory,
  machineMemory,
  type ProcessFigures,
  processFigures,
} from "./process-figures.js";
export { OutputLines } from "./program-output.js";
export {
  type ProgramEnd,
  type ProgramOptions,
  type ProgramRun,
  runProgram,
} from "./run-program.js";
export { type FileFault, readSmallFile } from "./small-file.js";
export { keepHeapSmall } from "./small-heap.js";
export { onTermination } from "./termination.js";
export { unblock } from "./unblocked-output.js";
