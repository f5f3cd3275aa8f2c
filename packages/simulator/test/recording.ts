import { readFileSync } from "node:fs";
import { z } from "zod";
import type { SimulatorOptions } from "../src/index.js";

const exchange = z.object({
  name: z.string(),
  request: z.object({
    method: z.string(),
    path: z.string(),
    headers: z.record(z.string(), z.string()),
    body: z.unknown(),
  }),
  response: z.object({
    status: z.number().optional(),
    reason: z.string().optional(),
    headers: z.array(z.tuple([z.string(), z.string()])).optional(),
    json: z.unknown().optional(),
    text: z.string().optional(),
    events: z.array(z.string()).optional(),
    connection: z.string().optional(),
  }),
  when: z.string().optional(),
});

const recording = z.object({ dialect: z.string(), exchanges: z.array(exchange) });

export type RecordedExchange = z.output<typeof exchange>;

/** The exchanges of a file in packages/simulator/recordings. */
export function readRecording(file: string): RecordedExchange[] {
  const url = new URL(`../recordings/${file}`, import.meta.url);
  return recording.parse(JSON.parse(readFileSync(url, "utf8"))).exchanges;
}

/** A recording, the service it was made from, and where only the shape can be the same. */
export interface RecordedService {
  readonly file: string;
  readonly options: SimulatorOptions;
  /** The exchanges of this service, where the file has those of several. */
  readonly only?: readonly string[];
  /** Exchange names, each with the reason. */
  readonly onlyShape: Readonly<Record<string, string>>;
  /** Lists that come in an order without a rule, each with the reason. */
  readonly anyOrder?: Readonly<Record<string, string>>;
}
