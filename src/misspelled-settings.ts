import leven from "leven";
import { SETTING_NAMES, type SettingName } from "./settings.js";

/** A variable that is no setting, and the setting that was probably meant. */
export interface MisspelledSetting {
  readonly variable: string;
  readonly meant: SettingName;
}

/** A longer name resembles none of ours. */
const LONGEST_NAME = 60;

/**
 * Variables whose names resemble a setting, such as `FOUNDRY_MODLE`. Others are left alone: other
 * programs have names that begin with `FOUNDRY_`, too.
 */
export function misspelledSettings(
  environment: Readonly<Record<string, string | undefined>>,
): MisspelledSetting[] {
  return Object.entries(environment).flatMap(([variable, value]) => {
    const isSet = value !== undefined && value.trim() !== "";
    if (!isSet || variable.length > LONGEST_NAME || !/^f/i.test(variable)) return [];
    const upper = variable.toUpperCase();
    // On Windows the case of a name does not matter, so this variable is read.
    if (SETTING_NAMES.some((name) => name === upper && environment[name] === value)) return [];
    const distance = (name: SettingName): number => leven(upper, name);
    const [meant] = SETTING_NAMES.toSorted((a, b) => distance(a) - distance(b));
    if (meant === undefined || distance(meant) > mostTypos(meant)) return [];
    return [{ variable, meant }];
  });
}

/** Short names resemble many a word: `FOUNDRY_DLL` does not mean `FOUNDRY_CLI`. */
const mostTypos = (name: SettingName): number => (name.length < "FOUNDRY_".length + 5 ? 1 : 2);
