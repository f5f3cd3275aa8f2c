export { isSimulatedText, learnSpeed, measuredSpeed } from "./measured-speed.js";
export { type Speed, SpeedMemory } from "./speed-memory.js";
export { readingMs, STALL_MS, stallLimit } from "./stall-limit.js";
