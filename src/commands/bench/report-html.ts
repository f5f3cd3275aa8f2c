import { counted, formatDuration } from "../../lib/index.js";
import {
  type BenchReport,
  type CaseReport,
  type ModelReport,
  methodOf,
  type PromptKind,
  recommendation,
  SIMULATED,
  type Spread,
} from "./report.js";
import { caseCells, loadRows, memoryRows } from "./report-text.js";

/** The report as one file: no script, no font, no picture from elsewhere. */
export function htmlReport(report: BenchReport): string {
  const { machine, service, models, at, version, simulated } = report;
  const what = [service.name, service.endpoint].filter((each) => each !== null).join(" at ");
  const mark = simulated ? `<p class="simulated">${escaped(SIMULATED)}</p>` : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>Speed of local models</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Speed of local models</h1>
<p>${escaped(what || "Unknown service")}<br>${escaped(machineWords(machine))}<br>${escaped(`${at.slice(0, 16).replace("T", " ")} UTC, foundry-local-mcp ${version}`)}</p>
${mark}
${choiceOf(report)}
${models.length > 1 ? comparisonOf(models) : ""}
${models.map((each) => sectionOf(each, models.length > 1)).join("\n")}
<h2>How it was measured</h2>
<p>${escaped(methodOf(report))}</p>
<p>“Each” is the speed of one answer after its first token. “Together” is that of all answers at once, from the requests to the last token. A line in a bar goes from the lowest to the highest value.</p>
</main>
</body>
</html>
`;
}

function machineWords(machine: BenchReport["machine"]): string {
  const { cpu, cores, memory_mb: memory, platform, arch, node } = machine;
  const gigabytes = `${Math.round(memory / 1024)} GB`;
  return `${cpu ?? "Unknown processor"}, ${counted(cores, "core")}, ${gigabytes}; ${platform} ${arch}, Node ${node}`;
}

const choiceOf = ({ concurrency }: BenchReport): string =>
  `<div class="choice"><strong>${escaped(recommendation(concurrency))}</strong><p>${escaped(concurrency.reason)}</p></div>`;

const nameOf = ({ alias, model }: ModelReport): string => alias ?? model;

function comparisonOf(models: readonly ModelReport[]): string {
  const barsOf = (spreadIn: (model: ModelReport) => Spread | null): Bar[] =>
    models.map((model) => ({
      label: shortLabel(nameOf(model)),
      value: spreadIn(model),
      kind: "short",
    }));
  const single = ({ cases }: ModelReport): Spread | null =>
    cases.find((each) => each.prompt === "short" && each.at_once === 1)?.tokens_per_second ?? null;
  const load = ({ load: { ms } }: ModelReport): Spread | null =>
    ms === null ? null : { median: ms, min: ms, max: ms };
  return `<h2>Comparison</h2>
<div class="plots">
${plotOf("One answer to a short prompt", "tokens per second", barsOf(single), speed)}
${plotOf("Load", "one load", barsOf(load), duration)}
</div>`;
}

type Words = (value: Spread) => string;
const speed: Words = ({ median }) => String(median);
const duration: Words = ({ median }) => formatDuration(median);

/** As many characters as the labels of a plot have room for. */
const LABEL_CHARACTERS = 14;
const shortLabel = (name: string): string =>
  name.length <= LABEL_CHARACTERS ? name : `${name.slice(0, LABEL_CHARACTERS - 1)}…`;

/** @param isOneOfMany Then its own choice differs from that of all. */
function sectionOf(report: ModelReport, isOneOfMany: boolean): string {
  const { model, device, cases, error, concurrency } = report;
  const facts = [
    ["Model", device === null ? model : `${model} on ${device}`] as const,
    ...loadRows(report),
    ...memoryRows(report),
    ...(concurrency.value === null || !isOneOfMany
      ? []
      : [["FOUNDRY_CONCURRENCY", `${concurrency.value}. ${concurrency.reason}`] as const]),
  ];
  const missing = report.not_measured.map((each) => `<li>${escaped(each)}</li>`).join("");
  return `<section>
<h2>${escaped(nameOf(report))}</h2>
${error === null ? "" : `<p class="error">${escaped(`${error.message} ${error.action}`)}</p>`}
<dl>${facts.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join("")}</dl>
${cases.length === 0 ? "" : plotsOf(cases)}
${missing === "" ? "" : `<h3>Not measured</h3><ul>${missing}</ul>`}
</section>`;
}

function plotsOf(cases: readonly CaseReport[]): string {
  const barsOf = (figure: "total_tokens_per_second" | "tokens_per_second" | "first_token_ms") =>
    cases.map((each) => ({
      label: `${each.prompt}, ${each.at_once} at once`,
      value: each[figure],
      kind: each.prompt,
    }));
  return `<div class="plots">
${plotOf("All answers together", "tokens per second", barsOf("total_tokens_per_second"), speed)}
${plotOf("Each answer", "tokens per second", barsOf("tokens_per_second"), speed)}
${plotOf("First token", "time until it", barsOf("first_token_ms"), duration)}
</div>
${tableOf(cases)}`;
}

const HEADINGS = ["Prompt", "At once", "First token", "Each", "Together", "Answers"] as const;

function tableOf(cases: readonly CaseReport[]): string {
  const rows = cases.map((each) => [
    ...caseCells(each),
    `${each.answers - each.failed} of ${each.answers}`,
  ]);
  const cellsOf = (cells: readonly string[], tag: "td" | "th"): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="table"><table><thead>${cellsOf(HEADINGS, "th")}</thead><tbody>${rows.map((cells) => cellsOf(cells, "td")).join("")}</tbody></table></div>`;
}

