import type { OutputNoise } from "./switches.js";

const BEFORE: Readonly<Record<OutputNoise, string>> = {
  banner:
    "A newer version of Foundry Local is available.\nSee 'foundry --help' for what is new.\n\n",
  progress:
    "\u001b[?25l\r\u001b[2K⠋ Contacting the daemon...\r\u001b[2K⠙ Contacting the daemon...\r\u001b[2K\u001b[?25h",
  // As in #718.
  log_lines: "[18:04:33 ERR] Failed to process model #0 on page 1.\n",
  braces: "info: catalog {region: eastus}\n",
};
const AFTER: Readonly<Record<OutputNoise, string>> = {
  banner: "",
  progress: "",
  log_lines: "[18:04:34 ERR] Failed to process model #0 on page 1.\n",
  braces: "info: closed {reason: done}\n",
};

/** Output before and after the answer, between which a client must find the JSON. */
export const noiseBefore = (noise: readonly OutputNoise[]) => noise.map((n) => BEFORE[n]).join("");
export const noiseAfter = (noise: readonly OutputNoise[]) => noise.map((n) => AFTER[n]).join("");
