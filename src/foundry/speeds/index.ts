export {
  isSimulatedText,
  learnSpeed,
  measuredSpeed,
  readingMs,
  type Speed,
  SpeedMemory,
  STALL_MS,
  stallLimit,
} from "./speed-memory.js";
