import { median } from "./measures.js";

/** By server, then by figure: one value a run. */
export class Results {
  readonly #values = new Map<string, Map<string, number[]>>();

  note(server: string, figures: Readonly<Record<string, number>>): void {
    const own = this.#values.get(server) ?? new Map<string, number[]>();
    this.#values.set(server, own);
    for (const [figure, value] of Object.entries(figures)) {
      own.set(figure, [...(own.get(figure) ?? []), value]);
    }
  }

  get servers(): string[] {
    return [...this.#values.keys()];
  }

  get figures(): string[] {
    return [...new Set([...this.#values.values()].flatMap((own) => [...own.keys()]))];
  }

  /** The median of all runs; `null` where the server has no such figure. */
  median(server: string, figure: string): number | null {
    const values = this.#values.get(server)?.get(figure);
    return values === undefined ? null : median(values);
  }

  ratio(figure: string, server: string, other: string): number | null {
    const [one, two] = [this.median(server, figure), this.median(other, figure)];
    return one === null || two === null ? null : one / two;
  }

  /** How far apart the middle half of the runs lies, in per cent of the median; `null` for a single run. */
  spread(server: string, figure: string): number | null {
    const values = this.#values.get(server)?.get(figure);
    if (values === undefined || values.length < 2) return null;
    const sorted = [...values].sort((one, other) => one - other);
    const at = (part: number): number => sorted[Math.floor((sorted.length - 1) * part)] ?? 0;
    return ((at(0.75) - at(0.25)) / median(values)) * 100;
  }
}

const shown = (value: number | null, digits = 2): string =>
  value === null ? "" : value >= 100 ? value.toFixed(0) : value.toFixed(digits);

const shownSpread = (spread: number | null): string =>
  spread === null ? "" : `${shown(spread, 0)} %`;

/** The figures as a Markdown table: the median of each server, and the ratio of ours to the floors. */
export function tableOf(results: Results, floors: readonly string[]): string {
  const [ours = "", ...others] = results.servers;
  const head = ["", ours, "spread", ...others, ...floors.map((floor) => `${ours} / ${floor}`)];
  const rows = results.figures.map((figure) => [
    figure,
    shown(results.median(ours, figure)),
    shownSpread(results.spread(ours, figure)),
    ...others.map((server) => shown(results.median(server, figure))),
    ...floors.map((floor) => shown(results.ratio(figure, ours, floor))),
  ]);
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** A figure beside another one of the same run. */
export interface Beside {
  readonly figure: string;
  /** The server of the figure `other`. */
  readonly server: string;
  readonly other: string;
}

/** Figures of ours as a Markdown table, each beside another. */
export function tableBeside(results: Results, ours: string, rows: readonly Beside[]): string {
  const cells = rows.map(({ figure, server, other }) => {
    const [own, beside] = [results.median(ours, figure), results.median(server, other)];
    const ratio = own === null || beside === null ? null : own / beside;
    const name = server === ours ? other : server;
    const spread = shownSpread(results.spread(ours, figure));
    return [figure, shown(own), spread, `${shown(beside)} (${name})`, shown(ratio)];
  });
  const head = ["", ours, "spread", "beside", "ratio"];
  return [head, head.map(() => "---"), ...cells].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const WIDTH = 760;
const ROW = 22;
const LABEL = 230;

/** The same as bars: each figure in units of the SDK server, so that one scale fits all. */
export function plotOf(results: Results, unit: string): string {
  const figures = results.figures.filter((figure) => results.median(unit, figure) !== null);
  const ratios = figures.flatMap((figure) =>
    results.servers.map((server) => results.ratio(figure, server, unit) ?? 0),
  );
  const scale = (WIDTH - LABEL - 60) / Math.max(...ratios, 1);
  const height = figures.length * (results.servers.length + 1) * ROW + 10;
  const bars = figures.flatMap((figure, at) => {
    const top = at * (results.servers.length + 1) * ROW;
    return [
      `<text x="0" y="${top + ROW - 6}" font-weight="bold">${figure}</text>`,
      ...results.servers.map((server, row) => {
        const ratio = results.ratio(figure, server, unit) ?? 0;
        const y = top + (row + 1) * ROW;
        const color = row === 0 ? "#0b7285" : "#adb5bd";
        return `<text x="12" y="${y + ROW - 7}">${server}</text><rect x="${LABEL}" y="${y + 3}" width="${(ratio * scale).toFixed(1)}" height="${ROW - 6}" fill="${color}"/><text x="${(LABEL + ratio * scale + 6).toFixed(1)}" y="${y + ROW - 7}">${shown(ratio)}</text>`;
      }),
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-labelledby="title"><title id="title">Start, calls and memory of this server, the floor and the SDK server</title><rect width="100%" height="100%" fill="#fff"/>
${bars.join("\n")}
</svg>
`;
}
