export { embed } from "./embed.js";
export type { EmbedOptions, EmbedResult } from "./embedding.js";
