// Loaded into the measured process (`node --expose-gc --import`): answers each message of its parent
// with the heap that is left when all garbage is collected.
import { setTimeout } from "node:timers/promises";

process.on("message", async () => {
  const heaps = [];
  for (let time = 0; time < 3; time += 1) {
    // One collection may make further objects collectable for the next one.
    await setTimeout(100);
    globalThis.gc?.();
    heaps.push(process.memoryUsage().heapUsed);
  }
  process.send?.(Math.min(...heaps));
});
process.channel?.unref();
