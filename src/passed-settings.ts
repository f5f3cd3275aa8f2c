import { rawSettings, SECRETS, SETTING_NAMES, type SettingName } from "./settings.js";

/** What concerns the server alone and not its client of the service. */
const OF_SERVER: ReadonlySet<SettingName> = new Set([
  "FOUNDRY_FILES",
  "FOUNDRY_HTTP_KEY",
  "FOUNDRY_KEEP",
  "FOUNDRY_LOG_LEVEL",
  "FOUNDRY_ON_CANCEL",
  "FOUNDRY_OTEL",
  "FOUNDRY_REPLY_WITHIN",
  "FOUNDRY_VECTORS",
]);

/** The settings with which another process of this package makes the same client: their variables. */
export function passedSettings(
  flags: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const given = rawSettings(flags, environment).filter(
    ({ name, raw }) => raw !== "" && !OF_SERVER.has(name),
  );
  return Object.fromEntries(given.map(({ name, raw }) => [name, raw]));
}

/** Variables without any setting: for a process that gets them in another way. */
export function withoutSettings(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const isSetting = (name: string): boolean => SETTING_NAMES.some((setting) => setting === name);
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isSetting(name)));
}

/** Variables as other programs may have them, which we start: without what is meant for a service. */
export function withoutSecrets(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !SECRETS.has(name)));
}
