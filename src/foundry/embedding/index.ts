export { embed } from "./embed.js";
export type { EmbedOptions, EmbedResult, Ranked, RankOptions } from "./embedding.js";
export { ranked } from "./rank.js";