interface Bar {
  readonly label: string;
  /** `null`: not measured. */
  readonly value: Spread | null;
  /** Bars of one kind have one colour. */
  readonly kind: PromptKind;
}

const WIDTH = 360;
const LABELS = 116;
const VALUES = 64;
const ROW = 26;
const BAR = 14;

/** Horizontal bars as SVG, each with a line from its lowest to its highest value. */
function plotOf(title: string, unit: string, bars: readonly Bar[], words: Words): string {
  const highest = Math.max(...bars.map(({ value }) => value?.max ?? 0));
  const room = WIDTH - LABELS - VALUES;
  const lengthOf = (value: number): number =>
    highest === 0 ? 0 : Math.round((room * value * 10) / highest) / 10;
  const rows = bars.map(({ label, value, kind }, index) => {
    const y = index * ROW;
    const middle = y + ROW / 2;
    const text = `<text x="${LABELS - 8}" y="${middle}" class="label">${escaped(label)}</text>`;
    if (value === null) {
      return `${text}<text x="${LABELS}" y="${middle}" class="none">not measured</text>`;
    }
    const end = LABELS + lengthOf(value.max);
    const bar = `<rect x="${LABELS}" y="${middle - BAR / 2}" width="${lengthOf(value.median)}" height="${BAR}" rx="2" class="${kind}"/>`;
    const range =
      value.max > value.min
        ? `<path d="M${LABELS + lengthOf(value.min)} ${middle}H${end}" class="range"/>`
        : "";
    return `${text}${bar}${range}<text x="${end + 6}" y="${middle}" class="value">${escaped(words(value))}</text>`;
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
const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (each) => ENTITIES[each] ?? each);

const STYLE = `
:root { color-scheme: light dark; --ground: #fff; --ink: #1b1f24; --faint: #59636e; --line: #d5dae0; --short: #2f6fde; --long: #b8620b; --range: #1b1f24; --mark: #fff4d6; --mark-ink: #5c4200; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171b; --ink: #e7eaee; --faint: #9aa4af; --line: #333a42; --short: #6ea0ff; --long: #f0a04b; --range: #e7eaee; --mark: #43360f; --mark-ink: #ffe9ad; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
h1, h2, p, dd, li { overflow-wrap: anywhere; }
.choice { border: 1px solid var(--line); border-radius: 8px; padding: .75rem 1rem; }
.choice p { margin: .25rem 0 0; }
.simulated { background: var(--mark); color: var(--mark-ink); border-radius: 8px; padding: .75rem 1rem; font-weight: 600; }
.error { font-weight: 600; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .25rem 1rem; margin: 0 0 1rem; }
dt { color: var(--faint); overflow-wrap: anywhere; }
dd { margin: 0; }
@media (max-width: 32rem) { dl { display: block; } dd { margin: 0 0 .5rem; } }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1.5rem; }
figure { margin: 0; max-width: 30rem; }
figcaption { font-weight: 600; margin-bottom: .25rem; }
figcaption span { color: var(--faint); font-weight: 400; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); dominant-baseline: central; }
svg .label { text-anchor: end; fill: var(--faint); }
svg .none { fill: var(--faint); }
svg .short { fill: var(--short); }
svg .long { fill: var(--long); }
svg .range { stroke: var(--range); stroke-width: 1.5; }
.table { overflow-x: auto; margin-top: 1.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--faint); font-weight: 600; }
ul { margin: 0; padding-left: 1.25rem; }
`;
