import { ERROR_CODES, type Failing, FoundryError, formatDuration } from "../../lib/index.js";
import { type Dialect, leftOutWarning } from "../dialects/index.js";
import { KNOWN_PORTS } from "../discovery/index.js";
import type { ModelLoader } from "../loading/index.js";
import type { KnownModel } from "../models/index.js";
import type { ModelListing, Service } from "../service/index.js";
import type { HealthProblem } from "./problem.js";

/**
 * Situations that can be recognized from outside, each with what to do (docs/foundry-local.md,
 * section 13).
 */

export const problemOf = (error: FoundryError): HealthProblem => ({
  what: error.message,
  fix: error.action,
});

export async function listingProblems(
  { isFoundryLocal }: Pick<Dialect["can"], "isFoundryLocal">,
  listing: Pick<ModelListing, "models" | "warning" | "leftOut"> | FoundryError,
  missing: Pick<ModelLoader["missing"], "adviceForAny">,
): Promise<HealthProblem[]> {
  if (listing instanceof FoundryError) return [problemOf(listing)];
  const { models, warning } = listing;
  const leftOut = leftOutWarning(listing.leftOut);
  const problems: HealthProblem[] = [];
  if (warning !== null) {
    problems.push({
      what: warning,
      fix: isFoundryLocal
        ? "Check the network connection of the service; the other models can still be used."
        : "Nothing to do where the model is named in each call or in the option `model`.",
    });
  }
  if (leftOut !== null) {
    problems.push({
      what: leftOut,
      fix: "Update the service if it chose these names, else give the models other names; all models that are listed can be used.",
    });
  }
  if (models.length === 0 && leftOut === null && (isFoundryLocal || warning === null)) {
    const advice = await missing.adviceForAny(models);
    problems.push({
      what: "The service lists no models.",
      fix: isFoundryLocal
        ? `${advice} If that is done, check the network, which the catalog needs, and restart the service.`
        : `${advice} Or name a model in each call: the engine may have it although it is not listed.`,
    });
  } else if (models.length > 0 && models.every((model) => model.downloaded === false)) {
    problems.push({
      what: "No model is downloaded.",
      fix: await missing.adviceForAny(models),
    });
  }
  return problems;
}

export async function defaultProblems(
  loader: ModelLoader,
  listing: ModelListing | FoundryError | null,
): Promise<HealthProblem[]> {
  if (listing === null || listing instanceof FoundryError) return [];
  const problem = listing.models.length === 0 ? null : await loader.defaultProblem(listing.models);
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

/** The service answers, and completions have just failed by a fault of it. */
export function failingProblem({ model, count, code, agoMs }: Failing): HealthProblem {
  const of = model === null ? "" : ` of ${model}`;
  const which = count === 1 ? `The latest completion${of}` : `The latest ${count} completions${of}`;
  return {
    what: `${which} failed, ${formatDuration(agoMs)} ago: ${code} (${ERROR_CODES[code]}).`,
    // llama.cpp needs a key for completions, and none for its list of models.
    fix:
      code === "UNAUTHORIZED"
        ? "Check the option `apiKey` and the option `headers`."
        : "Ask once more. If that fails, too, use another model or restart the service.",
  };
}

/** A service on another machine without TLS: prompts can be read in transit. */
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
    what: `${error.message} That is what the option \`endpoint\` is set to, but Foundry Local runs at ${found} now: its port changes when it restarts.`,
    fix: "Leave out the option `endpoint`, so that the service is found wherever it is, or set it to the new address.",
  };
}

/**
 * A daemon of CLI 0.10 that was started with `--port` or `--idle-timeout` lists fewer variants
 * (#1065). From outside that is a guess, so the text says that it may be.
 */
export function narrowedAdvice(
  { fixedPortNarrowsList }: Pick<Dialect["can"], "fixedPortNarrowsList">,
  endpoint: string,
  listing: { readonly models: readonly KnownModel[] } | FoundryError | null,
): HealthProblem[] {
  if (!fixedPortNarrowsList || listing === null || listing instanceof FoundryError) return [];
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
