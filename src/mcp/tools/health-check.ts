import * as z from "zod";
import { FOUND_BY_WORDS, type Health } from "../../foundry/index.js";
import type { FoundryClient } from "../../jobs/index.js";
import {
  counted,
  type Distribution,
  formatDuration,
  formatWait,
  inSnakeCase,
} from "../../lib/index.js";
import { defineTool } from "../tool.js";

export const healthCheck = defineTool({
  name: "health_check",
  title: "Check the local model service",
  description: "Reports whether the local model service works, and each problem with its fix.",
  arguments: z.strictObject({}),
  // Rarer members are in the result, and not in its schema: see resultOf.
  result: z.looseObject({
    status: z.enum(["healthy", "degraded", "unavailable"]),
    endpoint: z.string().nullable(),
    dialect: z.string().nullable(),
    loaded_models: z.array(z.string()).nullable(),
    busy: z.boolean().nullable(),
    problems: z.array(z.record(z.string(), z.string())),
  }),
  effect: "reads",

  async handle(_none, { client, signal, kept: keeper }) {
    const [health, kept] = await Promise.all([client.healthCheck({ signal }), keeper.holds()]);
    const more = kept === null ? [] : [`Keeper: runs; completions and loads in it: ${kept}`];
    return {
      text: [textOf(health), ...more].join("\n"),
      result: {
        ...resultOf(health),
        completions: timesOf(client),
        ...(kept === null ? {} : { kept }),
      },
    };
  },
});

function textOf(health: Health): string {
  const where = health.endpoint === null ? "" : ` at ${health.endpoint}`;
  const { foundBy, queue } = health;
  const facts: readonly (readonly [name: string, value: string | null])[] = [
    ["Service", health.service],
    [foundBy === "set" ? "Set by" : "Found by", foundBy && FOUND_BY_WORDS[foundBy]],
    ["Answered in", health.latencyMs === null ? null : `${health.latencyMs} ms`],
    ["Loaded models", loadedModels(health)],
    ["Memory", memory(health)],
    ["Up for", health.uptimeSeconds === null ? null : `${health.uptimeSeconds} s`],
    ["Circuit", circuit(health)],
    ["Queue", `${queue.running} running, ${queue.waiting} waiting`],
    ["Throughput", throughput(health)],
    ["Last error", lastError(health)],
    ["Rate limit", rate(health)],
    ["Cache", cache(health)],
  ];
  return [
    `The service${where} is ${health.status}${health.busy === true ? ", and busy loading a model" : ""}.`,
    ...facts.flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`])),
    ...health.problems.map(({ what, fix }) => `Problem: ${what} ${fix}`),
  ].join("\n");
}

/** In the text; the structured result has all of them. */
const MOST_NAMES_IN_TEXT = 20;

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

function circuit({ circuit: breaker }: Health): string | null {
  if (breaker === null) return null;
  const { state, nextProbeInMs } = breaker;
  if (state === "closed" || nextProbeInMs === null) return state;
  return `${state}, the next probe in ${formatDuration(nextProbeInMs)}`;
}

const throughput = ({ tokensPerSecond, totals }: Health): string | null =>
  tokensPerSecond === null
    ? null
    : `${tokensPerSecond} tokens/s in the median; ${counted(totals.outputTokens, "token")} in all`;

function lastError({ lastError: error }: Health): string | null {
  if (error === null) return null;
  const { code, operation, model, agoMs } = error;
  return `${code}, ${formatDuration(agoMs)} ago (${operation}${model === null ? "" : `, ${model}`})`;
}

function rate({ rateLimit }: Health): string | null {
  if (rateLimit === null) return null;
  const { perMinute, nextStartInMs } = rateLimit;
  const next = nextStartInMs === 0 ? "now" : `in ${formatWait(nextStartInMs)}`;
  return `${counted(perMinute, "completion start")} a minute, the next ${next}`;
}

const cache = ({ cache: counts }: Health): string | null =>
  counts && `${counts.entries} stored, ${counts.hits} used`;

/** How long completions took, and how fast they were; `null`: none was measured. */
function timesOf({ service: { metrics } }: FoundryClient) {
  const latency = metrics.distributionOf("latencyMs");
  if (latency === null) return null;
  return {
    latency_ms: percentiles(latency),
    first_token_ms: percentiles(metrics.distributionOf("firstTokenMs")),
    tokens_per_second: percentiles(metrics.distributionOf("tokensPerSecond")),
  };
}

const percentiles = (of: Distribution | null) => of && { p50: of.p50, p95: of.p95, p99: of.p99 };

/** `null` is unknown, or what says nothing: a closed circuit, an empty queue, counts of 0. */
function resultOf(health: Health) {
  const { circuit: breaker, queue } = health;
  const totals = Object.entries(health.totals).filter(([, count]) => count > 0);
  return {
    status: health.status,
    problems: health.problems.map(({ what, fix }) => ({ what, fix })),
    endpoint: health.endpoint,
    dialect: health.dialect,
    found_by: health.foundBy,
    loaded_models: health.loadedModels === null ? null : [...health.loadedModels],
    busy: health.busy,
    memory: inSnakeCase(health.memory),
    uptime_s: health.uptimeSeconds,
    pid: health.pid,
    version: health.version,
    latency_ms: health.latencyMs,
    circuit: breaker?.state === "closed" ? null : inSnakeCase(breaker),
    queue: queue.running + queue.waiting > 0 ? { ...queue } : null,
    rate_limit: inSnakeCase(health.rateLimit),
    cache: health.cache && { ...health.cache },
    totals: totals.length > 0 ? inSnakeCase(Object.fromEntries(totals)) : null,
    last_error: inSnakeCase(health.lastError),
  };
}
