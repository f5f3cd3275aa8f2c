import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import type { Figures } from "./measures.js";

const readSchema = z.object({ cpuMs: z.number(), characters: z.number() });
const run = promisify(execFile);

/** The CPU milliseconds of a reader for a stream with a number of events, in a process of its own. */
async function cpuOf(
  reader: "ours" | "bare",
  endpoint: string,
  events: number,
  characters: number,
): Promise<number> {
  const file = fileURLToPath(new URL(`readers/${reader}.mjs`, import.meta.url));
  const prompt = `events ${events} ${characters}`;
  const { stdout } = await run(process.execPath, [file, endpoint, WARM_UP, prompt]);
  const read = readSchema.parse(JSON.parse(stdout));
  if (read.characters < events * Math.max(characters, 1))
    throw new Error(`${reader} did not read all events`);
  return read.cpuMs;
}

const TOKENS = 50_000;
/** The length of an event with a long text. */
const PIECE = 100;
const LONG_TEXT = 8_000_000;
/** Read first by each reader, so that compiled code is compared with compiled code. */
const WARM_UP = `events ${TOKENS} 0`;

export const STREAM = `a stream of ${TOKENS} tokens, CPU ms`;
export const LONG = "an answer of 8 MB, CPU ms";
export const READER = "text of an answer of 8 MB, MB read in a CPU second (more is better)";
export const SHORT = "an answer of 0.8 MB, CPU ms";

const megabytesInSecond = (cpuMs: number): number => LONG_TEXT / 1e6 / (cpuMs / 1000);

/** The cost of a stream in the library, and in a bare loop over its events. */
export async function measureStreams(endpoint: string): Promise<Record<"ours" | "bare", Figures>> {
  const text = (reader: "ours" | "bare", length: number) =>
    cpuOf(reader, endpoint, length / PIECE, PIECE);
  const long = await text("ours", LONG_TEXT);
  return {
    ours: {
      [STREAM]: await cpuOf("ours", endpoint, TOKENS, 0),
      [READER]: megabytesInSecond(long),
      [LONG]: long,
      [SHORT]: await text("ours", LONG_TEXT / 10),
    },
    bare: {
      [STREAM]: await cpuOf("bare", endpoint, TOKENS, 0),
      [READER]: megabytesInSecond(await text("bare", LONG_TEXT)),
    },
  };
}
