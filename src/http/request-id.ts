import { MAX_REQUEST_ID, printable, type SecretMask } from "../lib/index.js";

/**
 * Where services, and routers in front of them, name a request. LiteLLM names its own id first, then
 * repeats the one of the service behind it.
 */
const HEADERS = [
  "x-litellm-call-id",
  "x-request-id",
  "request-id",
  "llm_provider-x-request-id",
] as const;

/** The ids of a request in the logs of the service and of a router in front of it, or `null`. */
export function requestIdOf(
  headers: Readonly<Record<string, string>>,
  secrets: SecretMask,
): string | null {
  const values = HEADERS.flatMap((name) => (headers[name] ?? "").slice(0, 4096).split(","));
  const ids = new Set(values.map((value) => value.trim()).filter((value) => value !== ""));
  return printable(secrets.hide([...ids].join(", ")), MAX_REQUEST_ID) || null;
}

/** How long to wait, as the service said it; LiteLLM hands on what the service behind it said. */
export const retryAfterOf = (headers: Readonly<Record<string, string>>): string | undefined =>
  headers["retry-after"] ?? headers["llm_provider-retry-after"];
