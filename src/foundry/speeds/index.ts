export {
  isSimulatedText,
  learnSpeed,
  measuredSpeed,
  readingMs,
  STALL_MS,
  stallLimit,
} from "./measured-speed.js";
export { type Speed, SpeedMemory } from "./speed-memory.js";
