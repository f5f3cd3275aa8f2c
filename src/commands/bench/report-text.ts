import { formatDuration, formatMegabytes } from "../../lib/index.js";
import { type Column, columnLines, type Screen } from "../terminal.js";
import {
  type BenchReport,
  type CaseReport,
  type ModelReport,
  methodOf,
  recommendation,
  SIMULATED,
  type Spread,
} from "./report.js";

type Row = readonly [name: string, value: string];

const COLUMNS: readonly Column[] = [
  { heading: "PROMPT" },
  { heading: "AT ONCE", isRight: true },
  { heading: "FIRST TOKEN", isRight: true },
  { heading: "EACH", isRight: true },
  { heading: "TOGETHER", isRight: true },
  { heading: "" },
];
const BAR = 18;

const LEGEND =
  "FIRST TOKEN is the time until it. EACH is the tokens per second of one answer after its first token, TOGETHER those of all answers at once, and the bar.";

/** One model as soon as it has been measured. */
export function showModel(report: ModelReport, screen: Screen): void {
  const { model, alias, device, cases, error } = report;
  const variant = alias === null || alias === model ? "" : model;
  screen.title(alias ?? model, [variant, device].filter(Boolean).join(", ") || undefined);
  if (report.simulated) screen.say(SIMULATED);
  screen.table([...loadRows(report), ...memoryRows(report), ...choiceRows(report)]);
  if (cases.length > 0) screen.rows(caseLines(cases));
  for (const sentence of report.not_measured) screen.faint(`Not measured: ${sentence}`);
  if (error !== null) screen.say(`${error.message} ${error.action}`);
}

/** What holds for all of them. */
export function showEnd(report: BenchReport, screen: Screen): void {
  screen.title(recommendation(report.concurrency));
  screen.say(report.concurrency.reason);
  screen.faint(LEGEND);
  screen.faint(methodOf(report));
  if (report.simulated) screen.say(SIMULATED);
}

/** The lines of the table, in 78 columns. */
export function caseLines(cases: readonly CaseReport[]): string[] {
  const highest = Math.max(...cases.map((each) => each.total_tokens_per_second?.median ?? 0));
  const rows = cases.map((each) => {
    const together = each.total_tokens_per_second?.median ?? 0;
    return [
      ...caseCells(each),
      "#".repeat(highest === 0 ? 0 : Math.round((BAR * together) / highest)),
    ];
  });
  return columnLines(COLUMNS, rows, Number.POSITIVE_INFINITY);
}

/** The prompt (`short, 21 tokens`), how many at once, and the figures; `~` where tokens are estimated. */
export function caseCells(each: CaseReport): string[] {
  const { prompt, input_tokens: tokens, first_token_ms: first } = each;
  const mark = each.estimated ? "~" : "";
  const speed = (spread: Spread | null): string =>
    spread === null ? "?" : `${mark}${spread.median}`;
  return [
    tokens === null ? prompt : `${prompt}, ${mark}${tokens} tokens`,
    String(each.at_once),
    first === null ? "?" : formatDuration(first.median),
    speed(each.tokens_per_second),
    speed(each.total_tokens_per_second),
  ];
}

export function loadRows({ load }: ModelReport): Row[] {
  if (load.ms === null) return [];
  const after = load.unloaded ? ", and unloaded afterwards" : "; it stays in memory";
  return [["Loaded in", `${formatDuration(load.ms)} (one load)${after}`]];
}

const choiceRows = ({ concurrency: { value } }: ModelReport): Row[] =>
  value === null ? [] : [["Best number at once", String(value)]];

export function memoryRows({ memory_mb: memory }: ModelReport): Row[] {
  const figures = [
    ["before the load", memory.before_load],
    ["with the model", memory.loaded],
    ["highest seen", memory.highest],
  ] as const;
  const known = figures.flatMap(([when, mb]) =>
    mb === null ? [] : [`${formatMegabytes(mb)} ${when}`],
  );
  return [["Memory of the service", known.join(", ") || "unknown"]];
}
