const cell = new Int32Array(new SharedArrayBuffer(4));

/** Stops this process for so many milliseconds, as on a machine without CPU for it. */
export const standStill = (ms: number): void => void Atomics.wait(cell, 0, 0, ms);
