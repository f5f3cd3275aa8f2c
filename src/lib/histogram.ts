/** A distribution of measured values. Percentiles are estimated from buckets, at most 19 % off. */
export interface Distribution {
  readonly count: number;
  readonly sum: number;
  readonly max: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** How many values are at most `upTo`. */
interface Bucket {
  readonly upTo: number;
  readonly count: number;
}

/** The end of the first bucket. Milliseconds and tokens per second fit the same range. */
const LOWEST = 1 / 16;
const PER_OCTAVE = 4;
/** Up to 4.2 million: 70 minutes in milliseconds. Larger values are in one last bucket. */
const OCTAVES = 26;
const BOUNDED = OCTAVES * PER_OCTAVE + 1;

const endOf = (bucket: number): number => LOWEST * 2 ** (bucket / PER_OCTAVE);

/** Counts of values in fixed buckets of equal ratio: its memory does not grow. */
export class Histogram {
  readonly #counts = new Float64Array(BOUNDED + 1);
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;

  /** Ignores what is not a number from 0 up. */
  add(value: number | null): void {
    if (value === null || !Number.isFinite(value) || value < 0) return;
    const bucket = Math.ceil(PER_OCTAVE * Math.log2(value / LOWEST));
    const index = Math.min(BOUNDED, Math.max(0, bucket));
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#count += 1;
    this.#sum += value;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
  }

  /** Adds all values of another one. */
  addAll(other: Histogram): void {
    for (const [index, count] of other.#counts.entries()) {
      this.#counts[index] = (this.#counts[index] ?? 0) + count;
    }
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  /** `null`: nothing was measured. */
  get distribution(): Distribution | null {
    if (this.#count === 0) return null;
    return {
      count: this.#count,
      sum: tenths(this.#sum),
      max: tenths(this.#max),
      p50: tenths(this.#percentile(0.5)),
      p95: tenths(this.#percentile(0.95)),
      p99: tenths(this.#percentile(0.99)),
    };
  }

  /** Cumulative counts at the powers of two from `from` to `to`, without the last bucket. */
  buckets(from: number, to: number): Bucket[] {
    const buckets: Bucket[] = [];
    let count = 0;
    for (let index = 0; index < BOUNDED; index += 1) {
      count += this.#counts[index] ?? 0;
      const upTo = endOf(index);
      if (index % PER_OCTAVE === 0 && upTo >= from && upTo <= to) buckets.push({ upTo, count });
    }
    return buckets;
  }

  #percentile(part: number): number {
    const rank = part * this.#count;
    let below = 0;
    for (const [index, count] of this.#counts.entries()) {
      if (count > 0 && below + count >= rank) {
        const from = Math.max(this.#min, index === 0 ? 0 : endOf(index - 1));
        const to = Math.min(this.#max, index === BOUNDED ? this.#max : endOf(index));
        return from + (to - from) * ((rank - below) / count);
      }
      below += count;
    }
    return this.#max;
  }
}

const tenths = (value: number): number => Math.round(value * 10) / 10;
