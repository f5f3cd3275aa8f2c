import type { Spread } from "./report.js";

/** A bar of a plot. */
export interface Bar {
  readonly label: string;
  /** `null`: not measured. */
  readonly value: Spread | null;
  /** The value in words. */
  readonly words: string;
  /** Bars of one kind have one colour. */
  readonly kind: string;
}

const WIDTH = 360;
const LABELS = 116;
const VALUES = 64;
const ROW = 26;
const BAR = 14;

/** Horizontal bars as SVG, each with a line from its lowest to its highest value. */
export function plotOf(title: string, unit: string, bars: readonly Bar[]): string {
  const highest = Math.max(...bars.map(({ value }) => value?.max ?? 0));
  const room = WIDTH - LABELS - VALUES;
  const lengthOf = (value: number): number =>
    highest === 0 ? 0 : Math.round((room * value * 10) / highest) / 10;
  const rows = bars.map(({ label, value, words, kind }, index) => {
    const y = index * ROW;
    const middle = y + ROW / 2;
    const text = `<text x="${LABELS - 8}" y="${middle}" class="label">${escaped(label)}</text>`;
    if (value === null) {
      return `${text}<text x="${LABELS}" y="${middle}" class="none">not measured</text>`;
    }
    const end = LABELS + lengthOf(value.max);
    const bar = `<rect x="${LABELS}" y="${middle - BAR / 2}" width="${lengthOf(value.median)}" height="${BAR}" rx="2" class="${escaped(kind)}"/>`;
    const range =
      value.max > value.min
        ? `<path d="M${LABELS + lengthOf(value.min)} ${middle}H${end}" class="range"/>`
        : "";
    return `${text}${bar}${range}<text x="${end + 6}" y="${middle}" class="value">${escaped(words)}</text>`;
  });
  const height = bars.length * ROW;
  return `<figure><figcaption>${escaped(title)} <span>${escaped(unit)}</span></figcaption><svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(`${title}, ${unit}`)}">${rows.join("")}</svg></figure>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A text for HTML, within an element or a quoted attribute. */
export const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (each) => ENTITIES[each] ?? each);
