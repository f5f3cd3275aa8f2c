import { escapeUnprintable, portableJson, type SecretMask } from "../../lib/index.js";

/** A value as JSON: names and words of a service in it are without secrets and do nothing on a terminal. */
export const harmlessJson = (value: unknown, secrets: SecretMask): string =>
  escapeUnprintable(portableJson(JSON.stringify(secrets.hideIn(value))));
