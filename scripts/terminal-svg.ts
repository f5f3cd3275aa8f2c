/** A piece of a program's output, and how long after its start it was written. */
export interface Chunk {
  readonly atMs: number;
  readonly text: string;
}

/** What a terminal shows of it: the text of one colour. */
interface Span {
  readonly text: string;
  readonly code: number;
}

interface Line {
  /** When its first character was written. */
  readonly atMs: number;
  spans: Span[];
}

export const COLUMNS = 98;
const ROWS = 24;
const HEIGHT = 18;
const WIDTH = 7.9;
const EDGE = 16;

/** The classes of the codes that `src/commands/terminal.ts` paints with. */
const CLASSES = new Map([
  [1, "b"],
  [2, "f"],
  [31, "r"],
  [32, "g"],
  [36, "c"],
]);

/**
 * A recording of a terminal as an animated SVG: each line appears when it was written, and the lines
 * scroll. It plays once and ends with the last lines; without animation it shows those at once.
 */
export function terminalSvg(title: string, chunks: readonly Chunk[]): string {
  const lines = linesOf(chunks);
  const width = Math.ceil(COLUMNS * WIDTH + 2 * EDGE);
  const height = ROWS * HEIGHT + 2 * EDGE;
  const total = (chunks.at(-1)?.atMs ?? 0) + 500;
  const offset = (index: number): number => -Math.max(0, index + 1 - ROWS) * HEIGHT;
  // Lines that come at once scroll at once.
  const scrolling = new Map(
    lines.flatMap(({ atMs }, index) =>
      offset(index) === 0 ? [] : [[((atMs / total) * 100).toFixed(1), offset(index)] as const],
    ),
  );
  const steps = [...scrolling].map(([at, by]) => `${at}%{transform:translateY(${by}px)}`);
  const texts = lines.map(({ atMs, spans }, index) => {
    if (spans.length === 0) return "";
    const delay = `animation-delay:${(atMs / 1000).toFixed(2)}s`;
    return `<text y="${(index + 1) * HEIGHT - 5}" style="${delay}">${spans.map(spanOf).join("")}</text>\n`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">
<title id="title">${escaped(title)}</title>
<style>
text{font:13px ui-monospace,Consolas,Menlo,"DejaVu Sans Mono",monospace;fill:#d1d7e0;white-space:pre}
.b{font-weight:bold;fill:#fff}.f{fill:#9198a1}.r{fill:#ff7b72}.g{fill:#3fb950}.c{fill:#79c0ff}
.lines{transform:translateY(${offset(lines.length - 1)}px)}
@media (prefers-reduced-motion:no-preference){
.lines{animation:scroll ${(total / 1000).toFixed(2)}s step-end both}
.lines text{animation:show 1ms both}
}
@keyframes show{from{opacity:0}}
@keyframes scroll{0%{transform:translateY(0)}${steps.join("")}}
</style>
<rect width="${width}" height="${height}" rx="8" fill="#151b23"/>
<clipPath id="window"><rect width="${width - 2 * EDGE}" height="${ROWS * HEIGHT}"/></clipPath>
<g transform="translate(${EDGE} ${EDGE})" clip-path="url(#window)"><g class="lines" xml:space="preserve">
${texts.join("")}</g></g>
</svg>
`;
}

function linesOf(chunks: readonly Chunk[]): Line[] {
  const lines: Line[] = [];
  let line: Line | null = null;
  let code = 0;
  let column = 0;
  const put = (character: string, atMs: number): void => {
    if (line === null || column === COLUMNS) {
      line = { atMs, spans: [] };
      lines.push(line);
      column = 0;
    }
    const last = line.spans.at(-1);
    if (last?.code === code) line.spans.splice(-1, 1, { code, text: last.text + character });
    else line.spans.push({ code, text: character });
    column += 1;
  };
  for (const { atMs, text } of chunks) {
    for (const [index, piece] of text.split("\u001b").entries()) {
      const [sequence = "", number, kind] = index === 0 ? [] : (/^\[(\d*)([mK])/.exec(piece) ?? []);
      if (kind === "m") code = Number(number);
      if (kind === "K") {
        if (line !== null) Object.assign(line, { spans: [] });
        column = 0;
      }
      for (const character of piece.slice(sequence.length)) {
        if (character === "\n") {
          if (line === null) lines.push({ atMs, spans: [] });
          line = null;
        } else if (character !== "\r") put(character, atMs);
      }
    }
  }
  return lines;
}

function spanOf({ text, code }: Span): string {
  const name = CLASSES.get(code);
  return name === undefined ? escaped(text) : `<tspan class="${name}">${escaped(text)}</tspan>`;
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
