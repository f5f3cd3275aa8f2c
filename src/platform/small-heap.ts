import { setFlagsFromString } from "node:v8";

/**
 * Lets V8 collect garbage before the heap has grown far. A server with 27 MB in use had grown to three times
 * that otherwise, beside a model that needs the memory, and many hosts start one each. A call costs more CPU
 * time for it, which is nothing beside the time of a model (`npm run bench`).
 *
 * The flag steers when the heap grows, so it may be set while the process runs; V8 ignores a flag that it
 * does not know.
 */
export const keepHeapSmall = (): void => setFlagsFromString("--optimize-for-size");
