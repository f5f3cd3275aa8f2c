import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A page of the documentation. */
export interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

export const page = (path: string): Page => ({
  path,
  text: readFileSync(`${ROOT}${path}`, "utf8").replaceAll("\r\n", "\n"),
});

/** All pages that a reader comes to from README.md. */
export const PAGES: readonly Page[] = [
  "README.md",
  "CONTRIBUTING.md",
  "AGENTS.md",
  "CHANGELOG.md",
  "packages/simulator/README.md",
  "examples/README.md",
  ...readdirSync(`${ROOT}docs`).flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : [])),
].map(page);

const withoutFences = (text: string): string => text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, "");

/** The targets of the links and pictures of a page, without those of examples. */
export const linksOf = ({ text }: Page): string[] =>
  [
    ...withoutFences(text)
      .replaceAll(/`[^`\n]*`/g, "")
      .matchAll(/\]\(([^)\s]+)\)/g),
  ].flatMap(([, target]) => (target === undefined ? [] : [target]));

/** The anchors that a Markdown viewer gives the headings of a page. */
export const anchorsOf = ({ text }: Page): string[] =>
  [...withoutFences(text).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );

export interface Block {
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of a page. */
export const blocksOf = ({ text }: Page): Block[] =>
  [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)\n *```$/gm)].map(
    ([, indent = "", language = "", body = ""]) => ({
      language,
      text: body.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    }),
  );

/** The lines of a page that a reader types into a terminal. */
export const commandsOf = (of: Page): string[] =>
  blocksOf(of)
    .filter(({ language }) => language === "" || language === "sh")
    .flatMap(({ text }) => text.split("\n"))
    .filter((line) => line.trim() !== "");

/** The commands within the sentences of a page. */
export const namedCommandsOf = ({ text }: Page): string[] =>
  [
    ...withoutFences(text).matchAll(
      /`((?:node|npm|npx|foundry|foundry-local-mcp)(?:\.cmd)? [^`]+)`/g,
    ),
  ].flatMap(([, command]) => (command === undefined ? [] : [command.replaceAll(/\s+/g, " ")]));
