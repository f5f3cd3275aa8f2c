/** Random numbers that are the same for the same seed. */
export interface Chance {
  /** From 0 to less than `most`. */
  upTo(most: number): number;
  /** A whole number from 0 to less than `most`. */
  oneOf(count: number): number;
}

/** Mulberry32. */
export function seeded(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    upTo: (most) => next() * most,
    oneOf: (count) => Math.floor(next() * count),
  };
}
