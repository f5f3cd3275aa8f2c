/** What stands for a text where there is little room. */
export const firstSentence = (text: string): string => /^.*?\.(?=\s|$)/s.exec(text)?.[0] ?? text;

/** A table; its cells may contain any text of one line. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");

/**
 * The text with another generated part of this name.
 *
 * @throws Error Where the markers of a part are not there.
 */
export function withPart(text: string, name: string, part: string): string {
  const start = `<!-- generated: ${name} -->`;
  const end = "<!-- end generated -->";
  const from = text.indexOf(start);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`The markers ${start} and ${end} are missing.`);
  return `${text.slice(0, from)}${start}\n\n${part}\n\n${text.slice(to)}`;
}
