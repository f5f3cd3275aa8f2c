import { FoundryError } from "../../lib/index.js";
import type { Dialect, DialectName } from "../dialects/index.js";
import { KNOWN_PORTS } from "../discovery/index.js";
import type { ModelLoader } from "../loading/index.js";
import type { KnownModel } from "../models/index.js";
import type { ModelListing, Service } from "../service/index.js";

/**
 * The situations that can be told from outside, each with what to do (docs/foundry-local.md,
 * section 13).
 */
export interface HealthProblem {
  readonly what: string;
  readonly fix: string;
}

export const problemOf = (error: FoundryError): HealthProblem => ({
  what: error.message,
  fix: error.action,
});

const DOWNLOAD_ONE =
  "Download one, for example with `foundry model download phi-4-mini`, or with load_model and download: true";

/** What a list of models shows. */
export function listingProblems(
  dialect: DialectName,
  listing: Pick<ModelListing, "models" | "warning"> | FoundryError,
): HealthProblem[] {
  if (listing instanceof FoundryError) return [problemOf(listing)];
  const { models, warning } = listing;
  const problems: HealthProblem[] = [];
  if (warning !== null) {
    problems.push({
      what: warning,
      fix: "Check the network connection of the service, and what it lists; the other models can still be used.",
    });
  }
  if (models.length === 0) {
    problems.push({
      what: "The service lists no models.",
      fix:
        dialect === "openai"
          ? "Load a model in that engine, or let it serve one."
          : `${DOWNLOAD_ONE}. If that is done, check the network, which the catalog needs, and restart the service.`,
    });
  } else if (models.every((model) => model.downloaded === false)) {
    problems.push({
      what: "No model is downloaded.",
      fix: `${DOWNLOAD_ONE}.`,
    });
  }
  return problems;
}

export function defaultProblems(
  loader: ModelLoader,
  listing: ModelListing | FoundryError | null,
): HealthProblem[] {
  if (listing === null || listing instanceof FoundryError) return [];
  const problem = listing.models.length === 0 ? null : loader.defaultProblem(listing.models);
  return problem === null ? [] : [problemOf(problem)];
}

export function circuitProblems({ transport }: Service): HealthProblem[] {
  if (transport.circuit.state === "closed") return [];
  return [
    {
      what: "Recent requests failed one after the other, so new ones are refused until the next probe.",
      fix: "The service answers again: call the tool once more.",
    },
  ];
}

/** A service on another machine without TLS: prompts can be read on their way. */
export function endpointAdvice(endpoint: string, isOnLoopback: boolean): HealthProblem[] {
  if (isOnLoopback || !endpoint.startsWith("http:")) return [];
  return [
    {
      what: `${endpoint} is another machine, and http sends prompts and answers there unencrypted.`,
      fix: "Where the network is not yours alone, put a TLS proxy or an SSH tunnel in front of it: Foundry Local itself knows neither TLS nor passwords.",
    },
  ];
}

/** An old service and a new command line: after an update the old agent may have stayed (#146). */
export function oldAgentProblem(endpoint: string): HealthProblem {
  return {
    what: `${endpoint} is the service of an old Foundry Local (0.8 or before), though a newer one is installed: an update left it running, or it is an editor extension's.`,
    fix: "It can be used. For the newer one, end the process Inference.Service.Agent or restart the machine; the next call finds or starts it.",
  };
}

/** A set endpoint that does not answer as it should, and where the service is instead. */
export function movedProblem(error: FoundryError, found: string): HealthProblem {
  return {
    what: `${error.message} That is what FOUNDRY_ENDPOINT is set to, but Foundry Local runs at ${found} now: its port changes when it restarts.`,
    fix: "Take FOUNDRY_ENDPOINT out of the settings, so that the service is found wherever it is, or set it to the new address; then restart this server.",
  };
}

/**
 * A daemon of CLI 0.10 that was started with `--port` or `--idle-timeout` lists fewer variants
 * (#1065). From outside that is a guess, and worded as one.
 */
export function narrowedAdvice(
  dialect: Pick<Dialect, "name">,
  endpoint: string,
  listing: { readonly models: readonly KnownModel[] } | FoundryError | null,
): HealthProblem[] {
  if (dialect.name !== "C1" || listing === null || listing instanceof FoundryError) return [];
  if (!KNOWN_PORTS.includes(Number(new URL(endpoint).port))) return [];
  const devices = new Set(listing.models.map(({ device }) => device));
  if (listing.models.length === 0 || devices.has("gpu") || devices.has("npu")) return [];
  return [
    {
      what: "Only models for the processor are listed. If this machine has a GPU or NPU, the fixed port may be the reason: started with --port or --idle-timeout, Foundry Local 0.10 lists fewer models.",
      fix: "Start it without flags (`foundry server restart`); its new port is found by itself.",
    },
  ];
}
