/** A blank at which no line is broken; {@link wrapped} puts an ordinary one in its place. */
export const TIE = "\u00a0";

/**
 * Breaks a text at its blanks into lines of at most `width` columns. What stands in backticks is to be
 * copied, so it is never broken, nor is a longer word.
 */
export function wrapped(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => linesOf(line, width));
}

function linesOf(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.match(/(?:`[^`]*`|[^ ])+/g) ?? []) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && longer.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line].map((each) => each.replaceAll(TIE, " "));
}
