import * as z from "zod";
import {
  type Completion,
  DIALECT_NAMES,
  type Diagnosis,
  FOUND_BY,
  type Health,
  type HealthProblem,
  type ModelListResult,
  withoutAttempts,
} from "../../foundry/index.js";
import { type FoundryError, VERSION } from "../../lib/index.js";
import { type MisspelledSetting, SETTING_SOURCES, type SettingInForce } from "../../settings.js";
import { terminalWords } from "../../terminal-words.js";
import type { HostEntry } from "../setup/index.js";

const problemSchema = z.object({ what: z.string(), fix: z.string() });

const completionReportSchema = z.object({
  ok: z.boolean(),
  model: z.string().nullable(),
  text: z.string(),
  output_tokens: z.int().nullable(),
  estimated: z.boolean().describe("Whether output_tokens is an estimate"),
  load_ms: z
    .number()
    .nullable()
    .describe("0 where the model was in memory; null where it was not loaded"),
  first_token_ms: z.number().nullable(),
  tokens_per_second: z.number().nullable().describe("null where the answer was too short"),
  error: problemSchema.extend({ code: z.string() }).nullable(),
});

/**
 * What `doctor --json` prints, once, and nothing besides. Members may be added; none goes or changes
 * its meaning without another `format`. Unknown facts are `null`.
 */
export const doctorReportSchema = z.object({
  format: z.literal(1),
  ok: z.boolean().describe("A completion worked; where none was asked for, the service answers"),
  version: z.string().describe("Of foundry-local-mcp"),
  machine: z.object({ node: z.string(), platform: z.string(), arch: z.string() }),
  status: z.enum(["healthy", "degraded", "unavailable"]),
  endpoint: z.string().nullable(),
  found_by: z.enum(FOUND_BY).nullable(),
  search_ms: z.number().nullable().describe("A start included; null where an endpoint is set"),
  tried: z
    .array(z.object({ what: z.string(), outcome: z.string(), ok: z.boolean() }))
    .describe("To find the service, in order"),
  command_line: z
    .object({
      path: z.string(),
      generation: z.enum(["service", "server"]).nullable(),
      version: z.string().nullable(),
    })
    .nullable(),
  dialect: z.enum(DIALECT_NAMES).nullable(),
  service: z.string().nullable().describe("The dialect in words"),
  service_version: z.string().nullable(),
  latency_ms: z.number().nullable(),
  pid: z.int().nullable(),
  uptime_s: z.number().nullable(),
  memory: z
    .object({ process_mb: z.number().nullable(), free_mb: z.number(), total_mb: z.number() })
    .nullable(),
  models: z
    .object({
      listed: z.int(),
      downloaded: z.int().nullable(),
      loaded: z.array(z.string()).nullable(),
      default: z.string().nullable().describe("What a completion without a model uses"),
    })
    .nullable(),
  completion: completionReportSchema.nullable().describe("null where none was asked for"),
  keeper: z
    .object({ holds: z.int().describe("Completions and loads") })
    .nullable()
    .describe("What goes on with the work of servers that have ended; null where none runs"),
  hosts: z
    .array(
      z.object({
        name: z.string(),
        file: z.string(),
        status: z.enum(["set_up", "switched_off", "not_set_up", "broken", "unreadable"]),
      }),
    )
    .describe("MCP hosts of this user, and whether they start this server"),
  problems: z.array(problemSchema).describe("Each once, the failure of the completion included"),
  settings: z.array(
    z.object({ name: z.string(), value: z.string(), source: z.enum(SETTING_SOURCES) }),
  ),
});
export type DoctorReport = z.output<typeof doctorReportSchema>;
export type CompletionReport = z.output<typeof completionReportSchema>;

export interface Findings {
  readonly diagnosis: Diagnosis;
  readonly list: ModelListResult | null;
  readonly completion: CompletionReport | null;
  /** What kept the list from being had. */
  readonly failure: FoundryError | null;
  readonly keeper: DoctorReport["keeper"];
  readonly hosts: readonly HostEntry[];
  readonly settings: readonly SettingInForce[];
  readonly misspelled: readonly MisspelledSetting[];
}

