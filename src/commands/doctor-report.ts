import type { SettingInForce } from "../config.js";
import type { FoundryError } from "../errors.js";
import type { Completion, Diagnosis, HealthProblem, ModelListResult } from "../foundry/index.js";

/** What the doctor came to know, as `--json` prints it. What nobody could tell is `null`. */
export interface DoctorReport {
  /** Whether a completion worked, or, where none was asked for, whether the service answers. */
  readonly ok: boolean;
  readonly version: string;
  readonly machine: { readonly node: string; readonly platform: string; readonly arch: string };
  readonly status: "healthy" | "degraded" | "unavailable";
  readonly endpoint: string | null;
  readonly found_by: string | null;
  readonly dialect: string | null;
  readonly service: string | null;
  readonly service_version: string | null;
  readonly latency_ms: number | null;
  readonly pid: number | null;
  readonly uptime_s: number | null;
  /** What was tried to find the service, in order. */
  readonly tried: readonly {
    readonly what: string;
    readonly outcome: string;
    readonly ok: boolean;
  }[];
  readonly command_line: Diagnosis["commandLine"];
  readonly models: {
    readonly listed: number;
    readonly downloaded: number | null;
    readonly loaded: readonly string[] | null;
    readonly default: string | null;
  } | null;
  readonly completion: CompletionReport | null;
  readonly problems: readonly HealthProblem[];
  readonly settings: readonly SettingInForce[];
}

export interface CompletionReport {
  readonly ok: boolean;
  readonly model: string | null;
  readonly text: string;
  readonly output_tokens: number | null;
  readonly estimated: boolean;
  readonly load_ms: number;
  readonly first_token_ms: number | null;
  readonly tokens_per_second: number | null;
  /** Code and words of the failure. */
  readonly error: { readonly code: string; readonly what: string; readonly fix: string } | null;
}

export interface Findings {
  readonly version: string;
  readonly diagnosis: Diagnosis;
  readonly list: ModelListResult | null;
  readonly completion: CompletionReport | null;
  /** What kept the list from being had. */
  readonly failure: FoundryError | null;
  readonly settings: readonly SettingInForce[];
}

export function reportOf(findings: Findings): DoctorReport {
  const { diagnosis, list, completion, failure, settings, version } = findings;
  const { health, trials, commandLine } = diagnosis;
  const answers = health.status !== "unavailable" && failure === null;
  const told = new Set(health.problems.map(({ what }) => what));
  const more =
    failure === null || told.has(failure.message)
      ? []
      : [{ what: failure.message, fix: failure.action }];
  return {
    ok: answers && (completion?.ok ?? true),
    version,
    machine: { node: process.version, platform: process.platform, arch: process.arch },
    status: health.status,
    endpoint: health.endpoint,
    found_by: health.foundBy,
    dialect: health.dialect,
    service: health.service,
    service_version: health.version,
    latency_ms: health.latencyMs,
    pid: health.pid,
    uptime_s: health.uptimeSeconds,
    tried: trials.map(({ what, outcome, ok }) => ({ what, outcome, ok })),
    command_line: commandLine,
    models: list === null ? null : modelsOf(list, health.loadedModels),
    completion,
    problems: [...health.problems, ...more],
    settings,
  };
}

function modelsOf({ models, defaultModel }: ModelListResult, loaded: readonly string[] | null) {
  const isKnown = models.some((model) => model.downloaded !== null);
  return {
    listed: models.length,
    downloaded: isKnown ? models.filter((model) => model.downloaded === true).length : null,
    loaded,
    default: defaultModel,
  };
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
      failure === null ? null : { code: failure.code, what: failure.message, fix: failure.action },
  };
}
