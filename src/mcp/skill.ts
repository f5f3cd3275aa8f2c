import { readFile } from "node:fs/promises";
import { skillEntry } from "@modelcontextprotocol/server/ext/skills";

const NAME = "foundry-local";
const text = await readFile(new URL(`../../skills/${NAME}/SKILL.md`, import.meta.url), "utf8");

/**
 * The skill that teaches agents when a local model is the right tool (SEP-2640): its entry, and the text
 * of its one file. The build replaces this module by its value.
 */
export const SKILL = { text, entry: await skillEntry(NAME, { "SKILL.md": text }) };
