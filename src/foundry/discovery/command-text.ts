import type { FoundryCli } from "../cli/index.js";

export const inCode = (command: string): string => `\`${command}\``;

/** For people: `foundry server restart`. */
export const restartCommand = (cli: FoundryCli): string =>
  `foundry ${cli.generation ?? "server"} restart`;

/** A message as a clause, to be put into a sentence. */
export const withoutStop = (sentence: string): string => sentence.replace(/\.$/, "");
