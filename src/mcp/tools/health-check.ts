import * as z from "zod";
import { DIALECT_NAMES, FOUND_BY, FOUND_BY_WORDS, type Health } from "../../foundry/index.js";
import { defineTool } from "../tool.js";

export const healthCheck = defineTool({
  name: "health_check",
  title: "Check the local model service",
  description:
    "Reports whether the local model service works: reachable, busy, loaded models, memory, and each problem with its fix. Use it when another tool fails. Read-only. null means unknown.",
  arguments: z.strictObject({}),
  result: z.object({
    status: z.enum(["healthy", "degraded", "unavailable"]),
    endpoint: z.string().nullable(),
    dialect: z.enum(DIALECT_NAMES).nullable(),
    found_by: z.enum(FOUND_BY).nullable(),
    loaded_models: z.array(z.string()).nullable(),
    busy: z.boolean().nullable().describe("True while it loads a model"),
    memory: z
      .object({
        process_mb: z.number().nullable(),
        free_mb: z.number(),
        total_mb: z.number(),
      })
      .nullable(),
    uptime_s: z.number().nullable(),
    pid: z.int().nullable(),
    version: z.string().nullable(),
    latency_ms: z.number().nullable(),
    circuit: z.object({ state: z.string(), next_probe_in_ms: z.number().nullable() }).nullable(),
    queue: z.object({ running: z.int(), waiting: z.int() }),
    kept: z.int().optional().describe("Completions and loads in the keeper"),
    totals: z.object({
      completed: z.int(),
      interrupted: z.int(),
      cancelled: z.int(),
      failed: z.int(),
      output_tokens: z.int(),
    }),
    problems: z.array(z.object({ what: z.string(), fix: z.string() })),
  }),
  effect: "reads",

  async handle(_none, { client, signal, kept: keeper }) {
    const [health, kept] = await Promise.all([client.healthCheck({ signal }), keeper.holds()]);
    const more = kept === null ? [] : [`Keeper: runs, and holds ${kept}`];
    return {
      text: [textOf(health), ...more].join("\n"),
      result: { ...resultOf(health), ...(kept === null ? {} : { kept }) },
    };
  },
});

function textOf(health: Health): string {
  const where = health.endpoint === null ? "" : ` at ${health.endpoint}`;
  const facts = [
    fact("Service", health.service),
    health.foundBy === null
      ? null
      : fact(health.foundBy === "set" ? "Set by" : "Found by", FOUND_BY_WORDS[health.foundBy]),
    fact("Answered in", health.latencyMs === null ? null : `${health.latencyMs} ms`),
    fact("Loaded models", loadedModels(health)),
    fact("Memory", memory(health)),
    fact("Up for", health.uptimeSeconds === null ? null : `${health.uptimeSeconds} s`),
    fact("Running completions", health.queue.running > 0 ? String(health.queue.running) : null),
  ];
  return [
    `The service${where} is ${health.status}${health.busy === true ? ", and busy loading a model" : ""}.`,
    ...facts.filter((line) => line !== null),
    ...health.problems.map(({ what, fix }) => `Problem: ${what} ${fix}`),
  ].join("\n");
}

/** In the text; the structured result has all of them. */
const MOST_NAMES_IN_TEXT = 20;

const fact = (name: string, value: string | null): string | null =>
  value === null ? null : `${name}: ${value}`;

function loadedModels({ loadedModels: loaded, status }: Health): string | null {
  if (status === "unavailable") return null;
  if (loaded === null) return "unknown";
  if (loaded.length === 0) return "none";
  const more = loaded.length - MOST_NAMES_IN_TEXT;
  const names = loaded.slice(0, MOST_NAMES_IN_TEXT).join(", ");
  return more > 0 ? `${names} and ${more} more` : names;
}

function memory({ memory: figures }: Health): string | null {
  if (figures === null) return null;
  const used = figures.processMb === null ? "" : `${figures.processMb} MB used by the service, `;
  return `${used}${figures.freeMb} of ${figures.totalMb} MB free`;
}

function resultOf(health: Health) {
  const { memory: figures, circuit, totals } = health;
  return {
    status: health.status,
    endpoint: health.endpoint,
    dialect: health.dialect,
    found_by: health.foundBy,
    loaded_models: health.loadedModels === null ? null : [...health.loadedModels],
    busy: health.busy,
    memory:
      figures === null
        ? null
        : {
            process_mb: figures.processMb,
            free_mb: figures.freeMb,
            total_mb: figures.totalMb,
          },
    uptime_s: health.uptimeSeconds,
    pid: health.pid,
    version: health.version,
    latency_ms: health.latencyMs,
    circuit:
      circuit === null ? null : { state: circuit.state, next_probe_in_ms: circuit.nextProbeInMs },
    queue: { ...health.queue },
    totals: {
      completed: totals.completed,
      interrupted: totals.interrupted,
      cancelled: totals.cancelled,
      failed: totals.failed,
      output_tokens: totals.outputTokens,
    },
    problems: health.problems.map(({ what, fix }) => ({ what, fix })),
  };
}
