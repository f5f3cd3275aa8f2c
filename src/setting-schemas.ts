import * as z from "zod";
import { type Bounds, jsonFrom } from "./lib/index.js";
import { folderSeparator, foldersIn, type Machine, thisMachine } from "./platform/index.js";

/** What the raw text of a setting becomes. The error message of each says what is allowed. */

export const seconds = (allowed: Bounds) =>
  number(`a number of seconds from ${allowed.min} to ${allowed.max}`, allowed);

function number(allowed: string, { min, max }: Bounds, whole = false) {
  const isWhole = (value: number) => !whole || Number.isInteger(value);
  return decimalNumber(allowed, (value) => value >= min && value <= max && isWhole(value));
}

/**
 * A decimal number that `fits`, not what `Number()` also takes: no hexadecimal, no blanks, no
 * "Infinity". `allowed` says what fits.
 */
export function decimalNumber(allowed: string, fits: (value: number) => boolean) {
  const isNumber = (text: string) => /^\d+(\.\d+)?$/.test(text) && fits(Number(text));
  return z.string().refine(isNumber, { error: allowed }).transform(Number);
}

export const wholeNumber = (allowed: Bounds) =>
  number(`a whole number from ${allowed.min} to ${allowed.max}`, allowed, true);

const yesOrNo = (text: string): boolean | string => {
  const word = text.toLowerCase();
  return word === "true" || word === "1" ? true : word === "false" || word === "0" ? false : word;
};
export const boolean = z.string().transform(yesOrNo).pipe(z.boolean("true or false"));
export const booleanOrAuto = z
  .string()
  .transform(yesOrNo)
  .pipe(z.union([z.boolean(), z.literal("auto")], "true, false or auto"));

export const headersSchema = z.string().transform((text, context) => {
  const parsed = z.record(z.string(), z.string()).safeParse(jsonFrom(text));
  if (parsed.success) return parsed.data;
  context.issues.push({
    code: "custom",
    input: text,
    message: 'a JSON object of texts, such as {"X-Team":"research"}',
  });
  return z.NEVER;
});

const exampleFolder = ({ platform }: Machine): string =>
  platform === "win32" ? "C:\\Users\\me\\notes" : "/home/me/notes";

/** Folders as in PATH, of the machine that the server runs on. */
export const foldersSchema = (machine: Machine = thisMachine()) =>
  z.string().transform((text, context) => {
    const folders = foldersIn(text, machine);
    if (folders !== null) return folders;
    const separator = folderSeparator(machine.platform);
    context.issues.push({
      code: "custom",
      input: text,
      message: `absolute paths of folders, such as ${exampleFolder(machine)}, separated by ${separator}`,
    });
    return z.NEVER;
  });

/** One folder of that machine. */
export const folderSchema = (machine: Machine = thisMachine()) =>
  z.string().transform((text, context) => {
    const [folder, ...others] = foldersIn(text, machine) ?? [];
    if (folder !== undefined && others.length === 0) return folder;
    context.issues.push({
      code: "custom",
      input: text,
      message: `the absolute path of a folder, such as ${exampleFolder(machine)}`,
    });
    return z.NEVER;
  });
