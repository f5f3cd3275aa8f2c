import { SETTING_NAMES } from "./settings.js";

/** The settings of this process as another process of this package can read them. */
export function settingsSource(
  flags: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): { readonly flags: string[]; readonly environment: Record<string, string> } {
  const given = SETTING_NAMES.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { flags: [...flags], environment: Object.fromEntries(given) };
}

/** Variables without any setting: for a process that gets them in another way. */
export function withoutSettings(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const isSetting = (name: string): boolean => SETTING_NAMES.some((setting) => setting === name);
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isSetting(name)));
}
