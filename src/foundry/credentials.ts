import { normalizeEndpoint } from "../http/index.js";
import { isLoopback, SecretMask, withoutCredentials } from "../lib/index.js";
import type { FoundryClientOptions } from "./options.js";

/**
 * The same options, with the user name and the password of the endpoint as an `Authorization` header. A key or an
 * own header of that name outranks them. Logs a warning if the endpoint is another machine without TLS.
 */
export function withCredentialsAsHeader(options: FoundryClientOptions): FoundryClientOptions {
  if (options.endpoint === undefined) return options;
  const { endpoint, authorization } = withoutCredentials(options.endpoint.trim());
  if (!isLoopback(normalizeEndpoint(endpoint)) && /^http:/i.test(endpoint)) {
    const what = "prompts and answers are sent to another machine unencrypted";
    options.log?.warn({ endpoint }, what);
  }
  const names = Object.keys(options.headers ?? {}).map((name) => name.toLowerCase());
  if (authorization === null || names.includes("authorization")) return { ...options, endpoint };
  return { ...options, endpoint, headers: { ...options.headers, authorization } };
}

/** What no error may quote. */
export const secretsIn = ({ headers, apiKey }: FoundryClientOptions): SecretMask =>
  SecretMask.ofHeaders({ ...headers, ...(apiKey === undefined ? {} : { "the key": apiKey }) });
