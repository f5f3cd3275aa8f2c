export const inCode = (command: string): string => `\`${command}\``;

/** A message as a clause, to be put into a sentence. */
export const withoutStop = (sentence: string): string => sentence.replace(/\.$/, "");
