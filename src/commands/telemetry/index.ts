import type { FoundryClient } from "../../jobs/index.js";
import type { SecretMask } from "../../lib/index.js";
import type { Logger } from "../../log.js";
import type { Environment, Settings } from "../../settings.js";

/** What exports the spans and metrics of a server; `undefined` where no collector is named. */
export function telemetryOf(
  { FOUNDRY_OTEL: set }: Settings,
  parts: { readonly client: FoundryClient; readonly log: Logger; readonly secrets: SecretMask },
  environment: Environment = process.env,
): { close(): Promise<void> } | undefined {
  const standard = environment["OTEL_EXPORTER_OTLP_ENDPOINT"]?.trim() || undefined;
  const isOff = environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true";
  const endpoint = set ?? standard;
  if (endpoint === undefined || isOff) return undefined;
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint)) {
    parts.log.warn({}, "OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL: nothing is exported");
    return undefined;
  }
  // Loaded only here, since most servers export nothing.
  const exporter = import("./exporter.js").then(
    ({ TelemetryExporter }) => new TelemetryExporter({ ...parts, endpoint, environment }),
  );
  exporter.catch((error: unknown) => parts.log.warn({ detail: String(error) }, "no telemetry"));
  return { close: async () => (await exporter.catch(() => null))?.close() };
}
