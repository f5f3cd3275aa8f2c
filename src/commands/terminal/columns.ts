/** A column of a table, with its heading. */
export interface Column {
  readonly heading: string;
  readonly isRight?: boolean;
  /** May be shortened in the middle where the table is too wide, down to this many characters. */
  readonly shrinksTo?: number;
}

const GAP = 2;

/**
 * The lines of a table in at most `width` columns. Cells of columns that may shrink are shortened in the
 * middle, the last such column first. Other columns keep their width, whatever the terminal has.
 */
export function columnLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): string[] {
  const lines = [columns.map(({ heading }) => heading), ...rows];
  const widths = columns.map((_, index) =>
    Math.max(...lines.map((cells) => (cells[index] ?? "").length)),
  );
  const gaps = GAP * (columns.length - 1);
  let excess = widths.reduce((sum, each) => sum + each, gaps) - width;
  for (const [index, { shrinksTo, heading }] of [...columns.entries()].reverse()) {
    const least = shrinksTo === undefined ? Infinity : Math.max(shrinksTo, heading.length);
    const cut = Math.min(excess, Math.max(0, (widths[index] ?? 0) - least));
    if (cut <= 0) continue;
    widths[index] = (widths[index] ?? 0) - cut;
    excess -= cut;
  }
  return lines.map((cells) =>
    columns
      .map(({ isRight = false }, index) => {
        const room = widths[index] ?? 0;
        const cell = shortened(cells[index] ?? "", room);
        return isRight ? cell.padStart(room) : cell.padEnd(room);
      })
      .join(" ".repeat(GAP))
      .trimEnd(),
  );
}

/** Both ends of a text: the end of a model's name says for which device it is. */
export function shortened(text: string, width: number): string {
  if (text.length <= width) return text;
  const kept = Math.max(0, width - 2);
  const end = Math.floor(kept / 2);
  return `${text.slice(0, kept - end)}..${text.slice(text.length - end)}`;
}
