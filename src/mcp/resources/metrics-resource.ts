import type { FoundryClient } from "../../jobs/index.js";
import { inSnakeCase, type SecretMask } from "../../lib/index.js";
import { harmlessJson } from "./harmless-json.js";

export const METRICS_URI = "foundry://metrics";

/** The metrics in a list of resources. */
export const METRICS_RESOURCE = {
  uri: METRICS_URI,
  name: "metrics",
  title: "Metrics",
  description: "Counts, errors and times of this server's calls, by operation and model.",
  mimeType: "application/json",
};

export const metricsContents = (client: Pick<FoundryClient, "metrics">, secrets: SecretMask) => [
  {
    uri: METRICS_URI,
    mimeType: "application/json",
    text: harmlessJson(inSnakeCase(client.metrics()), secrets),
  },
];