export function reportOf(findings: Findings): DoctorReport {
  const { diagnosis, list, completion, failure, keeper, settings } = findings;
  const { health, attempts, commandLine, searchMs } = diagnosis;
  const answers = health.status !== "unavailable" && failure === null;
  const models = list === null ? null : modelsOf(list, health.loadedModels);
  return {
    format: 1,
    ok: answers && (completion?.ok ?? true),
    version: VERSION,
    machine: { node: process.version, platform: process.platform, arch: process.arch },
    status: health.status,
    endpoint: health.endpoint,
    found_by: health.foundBy,
    search_ms: searchMs,
    tried: attempts.map(({ what, outcome, ok }) => ({ what, outcome: terminalWords(outcome), ok })),
    command_line: commandLine,
    dialect: health.dialect,
    service: health.service,
    service_version: health.version,
    latency_ms: health.latencyMs,
    pid: health.pid,
    uptime_s: health.uptimeSeconds,
    memory: memoryOf(health),
    models,
    completion,
    keeper,
    hosts: findings.hosts.map(({ host, file, status }) => ({ name: host.title, file, status })),
    problems: problemsOf(findings, models),
    settings: [...settings],
  };
}

/** Each problem once, though several may have met it. */
function problemsOf(
  { diagnosis: { health }, failure, completion, misspelled, hosts }: Findings,
  models: DoctorReport["models"],
): HealthProblem[] {
  // A search that may start something knows more than one that only looks.
  const isOfSearch = failure?.code === "NO_ENDPOINT" && health.status === "unavailable";
  const problems = isOfSearch ? [] : health.problems.map(inTerminalWords);
  const add = (whatHappened: string, advice: string) => {
    const { what, fix } = inTerminalWords({ what: whatHappened, fix: advice });
    if (!problems.some((problem) => problem.what.includes(what))) problems.push({ what, fix });
  };
  if (failure !== null) add(withoutAttempts(failure.message), failure.action);
  const error = completion?.error ?? null;
  const hasNoModel = models !== null && (models.listed === 0 || models.downloaded === 0);
  const isReported = error?.code === "MODEL_NOT_CACHED" && hasNoModel && problems.length > 0;
  if (error !== null && !isReported) add(error.what, error.fix);
  for (const { variable, meant } of misspelled) {
    add(`${variable} is set, but there is no such setting.`, `Did you mean ${meant}?`);
  }
  for (const { host, file, status, detail } of hosts) {
    if (status === "broken") {
      add(
        `The entry in ${host.title} starts a file that does not exist: ${detail}.`,
        "Run `foundry-local-mcp doctor --fix`, which writes the path of this program.",
      );
    } else if (status === "unreadable") {
      add(
        `${file} of ${host.title} ${detail}.`,
        "Correct it in an editor, then run `foundry-local-mcp setup`.",
      );
    }
  }
  return problems;
}

const inTerminalWords = ({ what, fix }: HealthProblem): HealthProblem => ({
  what: terminalWords(what),
  fix: terminalWords(fix),
});

function modelsOf({ models, defaultModel }: ModelListResult, loaded: readonly string[] | null) {
  const isKnown = models.length === 0 || models.some((model) => model.downloaded !== null);
  return {
    listed: models.length,
    downloaded: isKnown ? models.filter((model) => model.downloaded === true).length : null,
    loaded: loaded === null ? null : [...loaded],
    default: defaultModel,
  };
}

function memoryOf({ memory }: Pick<Health, "memory">): DoctorReport["memory"] {
  if (memory === null) return null;
  const { processMb, freeMb, totalMb } = memory;
  return { process_mb: processMb, free_mb: freeMb, total_mb: totalMb };
}

export function completionReport(
  completion: Completion,
  failure: FoundryError | null,
): CompletionReport {
  const { model, text, usage, timing } = completion;
  return {
    ok: failure === null,
    model,
    text,
    output_tokens: usage.outputTokens,
    estimated: usage.estimated,
    load_ms: timing.loadMs,
    first_token_ms: timing.firstTokenMs,
    tokens_per_second: timing.tokensPerSecond,
    error:
      failure === null
        ? null
        : {
            code: failure.code,
            ...inTerminalWords({ what: failure.message, fix: failure.action }),
          },
  };
}
